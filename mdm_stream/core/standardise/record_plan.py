"""How each attribute is made from a source's columns: compiled once a rule set, for every source of its own ways.

A source may have conventions of its own (options), and a record a country of its own. Sources that read an attribute
alike share one step, and with it one memory of what was read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from mdm_stream.core.memo import remembered
from mdm_stream.core.model import MISSING, Standardised
from mdm_stream.core.per_ruleset import PerRuleset
from mdm_stream.core.ruleset import Attribute, PlaceholderList, Ruleset, Source
from mdm_stream.core.standardise.listed import is_listed_text, without_listed
from mdm_stream.core.standardise.patterns import WholeMatch, compile_pattern
from mdm_stream.core.standardise.registry import (
    CACHED_TEXT_LENGTH_MAX,
    CACHED_VALUES_MAX,
    FrozenOptions,
    TextStandardiser,
    freeze_options,
    in_country,
    is_placeholder,
    plain_standardiser,
    remembering,
    text_standardiser,
)
from mdm_stream.core.standardise.several import Separate, separate_by
from mdm_stream.core.standardise.spec import Options
from mdm_stream.core.standardise.text import MATCH_LENGTH_MAX

MULTI_VALUES_MAX = 64
"""Values that a multi-valued attribute keeps, the first by match: comparisons look at every pair of them."""

TEXTS_READ_MAX = 256
"""Texts of a multi-valued attribute that are standardised, the first in their order as texts: four times what is kept.
Reading a phone number costs a tenth of a millisecond, and an event may list a thousand.
"""

NO_COUNTRY = -1


@dataclass(frozen=True, slots=True)
class RecordStep:
    """How one attribute is made from a source's columns.

    ``standardise`` makes one of a multi-valued attribute's values, ``alone`` the whole attribute from its only text,
    which ``separate`` parts, if the source has a separator. ``listed`` are the placeholders that the rules name.
    ``fills`` are (part, position of the attribute to fill). ``country`` is the position of the attribute that says
    of which country the record is, and ``of_country`` gives the step for one (``None``: this one).
    """

    type_name: str
    options: FrozenOptions
    columns: tuple[str, ...]
    multi: bool
    fills: tuple[tuple[str, int], ...]
    listed: tuple[PlaceholderList, ...]
    separate: Separate | None
    standardise: TextStandardiser
    alone: TextStandardiser
    country: int = NO_COUNTRY
    of_country: Callable[[str], RecordStep | None] = lambda _: None

    def is_placeholder(self, text: str) -> bool:
        """Return whether a delivered text counts as absent by itself."""
        return is_placeholder(self.type_name, text) or (bool(self.listed) and is_listed_text(self.listed, text))


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """The steps of a rule set's attributes: of each declared source with ways of its own, and of all others.

    ``national`` are the positions of the attributes that are read by the record's own country, ``filling`` of those
    that fill others.
    """

    by_source: Mapping[str, tuple[RecordStep, ...]]
    by_name: tuple[RecordStep, ...]
    filling: tuple[int, ...]
    national: tuple[int, ...]

    def steps_of(self, source: str) -> tuple[RecordStep, ...]:
        """Return the steps of a source, by its name."""
        return self.by_source.get(source, self.by_name)


def _make_plan(rules: Ruleset) -> RecordPlan:
    made: dict[tuple[int, FrozenOptions], RecordStep] = {}

    def step(position: int, source: Source | None) -> RecordStep:
        attribute = rules.attributes[position]
        own = {} if source is None else source.options.get(attribute.name, {})
        options = {**attribute.options, **own}
        key = position, tuple(sorted(options.items()))
        if key not in made:
            made[key] = _make_step(rules, position, options)
        if source is None or not source.columns:
            return made[key]
        return replace(made[key], columns=source.columns.get(attribute.name, ()))

    positions = range(len(rules.attributes))
    by_name = tuple(step(position, None) for position in positions)
    return RecordPlan(
        by_source={
            name: tuple(step(position, source) for position in positions)
            for name, source in rules.sources.items()
            if source.columns or source.options
        },
        by_name=by_name,
        filling=tuple(position for position, attribute in enumerate(rules.attributes) if attribute.fills),
        national=tuple(position for position in positions if by_name[position].country != NO_COUNTRY),
    )


record_plan = PerRuleset(_make_plan)
"""The plan of a rule set."""


def _make_step(rules: Ruleset, position: int, options: Options) -> RecordStep:
    attribute = rules.attributes[position]
    frozen = freeze_options(attribute.type, options)
    listed = tuple(each for each in rules.placeholders if position in each.attributes)
    separate = separate_by(str(options.get("separators", "")))
    standardise = _checked(attribute, text_standardiser(attribute.type, frozen), listed)
    plain = standardise is text_standardiser(attribute.type, frozen)
    standardise = standardise if plain else remembering(standardise)
    alone = _alone(attribute, separate, standardise)
    step = RecordStep(
        type_name=attribute.type,
        options=frozen,
        columns=(attribute.name,),
        multi=attribute.multi,
        fills=tuple((part, rules.index_of(target)) for part, target in attribute.fills.items()),
        listed=listed,
        separate=separate,
        standardise=standardise,
        alone=standardise if alone is standardise else remembering(alone),
    )
    if attribute.country is None:
        return step
    return replace(step, country=rules.index_of(attribute.country), of_country=_by_country(attribute, options, step))


def _by_country(attribute: Attribute, options: Options, step: RecordStep) -> Callable[[str], RecordStep | None]:
    """Return what gives the step for a country. All countries share two memories, as large as those of one step."""
    steps: dict[str, RecordStep | None] = {}
    one: dict[str, TextStandardiser] = {}
    whole: dict[str, TextStandardiser] = {}
    read_one = _remembering_by_country(one)
    read_whole = _remembering_by_country(whole)

    def of_country(country: str) -> RecordStep | None:
        if country not in steps:
            national = in_country(attribute.type, options, country)
            if national is None:
                return steps.setdefault(country, None)
            frozen = freeze_options(attribute.type, national)
            one[country] = _checked(attribute, plain_standardiser(attribute.type, frozen), step.listed)
            standardise = partial(read_one, country)
            whole[country] = _alone(attribute, step.separate, standardise)
            steps[country] = replace(
                step, options=frozen, standardise=standardise, alone=partial(read_whole, country), of_country=_same
            )
        return steps[country]

    return of_country


def _same(_country: str) -> RecordStep | None:
    return None


def _remembering_by_country(readers: Mapping[str, TextStandardiser]) -> Callable[[str, str], Standardised]:
    cached = remembered(CACHED_VALUES_MAX)(lambda country, text: readers[country](text))

    def look_up(country: str, text: str) -> Standardised:
        return cached(country, text) if len(text) <= CACHED_TEXT_LENGTH_MAX else readers[country](text)

    return look_up


def _checked(
    attribute: Attribute, standardise: TextStandardiser, listed: tuple[PlaceholderList, ...]
) -> TextStandardiser:
    """Return a standardiser that also knows the attribute's placeholders and pattern; the same if it has none."""
    if listed:
        standardise = without_listed(standardise, listed)
    return standardise if attribute.pattern is None else _with_pattern(standardise, compile_pattern(attribute.pattern))


def _with_pattern(standardise: TextStandardiser, matches: WholeMatch) -> TextStandardiser:
    def checked(text: str) -> Standardised:
        result = standardise(text)
        if not isinstance(result.value, str):
            return result
        if len(result.value) <= MATCH_LENGTH_MAX and matches(result.value):
            return result
        return Standardised(result.value, result.match, valid=False)

    return checked


def _alone(attribute: Attribute, separate: Separate | None, standardise: TextStandardiser) -> TextStandardiser:
    """Return what makes the whole attribute from its only text."""
    if attribute.multi:
        if separate is None:
            return lambda text: read_multi(standardise, [text])
        return lambda text: read_multi(standardise, separate(text))
    return standardise if separate is None else lambda text: read_first(standardise, separate(text))


def read_first(standardise: TextStandardiser, texts: Iterable[str]) -> Standardised:
    """Return the first usable of some texts."""
    return next((result for text in texts if (result := standardise(text)) is not MISSING), MISSING)


def read_multi(standardise: TextStandardiser, texts: Iterable[str]) -> Standardised:
    """Return the values of a multi-valued attribute that some texts give."""
    read: Collection[str] = dict.fromkeys(texts)
    if len(read) > TEXTS_READ_MAX:
        read = sorted(read)[:TEXTS_READ_MAX]
    results = [result for text in read if (result := standardise(text)) is not MISSING]
    if len(results) == 1:
        return _tuples(results)
    by_match: dict[str | tuple[str], Standardised] = {}
    for result in results:
        # Values without a match are told apart by themselves; the 1-tuple keeps them off the matches.
        key = str(result.match) if result.match is not None else (str(result.value),)
        known = by_match.get(key)
        if known is None or (not result.valid, str(result.value)) < (not known.valid, str(known.value)):
            by_match[key] = result
    if not by_match:
        return MISSING
    return _tuples(sorted(by_match.values(), key=_match_order)[:MULTI_VALUES_MAX])


def _tuples(kept: list[Standardised]) -> Standardised:
    matches = tuple(str(item.match) for item in kept if item.match is not None)
    invalid = tuple(position for position, item in enumerate(kept) if not item.valid)
    valid = len(invalid) < len(kept)
    return Standardised(tuple(str(item.value) for item in kept), matches or None, valid, invalid if valid else ())


def _match_order(item: Standardised) -> tuple[bool, str, str]:
    return item.match is None, str(item.match), str(item.value)
