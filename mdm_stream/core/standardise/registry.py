"""The table of attribute types, and the one way in which each is applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from types import MappingProxyType

import phonenumbers

from mdm_stream.core.memo import remembered
from mdm_stream.core.model import MISSING, InvalidReason, Standardised
from mdm_stream.core.standardise import (
    addresses,
    contacts,
    dates,
    full_addresses,
    names,
    organisations,
    places,
    values,
    wholes,
)
from mdm_stream.core.standardise import placeholders as unset
from mdm_stream.core.standardise.generations import standardise_generation
from mdm_stream.core.standardise.several import problem_with_separators, ways_to_part
from mdm_stream.core.standardise.spec import Options, OptionSpec, OptionValue, Standardiser, TypeSpec
from mdm_stream.core.standardise.text import MATCH_LENGTH_MAX, composed, fold, is_blank, overmarked, squeezed
from mdm_stream.core.written_numbers import is_lost_number

CACHED_VALUES_MAX = 16_384
"""Standardised texts remembered for each type and its options: some 8 MB when full of ordinary ones."""

CACHED_TEXT_LENGTH_MAX = 256
"""Longer texts are standardised each time, so that a stream of huge values cannot fill memory through the cache."""

# Characters of a text that each type standardises, counted before anything is normalised. A longer text is invalid,
# keeps its value whole, and has no match.
WORDS_CHARS_MAX = 512
"""Of names of people, organisations and places, and of categories."""
LINE_CHARS_MAX = 1_024
"""Of addresses, which may be several lines joined, and of identifiers."""
TEXT_CHARS_MAX = MATCH_LENGTH_MAX
"""Of free texts."""
POSTCODE_CHARS_MAX = 64
PHONE_CHARS_MAX = 250
"""Of phone numbers: the parser refuses longer ones."""
EMAIL_CHARS_MAX = 508
"""Of email addresses with the names and brackets around them: twice the 254 of RFC 5321 (erratum 1690)."""
DATE_CHARS_MAX = 64
NUMBER_CHARS_MAX = 80
"""Of numbers with their separators: twice the digits that a number may have."""
URL_CHARS_MAX = 2_048

_COMPILED_MAX = 256
_OFTEN_SEVERAL = frozenset({"email", "phone", "url"})  # also with nothing but a space or a new line between

assert CACHED_TEXT_LENGTH_MAX <= TEXT_CHARS_MAX

_REGIONS = tuple(sorted(phonenumbers.SUPPORTED_REGIONS))
_ADDRESS_OPTIONS = {
    "country": OptionSpec(
        "text",
        "",
        "where they are, ISO alpha-2: says which number of 5/3 is the house",
        allowed=("", *addresses.ADDRESS_COUNTRIES),
    )
}
_TYPES = (
    TypeSpec(
        "name",
        names.standardise_name,
        unset.is_name_placeholder,
        WORDS_CHARS_MAX,
        parts=("generation",),
        split=names.split_name,
    ),
    TypeSpec(
        "full_name",
        names.standardise_full_name,
        unset.is_name_placeholder,
        WORDS_CHARS_MAX,
        {
            "order": OptionSpec(
                "text", "given_first", "which name comes first where no comma tells", allowed=names.NAME_ORDERS
            )
        },
        parts=names.FULL_NAME_PARTS,
        split=names.split_full_name,
        join=wholes.join_full_name,
        join_needs=("given", "family"),
    ),
    TypeSpec("generation", standardise_generation, unset.is_word_placeholder, WORDS_CHARS_MAX),
    TypeSpec("text", values.standardise_text, unset.is_word_placeholder, TEXT_CHARS_MAX),
    TypeSpec("verbatim", values.standardise_verbatim, unset.is_no_placeholder, TEXT_CHARS_MAX, is_quantity=True),
    TypeSpec(
        "organisation",
        organisations.standardise_organisation,
        unset.is_word_placeholder,
        WORDS_CHARS_MAX,
        parts=("trading", "legal_form"),
        split=organisations.split_organisation,
    ),
    TypeSpec("legal_form", organisations.standardise_legal_form, unset.is_word_placeholder, WORDS_CHARS_MAX),
    TypeSpec(
        "address",
        addresses.standardise_address,
        unset.is_address_placeholder,
        LINE_CHARS_MAX,
        _ADDRESS_OPTIONS,
        country_option="country",
    ),
    TypeSpec(
        "full_address",
        full_addresses.standardise_full_address,
        unset.is_address_placeholder,
        LINE_CHARS_MAX,
        _ADDRESS_OPTIONS,
        parts=full_addresses.FULL_ADDRESS_PARTS,
        split=full_addresses.split_full_address,
        join=wholes.join_full_address,
        join_needs=("street", "city"),
        country_option="country",
    ),
    TypeSpec("city", places.standardise_city, unset.is_word_placeholder, WORDS_CHARS_MAX),
    TypeSpec("region", places.standardise_region, unset.is_word_placeholder, WORDS_CHARS_MAX),
    TypeSpec(
        "postcode",
        places.standardise_postcode,
        unset.is_postcode_placeholder,
        POSTCODE_CHARS_MAX,
        {
            "country": OptionSpec(
                "text",
                "",
                "whose codes they are, ISO alpha-2: restores leading zeros that a spreadsheet dropped",
                allowed=("", *sorted(places.POSTCODE_DIGITS)),
            )
        },
        country_option="country",
    ),
    TypeSpec("country", places.standardise_country, unset.is_country_placeholder, WORDS_CHARS_MAX),
    TypeSpec(
        "phone",
        contacts.standardise_phone,
        unset.is_word_placeholder,
        PHONE_CHARS_MAX,
        {
            "region": OptionSpec(
                "text", "US", "the country of numbers that do not name theirs, ISO alpha-2", allowed=_REGIONS
            )
        },
        country_option="region",
    ),
    TypeSpec("email", contacts.standardise_email, unset.is_email_placeholder, EMAIL_CHARS_MAX),
    TypeSpec(
        "date",
        dates.standardise_date,
        unset.is_date_placeholder,
        DATE_CHARS_MAX,
        {
            "day_first": OptionSpec("boolean", default=False, description="read 3/4/2020 as the third of April"),
            "pivot": OptionSpec("integer", 30, "the last two-digit year that is 20yy", minimum=0, maximum=99),
            "epoch_days": OptionSpec("boolean", default=False, description="integers are days since 1970-01-01"),
        },
    ),
    TypeSpec(
        "number",
        values.standardise_number,
        unset.is_word_placeholder,
        NUMBER_CHARS_MAX,
        {"decimal_comma": OptionSpec("boolean", default=False, description="1.234 is a thousand and more")},
        is_quantity=True,
    ),
    TypeSpec("identifier", values.standardise_identifier, unset.is_identifier_placeholder, LINE_CHARS_MAX),
    TypeSpec(
        "category",
        values.standardise_category,
        unset.is_word_placeholder,
        WORDS_CHARS_MAX,
        {"synonyms": OptionSpec("text", "", "words that mean another: 'm=male; f=female'")},
    ),
    TypeSpec("url", contacts.standardise_url, unset.is_word_placeholder, URL_CHARS_MAX),
)
_SPECS: Mapping[str, TypeSpec] = MappingProxyType({spec.name: spec for spec in _TYPES})
_DEFAULTS = {spec.name: {name: option.default for name, option in spec.options.items()} for spec in _TYPES}

COMMON_OPTIONS: Mapping[str, OptionSpec] = MappingProxyType(
    {
        "separators": OptionSpec(
            "text",
            "",
            "what parts several values in one cell, with spaces between: '; |'",
            problem=problem_with_separators,
        )
    }
)
"""Options that every type has. A standardiser does not see them: they part a cell into the texts that it reads."""

FrozenOptions = tuple[tuple[str, OptionValue], ...]
TextStandardiser = Callable[[str], Standardised]


def freeze_options(type_name: str, options: Options) -> FrozenOptions:
    """Return a type's options as a hashable whole, defaults filled in and unknown names left out."""
    return tuple((name, options.get(name, default)) for name, default in _DEFAULTS[type_name].items())


@lru_cache(maxsize=_COMPILED_MAX)
def text_standardiser(type_name: str, frozen: FrozenOptions) -> TextStandardiser:
    """Return what standardises a text by a type's name and its frozen options."""
    return remembering(plain_standardiser(type_name, frozen))


def plain_standardiser(type_name: str, frozen: FrozenOptions) -> TextStandardiser:
    """Return the same as ``text_standardiser``, without a memory."""
    return partial(_standardise, _SPECS[type_name], dict(frozen))


def in_country(type_name: str, options: Options, country: str) -> Options | None:
    """Return a type's options for a record of a country (ISO alpha-2); ``None`` where they stay what they are.

    A country whose numbering plan is not known says nothing about phone numbers; one whose postal codes are of no
    known length has no zeros restored.
    """
    name = _SPECS[type_name].country_option
    if not name:
        return None
    known = country in _SPECS[type_name].options[name].allowed
    if not known and name == "region":
        return None
    return {**options, name: country if known else ""}


def remembering(standardise: TextStandardiser) -> TextStandardiser:
    """Return the same function with a memory for texts of ordinary length."""
    cached = remembered(CACHED_VALUES_MAX)(standardise)

    def look_up(text: str) -> Standardised:
        return cached(text) if len(text) <= CACHED_TEXT_LENGTH_MAX else standardise(text)

    return look_up


def _standardise(spec: TypeSpec, options: Options, text: str) -> Standardised:
    bare = squeezed(text)
    refusal = _refusal(spec, bare)
    if is_blank(bare) or refusal == "scientific_notation":  # what such a number was is lost: it is no value
        return MISSING
    if refusal or len(cleaned := composed(bare)) > spec.characters_max:
        return Standardised(bare, None, valid=False)
    if spec.is_placeholder(cleaned):
        return MISSING
    result = spec.standardise(cleaned, options)
    value = result.value
    # Taking the wrapping off can bring a placeholder to light: "mailto:none@none".
    unwrapped = isinstance(value, str) and value != cleaned and (is_blank(value) or spec.is_placeholder(value))
    if unwrapped:
        return MISSING
    if isinstance(result.match, str) and len(result.match) > MATCH_LENGTH_MAX:
        # Abbreviations that are written out, or letters that are several in their compatible form.
        return Standardised(cleaned, None, valid=False)
    return result


def _refusal(spec: TypeSpec, bare: str) -> InvalidReason | None:
    if len(bare) > spec.characters_max:
        return "too_long"
    if overmarked(bare):
        return "combining_marks"
    return "scientific_notation" if not spec.is_quantity and is_lost_number(bare) else None


def is_lost(type_name: str, text: str) -> bool:
    """Return whether a delivered text is a number that has lost its last digits, of a type to which that matters."""
    return _refusal(_SPECS[type_name], squeezed(text)) == "scientific_notation"


def why_invalid(type_name: str, value: str, frozen: FrozenOptions | None = None) -> InvalidReason:
    """Return why an invalid value of a type is none; ``frozen`` are the options that it was read with."""
    spec = _SPECS[type_name]
    reason = _refusal(spec, squeezed(value))
    if reason is None and (len(composed(value)) > spec.characters_max or len(fold(value)) > MATCH_LENGTH_MAX):
        return "too_long"
    if reason is not None:
        return reason
    standardise = text_standardiser(type_name, freeze_options(type_name, {}) if frozen is None else frozen)
    return "several_values" if _holds_several(type_name, standardise, value) else "wrong_form"


def _holds_several(type_name: str, standardise: TextStandardiser, value: str) -> bool:
    at_spaces = type_name in _OFTEN_SEVERAL
    for pieces in ways_to_part(value, at_spaces=at_spaces):
        read = ((piece, standardise(piece)) for piece in pieces)
        if sum(one.match is not None and (one.valid or _is_whole(type_name, piece)) for piece, one in read) > 1:
            return True
    return False


def _is_whole(type_name: str, piece: str) -> bool:
    """Whether a piece that is not valid may still be a value: a number of no plan, but not half of a number."""
    return type_name == "phone" and sum(map(str.isdigit, piece)) >= contacts.PHONE_DIGITS_MIN


def _apply(type_name: str, text: str, options: Options) -> Standardised:
    return text_standardiser(type_name, freeze_options(type_name, options))(text)


def split_text(type_name: str, frozen: FrozenOptions, text: str) -> Mapping[str, str]:
    """Return the parts of a value of a type that has parts (see ``TYPE_PARTS``), as texts; absent ones left out."""
    spec = _SPECS[type_name]
    return spec.split(text, dict(frozen)) if spec.split and not _refusal(spec, text) else {}


def join_parts(type_name: str, frozen: FrozenOptions, parts: Mapping[str, str], like: str) -> str:
    """Return a value of a type that is written from parts (see ``JOIN_NEEDS``), in the way of ``like`` if not empty."""
    join = _SPECS[type_name].join
    return join(parts, like, dict(frozen)) if join is not None else ""


def is_placeholder(type_name: str, text: str) -> bool:
    """Return whether a type takes a delivered text for absent: blank, or a placeholder."""
    return (_remembered_placeholder if len(text) <= CACHED_TEXT_LENGTH_MAX else _is_placeholder)(type_name, text)


def _is_placeholder(type_name: str, text: str) -> bool:
    spec, bare = _SPECS[type_name], squeezed(text)
    return is_blank(bare) or (not _refusal(spec, bare) and spec.is_placeholder(composed(bare)))


_remembered_placeholder = remembered(CACHED_VALUES_MAX)(_is_placeholder)


STANDARDISERS: Mapping[str, Standardiser] = MappingProxyType({name: partial(_apply, name) for name in _SPECS})
"""Type name -> its standardiser. Total, pure and idempotent: applied to its own ``value`` it gives the same again."""

TYPE_OPTIONS: Mapping[str, Mapping[str, OptionSpec]] = MappingProxyType(
    {spec.name: MappingProxyType({**spec.options, **COMMON_OPTIONS}) for spec in _TYPES}
)
"""Type name -> the options that it takes."""

COUNTRY_TYPES = frozenset(spec.name for spec in _TYPES if spec.country_option)
"""The types whose values are read as those of the record's own country, where it names one."""

TYPE_CHARS_MAX: Mapping[str, int] = MappingProxyType({spec.name: spec.characters_max for spec in _TYPES})
"""Type name -> the characters of a text that it standardises; a longer one is invalid."""

TYPE_PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType({spec.name: spec.parts for spec in _TYPES if spec.parts})
"""Type name -> the parts that it yields for ``fills``; types without parts are absent."""

JOIN_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {spec.name: spec.join_needs for spec in _TYPES if spec.join}
)
"""Type name -> the parts without which no value is written from parts; types that cannot be are absent."""
