"""The attributes and sources of a drafted rule set: which columns of each file become which attribute, read how.

Pure: counts and meanings of columns in, plans out. Columns of several files that mean the same become one attribute,
whatever each file calls them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mdm_stream.core.name_patterns import ATTRIBUTE_PATTERN, SOURCE_PATTERN
from mdm_stream.core.standardise.places import POSTCODE_DIGITS
from mdm_stream.core.standardise.scripts import scripts_of
from mdm_stream.draft.subject import Subject
from mdm_stream.profile.columns.column_facts import ColumnMeaning
from mdm_stream.profile.columns.column_words import plain_name
from mdm_stream.profile.columns.conventions import (
    countries_named,
    date_order,
    has_decimal_comma,
    phone_region,
    postcode_countries,
    separators_in,
)
from mdm_stream.profile.columns.meaning_types import TYPE_OF_MEANING
from mdm_stream.profile.columns.meanings import family_first_share

OptionText = str | bool | int
EXTRA_ATTRIBUTES_MAX = 60
"""Attributes beside those that are compared; columns beyond them are left out, which is said."""
MULTI = frozenset({"email", "phone"})
OTHER_NAMES = frozenset({"other_name", "other_given_name", "other_family_name", "trading_name"})
"""Meanings of further names of a person or an organisation: the packs compare them as its names, others keep them."""
_NOT_KEPT = frozenset({"empty", "source", "version", "changed_at", "deleted"})
_KEYS_ALONE = frozenset({"key", "source", "code", "other"})
"""Meanings of a column that says nothing of a thing but which record it is."""
_OF_PACK: Mapping[str, Mapping[str, str]] = {
    "person": {
        name: name for name in (
            "given_name", "middle_name", "family_name", "full_name", "birth_date", "gender", "email", "phone",
            "street", "city", "region",
            "postcode", "country", "national_id", "tax_id",
            "passport_no", "passport_country", "licence_no", "licence_issuer", "generation",
        )
    } | {name: f"{name}s" for name in ("other_name", "other_given_name", "other_family_name")},
    "organisation": {
        **{name: name for name in (
            "street", "city", "region", "postcode", "country", "phone", "email", "registration_no", "tax_id", "duns",
            "industry", "legal_form",
        )},
        "organisation": "name", "url": "website", "trading_name": "trading_names",
    },
}  # fmt: skip
_OWN_COLUMN = (
    "key", "date", "code", "number", "category", "other", "unit", "care_of",
    *sorted(OTHER_NAMES),
)  # fmt: skip
"""Meanings whose attribute is called as the column is."""
_OWN_NAMES: Mapping[str, str] = {
    "organisation": "organisation_name",
    "url": "website",
    **dict.fromkeys(_OWN_COLUMN, ""),
}


@dataclass(frozen=True, slots=True)
class FileColumns:
    """The columns of one file with their meanings, and what the file is called as a source."""

    source: str
    columns: tuple[ColumnMeaning, ...]
    key: tuple[str, ...] = ()
    """The columns that identify a row."""

    def first(self, meaning: str) -> ColumnMeaning | None:
        """Return the column of a meaning, the most complete one of several."""
        found = [each for each in self.columns if each.meaning == meaning]
        return max(found, key=lambda each: each.facts.counts.completeness, default=None)


@dataclass(frozen=True, slots=True)
class PlannedAttribute:
    """An attribute of the rule set: ``is_packs`` if the pack declares it. ``why`` is the comment beside it."""

    name: str
    type: str
    meaning: str
    is_packs: bool
    multi: bool = False
    sensitive: bool = False
    why: str = ""
    fills: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedSource:
    """How the rows of a file become records: columns by attribute, and the source's own options by attribute."""

    file: FileColumns
    columns: Mapping[str, tuple[str, ...]]
    options: Mapping[str, Mapping[str, OptionText]]
    notes: Mapping[str, str]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Doubt:
    """What was not sure: of which file and column (or neither), in a sentence."""

    file: str
    column: str
    said: str


@dataclass(frozen=True, slots=True)
class DraftPlan:
    """The attributes and sources of the drafted rules, with what was not sure."""

    subject: Subject
    attributes: tuple[PlannedAttribute, ...]
    sources: tuple[PlannedSource, ...]
    doubts: tuple[Doubt, ...]


def plan_of(subject: Subject, files: Sequence[FileColumns]) -> DraftPlan:
    """Return the plan for the files of one subject."""
    attributes: dict[str, PlannedAttribute] = {}
    doubts: list[Doubt] = []
    sources = []
    for file in files:
        planned = _SourcePlan(subject, file, attributes, doubts)
        sources.append(planned.source())
        for each in file.columns:
            doubts += [Doubt(file.source, each.name, said) for said in each.doubts]
            if 0 < each.score < 0.5 and each.meaning not in ("other", "empty", "category", "key"):
                said = f"was taken for {each.meaning.replace('_', ' ')} by its {each.by}, and that is a guess"
                if each.runner_up:
                    said += f"; it may be {each.runner_up.replace('_', ' ')}"
                doubts.append(Doubt(file.source, each.name, said))
    if not subject.is_sure and subject.name != "record":
        ordered = sorted(subject.points, key=lambda each: -subject.points[each])
        doubts.append(Doubt("", "", f"the records look like {ordered[0]}s, and nearly as much like {ordered[1]}s"))
    return DraftPlan(subject, tuple(attributes.values()), tuple(sources), tuple(doubts))


class _SourcePlan:
    """Plans one file; attributes and doubts are those of all files so far, and are added to."""

    def __init__(
        self, subject: Subject, file: FileColumns, attributes: dict[str, PlannedAttribute], doubts: list[Doubt]
    ) -> None:
        self._subject, self._file, self._attributes, self._doubts = subject, file, attributes, doubts
        self._pack = _OF_PACK.get(subject.pack, {})
        self._columns: dict[str, tuple[str, ...]] = {}
        self._options: dict[str, dict[str, OptionText]] = {}
        self._notes: dict[str, str] = {}
        self._used: set[str] = set()

    def source(self) -> PlannedSource:
        """Return the plan of the file."""
        self._join_street()
        self._join_family_names()
        several = MULTI | (OTHER_NAMES & self._pack.keys())
        for meaning in sorted(several):
            columns = [each for each in self._file.columns if each.meaning == meaning]
            if columns:
                self._add(meaning, columns, columns[0].by)
        for each in self._file.columns:
            is_only_key = each.name in self._file.key and each.meaning in _KEYS_ALONE
            if each.name not in self._used and not is_only_key and each.meaning not in {*_NOT_KEPT, *several}:
                self._add_one(each)
        kept = {*self._used, *self._file.key}
        left = tuple(each.name for each in self._file.columns if each.name not in kept and each.meaning != "source")
        self._set_options()
        return PlannedSource(self._file, self._columns, self._options, self._notes, left)

    def _join_street(self) -> None:
        street, number = self._file.first("street"), self._file.first("street_number")
        if street is None or (number is None and self._file.first("unit") is None):
            return
        order = [each.name for each in self._file.columns]
        parts = [street]
        if number is not None and street.facts.share("address") < 0.5:
            ahead = order.index(number.name) < order.index(street.name)
            parts = [number, street] if ahead else [street, number]
        unit = self._file.first("unit")
        if unit is not None and _names_dwellings(unit):
            parts.append(unit)
        if len(parts) > 1:
            said = "joined by a space from the parts of the street line"
            self._add("street", parts, said)

    def _join_family_names(self) -> None:
        first, second = self._file.first("family_name"), self._file.first("second_family_name")
        if first is not None and second is not None:
            self._add("family_name", [first, second], "both family names, joined by a space")

    def _add_one(self, column: ColumnMeaning) -> None:
        meaning = column.meaning
        if meaning in _OWN_NAMES and not _OWN_NAMES[meaning] and meaning not in self._pack:
            extras = sum(not each.is_packs for each in self._attributes.values())
            if extras >= EXTRA_ATTRIBUTES_MAX or column.facts.share("json") > 0.5:
                return
        self._add(meaning, [column], column.by)

    def _add(self, meaning: str, columns: Sequence[ColumnMeaning], by: str) -> None:
        name = self._attribute(meaning, columns[0])
        if name in self._columns:
            name = self._own_name(columns[0], "other")
        self._columns[name] = tuple(each.name for each in columns)
        self._notes[name] = f"{by}, {min(each.score for each in columns):.0%} sure" if len(columns) == 1 else by
        self._used.update(each.name for each in columns)

    def _attribute(self, meaning: str, column: ColumnMeaning) -> str:
        """Return the attribute of a meaning, declared if it is new."""
        if meaning in self._pack:
            name = self._pack[meaning]
            self._attributes.setdefault(
                name,
                PlannedAttribute(
                    name, TYPE_OF_MEANING[meaning], meaning, is_packs=True, multi=meaning in MULTI | OTHER_NAMES
                ),
            )
            return name
        fixed = _OWN_NAMES.get(meaning, meaning)
        if fixed:
            name = fixed
            self._declare(name, meaning, column)
            return name
        return self._own_name(column, meaning)

    def _own_name(self, column: ColumnMeaning, meaning: str) -> str:
        name = attribute_name(column.name)
        known = self._attributes.get(name)
        taken = set(self._pack.values()) | set(self._columns) | {"source", "record_id"}
        if name in taken or (known is not None and known.type != _type_of(meaning, column)):
            name = f"{name[:50]}_{meaning if meaning != 'other' else 'text'}"
        number = 2
        base = name
        while name in taken:
            name, number = f"{base[:50]}_{number}", number + 1
        self._declare(name, meaning, column)
        return name

    def _declare(self, name: str, meaning: str, column: ColumnMeaning) -> None:
        kind = _type_of(meaning, column)
        fills: dict[str, str] = {}
        if kind == "full_name" and self._subject.name == "person":
            fills = {"given": "given_name", "middle": "middle_name", "family": "family_name"}
        sensitive = meaning in _SENSITIVE
        declared = PlannedAttribute(
            name,
            kind,
            meaning,
            is_packs=False,
            multi=meaning in MULTI,
            sensitive=sensitive,
            why=column.name,
            fills=fills,
        )
        self._attributes.setdefault(name, declared)

    def _set_options(self) -> None:
        hints = self._countries()
        for name, columns in self._columns.items():
            kind = self._attributes[name].type
            found = [each for each in self._file.columns if each.name in columns]
            sample = [text for each in found for text in each.facts.counts.sample]
            options = self._options_of(kind, sample, hints, found[0])
            if options:
                self._options[name] = options

    def _options_of(
        self, kind: str, sample: Sequence[str], hints: Sequence[str], column: ColumnMeaning
    ) -> dict[str, OptionText]:
        options: dict[str, OptionText] = {}
        if kind == "phone":
            options |= self._phone_options(sample, hints, column)
        elif kind == "date":
            options |= self._date_options(sample, hints, column)
        elif kind == "number" and has_decimal_comma(sample):
            options["decimal_comma"] = True
        elif kind == "full_name":
            options |= self._name_options(sample, column)
            if not options and column.meaning == "other_name" and not _is_latin(sample):
                options |= self._order_of_the_name()
        elif kind == "postcode" and hints and _loses_zeros(sample, hints[0]):
            options["country"] = hints[0]
        if kind in ("email", "phone"):
            separators = separators_in(sample, "email" if kind == "email" else "phone")
            if separators:
                options["separators"] = separators
        return options

    def _name_options(self, sample: Sequence[str], column: ColumnMeaning) -> dict[str, OptionText]:
        last, first = family_first_share(sample)
        if last > 2 * first and last + first >= 3:
            return {"order": "family_first"}
        if 2 * last >= first and last + first >= 3:
            self._doubt(column, "has whole names of both orders: given name first, and family name first")
        return {}

    def _order_of_the_name(self) -> dict[str, OptionText]:
        """Return the order of the whole names beside it: no list of given names has those of each script."""
        named = self._file.first("full_name")
        return {} if named is None else self._name_options(named.facts.counts.sample, named)

    def _phone_options(
        self, sample: Sequence[str], hints: Sequence[str], column: ColumnMeaning
    ) -> dict[str, OptionText]:
        region, share = phone_region(sample, hints)
        if region:
            if share < 0.9:
                self._doubt(
                    column, f"has national numbers of which {share:.0%} are of {region}, whose plan they are read by"
                )
            return {"region": region}
        if sample and not all(text.startswith("+") for text in sample):
            self._doubt(
                column,
                "has national numbers that no country's numbering plan knows; set options: {phone: {region: ..}}",
            )
            return {"region": hints[0]} if hints else {}
        return {}

    def _date_options(
        self, sample: Sequence[str], hints: Sequence[str], column: ColumnMeaning
    ) -> dict[str, OptionText]:
        order = date_order(sample)
        options: dict[str, OptionText] = {}
        if order.short_years:
            self._doubt(column, "has years of two digits: up to 30 they are read as 20yy (option pivot)")
        if order.day_first_proofs and order.month_first_proofs:
            said = f"has dates with the day first ({order.day_first_proofs:,} of the sample) and with the month first "
            said += f"({order.month_first_proofs:,})"
            self._doubt(column, said)
        if order.day_first is None and order.ambiguous:
            day_first = not hints or hints[0] not in ("US", "PH")
            if not hints and _is_english(column):
                day_first = False
            first = "day" if day_first else "month"
            self._doubt(column, f"has dates such as 3/4 that may be read both ways; read with the {first} first")
            return {"day_first": day_first} if day_first else options
        if order.day_first and (order.ambiguous or order.day_first_proofs):
            options["day_first"] = True
        return options

    def _countries(self) -> list[str]:
        country, postcode, phone = (self._file.first(each) for each in ("country", "postcode", "phone"))
        found = countries_named(country.facts.counts.most) if country is not None else []
        if not found and postcode is not None:
            found = postcode_countries(postcode.facts.counts.sample)
        if not found and phone is not None:
            region, share = phone_region(phone.facts.counts.sample)
            found = [region] if region and share > 0.8 else []
        return found

    def _doubt(self, column: ColumnMeaning, said: str) -> None:
        self._doubts.append(Doubt(self._file.source, column.name, said))


_SENSITIVE = frozenset({
    "email", "phone", "birth_date", "national_id", "street", "iban", "full_name", "tax_id",
    "passport_no", "licence_no",
})  # fmt: skip


def _type_of(meaning: str, column: ColumnMeaning) -> str:
    kind = "text" if meaning in OTHER_NAMES else TYPE_OF_MEANING.get(meaning, "text")
    if meaning == "category" and column.facts.words > 4:
        return "text"
    if meaning == "model_no" and column.facts.words > 1.6:
        return "text"
    return kind


def _is_latin(sample: Sequence[str]) -> bool:
    return 2 * sum("LATIN" in scripts_of(text) for text in sample) >= len(sample)


def _is_english(column: ColumnMeaning) -> bool:
    return column.name.lower().replace("_", " ") in {"dob", "date of birth", "birth date", "birthdate", "birthday"}


def _names_dwellings(unit: ColumnMeaning) -> bool:
    """Return whether most values of a second address line are of a flat: they have a digit, or are very short."""
    sample = unit.facts.counts.sample
    return sum(any(map(str.isdigit, text)) or len(text) <= 4 for text in sample) > 0.6 * len(sample)


def _loses_zeros(sample: Sequence[str], country: str) -> bool:
    """Return whether most postcodes are digits, some of them shorter than those of the country are."""
    digits = [len(text) for text in sample if text.isdigit()]
    length = POSTCODE_DIGITS.get(country, 0)
    return len(digits) > 0.5 * len(sample) and 0 < sum(0 < length - each <= 2 for each in digits) < 0.4 * len(digits)


_WORDS_OF_YAML = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "else"})


def attribute_name(column: str) -> str:
    """Return a name that an attribute may have for a column, in ASCII where its letters have an ASCII form."""
    plain = unicodedata.normalize("NFKD", plain_name(column)).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:56]
    if not name or not name[0].isalpha():
        name = f"column_{name}".strip("_") if name else f"column_{_digest(column)}"
    if name in _WORDS_OF_YAML:
        name = f"{name}_column"
    return name if re.fullmatch(ATTRIBUTE_PATTERN, name) else f"column_{_digest(column)}"


def source_name(stem: str) -> str:
    """Return a name that a source may have for a file's."""
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", plain).strip("_.-")[:60]
    return name if name and re.fullmatch(SOURCE_PATTERN, name) else f"file_{_digest(stem)}"


def _digest(text: str) -> str:
    return f"{sum(ord(character) * (place + 1) for place, character in enumerate(text)) % 100_000}"
