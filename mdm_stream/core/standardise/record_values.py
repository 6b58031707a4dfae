"""A source record's columns to the standardised attributes of its domain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

from mdm_stream.core.model import MISSING, Scalar, Standardised, Value
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.standardise.record_plan import NO_COUNTRY, RecordStep, read_first, read_multi, record_plan
from mdm_stream.core.standardise.registry import join_parts, split_text

SURELY_SHORT = 256
"""Characters that no type refuses: reading a whole back costs more than all else of a golden record."""

_INTEGER_BITS_MAX = 1024
_EXACT_FLOAT_MAX = 2.0**53
"""Beyond it not every integer is a double: the last digits of one may have been rounded away."""


def standardise_record(
    rules: Ruleset, source: str, columns: Mapping[str, Value], beside: Sequence[Standardised] = ()
) -> tuple[Standardised, ...]:
    """Return the standardised attributes of one source record, aligned with ``rules.attributes``.

    ``columns`` are as the source delivered them; those that the source's mapping does not name are not looked at. A
    source without a mapping, or that the rules do not declare (steward overrides), is taken to speak of attributes by
    their names: that a source is known is checked where events are decoded.

    An attribute of several columns is their texts joined by one space, absent ones and placeholders left out; a list
    gives a single-valued attribute its first usable item. A multi-valued attribute has its values sorted by match,
    one for each match, then those without a match; it is invalid if all of them are.

    National numbers and postal codes are read as those of the record's own country, if the rules say which attribute
    names it and it is a known one; ``beside`` are the record's values where the columns are only some of its own.
    Total and pure: equal arguments give equal results.
    """
    plan = record_plan(rules)
    steps = plan.steps_of(source)
    result = [
        _standardise_attribute(step, columns, step.columns) if step.columns and step.country == NO_COUNTRY else MISSING
        for step in steps
    ]
    for position in plan.national:
        step = steps[position]
        if step.columns:
            country = (
                result[step.country] if result[step.country] is not MISSING or not beside else beside[step.country]
            )
            result[position] = _standardise_attribute(_in_its_country(step, country), columns, step.columns)
    for position in plan.filling:
        if result[position] is not MISSING:
            _fill(steps, result, position)
    return tuple(result)


def step_of_record(rules: Ruleset, source: str, values: Sequence[Standardised], position: int) -> RecordStep:
    """Return how an attribute of a record was read, of which ``values`` are the standardised ones."""
    step = record_plan(rules).steps_of(source)[position]
    return step if step.country == NO_COUNTRY else _in_its_country(step, values[step.country])


def has_own_value(rules: Ruleset, source: str, columns: Mapping[str, Value], attribute: int) -> bool:
    """Return whether a record's own columns give an attribute a value. If not, another attribute may fill it."""
    step = record_plan(rules).steps_of(source)[attribute]
    return bool(step.columns) and _standardise_attribute(step, columns, step.columns) is not MISSING


def _in_its_country(step: RecordStep, country: Standardised) -> RecordStep:
    """Return the step for a record of a country; the step itself where that says nothing."""
    match = country.match
    if isinstance(match, tuple):
        match = match[0] if len(match) == 1 else None
    return (step.of_country(match.upper()) if match and country.valid else None) or step


def _standardise_attribute(step: RecordStep, columns: Mapping[str, Value], names: tuple[str, ...]) -> Standardised:
    if len(names) == 1:
        value = columns.get(names[0])
        if value is None:
            return MISSING
        if isinstance(value, str):
            return step.alone(value)
        return (read_multi if step.multi else read_first)(step.standardise, _parted(step, value))
    if step.multi:
        return read_multi(step.standardise, [text for name in names for text in _parted(step, columns.get(name))])
    present = [text for name in names if (text := _first_usable(step, columns.get(name))) is not None]
    return step.standardise(" ".join(present)) if present else MISSING


def _first_usable(step: RecordStep, value: Value) -> str | None:
    if value is None:
        return None
    return next((text for text in _parted(step, value) if not step.is_placeholder(text)), None)


def _parted(step: RecordStep, value: Value) -> list[str]:
    """Return the texts of a delivered value, parted where the source has a separator."""
    texts = texts_of(value)
    return texts if step.separate is None else [part for text in texts for part in step.separate(text)]


def _fill(steps: tuple[RecordStep, ...], result: list[Standardised], position: int) -> None:
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


def part_values(
    rules: Ruleset, source: str, position: int, whole: str, targets: Mapping[str, int]
) -> Mapping[str, Standardised]:
    """Return what a source's value of the attribute at ``position`` says of its parts, each as its target reads it.

    ``targets`` are the attributes' positions by part; a part that the value does not have is left out.
    """
    steps = record_plan(rules).steps_of(source)
    said = split_text(steps[position].type_name, steps[position].options, whole)
    return {part: steps[target].alone(said[part]) for part, target in targets.items() if part in said}


def whole_of_parts(rules: Ruleset, source: str, position: int, parts: Mapping[str, str], like: str) -> str:
    """Return the value of the attribute at ``position`` that parts give, as a source has it; see ``TypeSpec.join``."""
    step = record_plan(rules).steps_of(source)[position]
    return join_parts(step.type_name, step.options, parts, like)


def is_valid_whole(rules: Ruleset, source: str, position: int, text: str) -> bool:
    """Return whether a value that was written from valid parts is valid, as a source has it."""
    if rules.attributes[position].pattern is None and len(text) <= SURELY_SHORT:
        return True
    return record_plan(rules).steps_of(source)[position].standardise(text).valid


def texts_of(value: Value) -> list[str]:
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
    if abs(scalar) > _EXACT_FLOAT_MAX:
        return f"{Decimal(repr(scalar)):e}".replace("e", "E")  # what its digits were is lost
    text = f"{Decimal(repr(scalar)):f}"  # the shortest digits that read back the same,
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
