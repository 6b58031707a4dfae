"""What authored settings are made of: names, texts, conditions, strategies, durations, sizes, shares."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema


def as_list(value: object) -> object:
    """Let one item stand for a list of one."""
    return (value,) if isinstance(value, str) else value


def _as_strategies(value: object) -> object:
    """Let one strategy, a name or one with its options, stand for a list of one."""
    return (value,) if isinstance(value, str) or (isinstance(value, dict) and value) else value


WHEN_SCHEMA = {
    "description": "A kind (exact, null, else ...), {kind: threshold}, or {attribute: kind or {kind: threshold}}; "
    "of several all must hold.",
    "anyOf": [{"type": "string"}, {"type": "null"}, {"type": "object", "minProperties": 1}],
}
STRATEGY_SCHEMA = {
    "description": "A strategy's name, or {name: {option: value}}.",
    "anyOf": [{"type": "string"}, {"type": "object", "minProperties": 1, "maxProperties": 1}],
}
_NAMES_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
_TEXTS_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}

Names = Annotated[
    tuple[str, ...], BeforeValidator(as_list), Field(min_length=1), WithJsonSchema(_NAMES_SCHEMA, mode="validation")
]
Texts = Annotated[tuple[str, ...], BeforeValidator(as_list), WithJsonSchema(_TEXTS_SCHEMA, mode="validation")]
"""One text, or a list of them that may be empty."""

When = Annotated[Any, WithJsonSchema(WHEN_SCHEMA)]
"""One condition; its grammar is read by :mod:`mdm_stream.rules.conditions`."""

StrategyEntry = Annotated[Any, WithJsonSchema(STRATEGY_SCHEMA)]
Strategies = Annotated[
    tuple[StrategyEntry, ...],
    BeforeValidator(_as_strategies),
    Field(min_length=1),
    WithJsonSchema(
        {"anyOf": [STRATEGY_SCHEMA, {"type": "array", "items": STRATEGY_SCHEMA, "minItems": 1}]}, mode="validation"
    ),
]
"""One strategy, or a list of them."""
Option = Annotated[Any, WithJsonSchema({"type": ["string", "number", "boolean"]})]
Probability = Annotated[float, Field(gt=0.0, lt=1.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


DURATION_PATTERN = "([0-9]{1,6})([smhdy])"
Duration = Annotated[str, Field(pattern=f"^{DURATION_PATTERN}$")]
"""A number and its unit: seconds, minutes, hours, days or years of 365 days."""
SIZE_PATTERN = "([0-9]{1,6})(kB|MB|GB|TB)"
Size = Annotated[str, Field(pattern=f"^{SIZE_PATTERN}$")]
"""A number and its unit, a power of 1,000 bytes."""
DAY_PATTERN = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
Day = Annotated[str, Field(pattern=DAY_PATTERN)]
