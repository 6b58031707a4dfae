"""A source record's columns to the standardised attributes of its domain."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from mdm_stream.core.model import MISSING, Scalar, Standardised, Value
from mdm_stream.core.per_ruleset import PerRuleset
from mdm_stream.core.ruleset import Attribute, Ruleset
from mdm_stream.core.standardise.patterns import WholeMatch, compile_pattern
from mdm_stream.core.standardise.registry import (
    FrozenOptions,
    TextStandardiser,
    freeze_options,
    is_placeholder,
    remembering,
    split_text,
    text_standardiser,
)
from mdm_stream.core.standardise.text import MATCH_LENGTH_MAX

MULTI_VALUES_MAX = 64
"""Values that a multi-valued attribute keeps, the first by match: comparisons look at every pair of them."""

TEXTS_READ_MAX = 256
"""Texts of a multi-valued attribute that are standardised, the first in their order as texts: four times what is kept.
Reading a phone number costs a tenth of a millisecond, and an event may list a thousand.
"""

_INTEGER_BITS_MAX = 1024


@dataclass(frozen=True, slots=True)
class _RecordStep:
    """How one attribute is made from a source's columns.

    ``standardise`` makes one of a multi-valued attribute's values, ``alone`` the whole attribute from its only text.
    ``fills`` are (part, position of the attribute to fill).
    """

    type_name: str
    options: FrozenOptions
    columns: tuple[str, ...]
    multi: bool
    fills: tuple[tuple[str, int], ...]
    standardise: TextStandardiser
    alone: TextStandardiser


@dataclass(frozen=True, slots=True)
class _RecordPlan:
    """The steps of a rule set's attributes: of each declared source with a mapping, and of all others."""

    by_source: Mapping[str, tuple[_RecordStep, ...]]
    by_name: tuple[_RecordStep, ...]
    filling: tuple[int, ...]


def standardise_record(rules: Ruleset, source: str, columns: Mapping[str, Value]) -> tuple[Standardised, ...]:
    """Return the standardised attributes of one source record, aligned with ``rules.attributes``.

    ``columns`` are as the source delivered them; those that the source's mapping does not name are not looked at. A
    source without a mapping, or that the rules do not declare (steward overrides), is taken to speak of attributes by
    their names: that a source is known is checked where events are decoded.

    An attribute of several columns is their texts joined by one space, absent ones and placeholders left out; a list
    gives a single-valued attribute its first usable item. A multi-valued attribute has its values sorted by match,
    one for each match, then those without a match; it is invalid if all of them are.
    Total and pure: equal arguments give equal results.
    """
    plan = _plan(rules)
    steps = plan.by_source.get(source, plan.by_name)
    result = [_standardise_attribute(step, columns) if step.columns else MISSING for step in steps]
    for position in plan.filling:
        if result[position] is not MISSING:
            _fill(steps, result, position)
    return tuple(result)


def has_own_value(rules: Ruleset, source: str, columns: Mapping[str, Value], attribute: int) -> bool:
    """Return whether a record's own columns give an attribute a value. If not, another attribute may fill it."""
    plan = _plan(rules)
    step = plan.by_source.get(source, plan.by_name)[attribute]
    return bool(step.columns) and _standardise_attribute(step, columns) is not MISSING


def _make_plan(rules: Ruleset) -> _RecordPlan:
    by_name = {attribute.name: _step(rules, attribute) for attribute in rules.attributes}
    by_source = {
        key: tuple(replace(step, columns=source.columns.get(name, ())) for name, step in by_name.items())
        for key, source in rules.sources.items()
        if source.columns
    }
    filling = tuple(position for position, attribute in enumerate(rules.attributes) if attribute.fills)
    return _RecordPlan(by_source, tuple(by_name.values()), filling)


_plan = PerRuleset(_make_plan)


def _step(rules: Ruleset, attribute: Attribute) -> _RecordStep:
    options = freeze_options(attribute.type, attribute.options)
    standardise = text_standardiser(attribute.type, options)
    if attribute.pattern is not None:
        standardise = remembering(_with_pattern(standardise, compile_pattern(attribute.pattern)))
    return _RecordStep(
        type_name=attribute.type,
        options=options,
        columns=(attribute.name,),
        multi=attribute.multi,
        fills=tuple((part, rules.index_of(target)) for part, target in attribute.fills.items()),
        standardise=standardise,
        alone=remembering(lambda text: _multi(standardise, [text])) if attribute.multi else standardise,
    )


def _with_pattern(standardise: TextStandardiser, matches: WholeMatch) -> TextStandardiser:
    def checked(text: str) -> Standardised:
        result = standardise(text)
        if not isinstance(result.value, str):
            return result
        if len(result.value) <= MATCH_LENGTH_MAX and matches(result.value):
            return result
        return Standardised(result.value, result.match, valid=False)

    return checked


def _standardise_attribute(step: _RecordStep, columns: Mapping[str, Value]) -> Standardised:
    if len(step.columns) == 1:
        value = columns.get(step.columns[0])
        if value is None:
            return MISSING
        if isinstance(value, str):
            return step.alone(value)
        if step.multi:
            return _multi(step.standardise, _texts(value))
        found = (step.standardise(text) for text in _texts(value))
        return next((result for result in found if result is not MISSING), MISSING)
    if step.multi:
        return _multi(step.standardise, [text for name in step.columns for text in _texts(columns.get(name))])
    present = [text for name in step.columns if (text := _first_usable(step, columns.get(name))) is not None]
    return step.standardise(" ".join(present)) if present else MISSING


def _first_usable(step: _RecordStep, value: Value) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return None if is_placeholder(step.type_name, value) else value
    return next((text for text in _texts(value) if not is_placeholder(step.type_name, text)), None)


def _multi(standardise: TextStandardiser, texts: Iterable[str]) -> Standardised:
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


def _fill(steps: tuple[_RecordStep, ...], result: list[Standardised], position: int) -> None:
    """Give the parts of the attribute at ``position`` to the attributes that it fills and that have no value.

    Of several values the first valid one is split; if none is valid, the first.
    """
    step, value = steps[position], result[position].value
    invalid = result[position].invalid
    whole = value if isinstance(value, str) else next(text for i, text in enumerate(value or ("",)) if i not in invalid)
    parts = split_text(step.type_name, step.options, whole)
    for part, target in step.fills:
        if result[target] is MISSING and part in parts:
            result[target] = steps[target].alone(parts[part])


def _texts(value: Value) -> list[str]:
    """Return the texts of a delivered value: none of a null, one of a scalar, one of each item of a list."""
    items = value if isinstance(value, tuple | list) else (value,)
    return [text for item in items if (text := _text(item)) is not None]


def _text(scalar: Scalar) -> str | None:
    if scalar is None or isinstance(scalar, str):
        return scalar
    if isinstance(scalar, bool):
        return "true" if scalar else "false"
    if isinstance(scalar, int):
        # Python refuses to write integers of thousands of digits in decimal; one beyond 1,024 bits is no value anyway.
        return str(scalar) if scalar.bit_length() <= _INTEGER_BITS_MAX else None
    if not math.isfinite(scalar):
        return None
    text = f"{Decimal(repr(scalar)):f}"  # the shortest digits that read back the same, never an exponent
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
