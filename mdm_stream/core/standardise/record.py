"""A source record's columns to the standardised attributes of its domain."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from mdm_stream.core.model import MISSING, Scalar, Standardised, Value
from mdm_stream.core.ruleset import Attribute, Ruleset
from mdm_stream.core.standardise.registry import (
    FrozenOptions,
    freeze_options,
    is_placeholder,
    split_text,
    standardise_text_as,
)
from mdm_stream.core.standardise.text import MATCH_LENGTH_MAX

MULTI_VALUES_MAX = 64
"""Values that a multi-valued attribute keeps, the first by match: comparisons look at every pair of them."""

_PLANS_MAX = 64
_INTEGER_BITS_MAX = 1024


@dataclass(frozen=True, slots=True)
class _Step:
    """How one attribute is made from a source's columns. ``fills`` are (part, position of the attribute to fill)."""

    type_name: str
    options: FrozenOptions
    columns: tuple[str, ...]
    pattern: re.Pattern[str] | None
    multi: bool
    fills: tuple[tuple[str, int], ...]

    def standardise(self, text: str) -> Standardised:
        result = standardise_text_as(self.type_name, self.options, text)
        if self.pattern is None or not isinstance(result.value, str):
            return result
        if len(result.value) <= MATCH_LENGTH_MAX and self.pattern.fullmatch(result.value):
            return result
        return Standardised(result.value, result.match, valid=False)


class _ByIdentity:
    """Makes a rule set, which holds mappings, a cache key. The cache keeps it alive, so its id is not given again."""

    __slots__ = ("rules",)

    def __init__(self, rules: Ruleset) -> None:
        self.rules = rules

    def __hash__(self) -> int:
        return id(self.rules)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and other.rules is self.rules


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
    plan = _plan(_ByIdentity(rules), source)
    result = [_standardise_attribute(step, columns) for step in plan]
    for position, step in enumerate(plan):
        if step.fills and result[position] is not MISSING:
            _fill(plan, result, position)
    return tuple(result)


@lru_cache(maxsize=_PLANS_MAX)
def _plan(key: _ByIdentity, source: str) -> tuple[_Step, ...]:
    rules = key.rules
    declared = rules.sources.get(source)
    mapping = declared.columns if declared else {}
    return tuple(_step(rules, attribute, mapping) for attribute in rules.attributes)


def _step(rules: Ruleset, attribute: Attribute, mapping: Mapping[str, tuple[str, ...]]) -> _Step:
    return _Step(
        type_name=attribute.type,
        options=freeze_options(attribute.type, attribute.options),
        columns=mapping.get(attribute.name, ()) if mapping else (attribute.name,),
        pattern=re.compile(attribute.pattern) if attribute.pattern is not None else None,
        multi=attribute.multi,
        fills=tuple((part, rules.index_of(target)) for part, target in attribute.fills.items()),
    )


def _standardise_attribute(step: _Step, columns: Mapping[str, Value]) -> Standardised:
    if step.multi:
        return _multi(step, [text for name in step.columns for text in _texts(columns.get(name))])
    if len(step.columns) == 1:
        value = columns.get(step.columns[0])
        if value is None:
            return MISSING
        if isinstance(value, str):
            return step.standardise(value)
        found = (step.standardise(text) for text in _texts(value))
        return next((result for result in found if result is not MISSING), MISSING)
    present = (_first_usable(step, columns.get(name)) for name in step.columns)
    return step.standardise(" ".join(text for text in present if text is not None))


def _first_usable(step: _Step, value: Value) -> str | None:
    return next((text for text in _texts(value) if not is_placeholder(step.type_name, text)), None)


def _multi(step: _Step, texts: Iterable[str]) -> Standardised:
    results = [result for text in texts if (result := step.standardise(text)) is not MISSING]
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
    return Standardised(
        value=tuple(str(item.value) for item in kept),
        match=matches or None,
        valid=any(item.valid for item in kept),
    )


def _match_order(item: Standardised) -> tuple[bool, str, str]:
    return item.match is None, str(item.match), str(item.value)


def _fill(plan: tuple[_Step, ...], result: list[Standardised], position: int) -> None:
    """Give the parts of the attribute at ``position`` to the attributes that it fills and that have no value."""
    step, value = plan[position], result[position].value
    whole = value if isinstance(value, str) else (value or ("",))[0]
    parts = split_text(step.type_name, step.options, whole)
    for part, target in step.fills:
        if result[target] is MISSING and part in parts:
            filled = plan[target]
            result[target] = _multi(filled, [parts[part]]) if filled.multi else filled.standardise(parts[part])


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
