"""What Debezium's schemas say of a value: the name of a Kafka Connect schema tells how its literal is meant.

The names are those of ``io.debezium.time``, ``io.debezium.data`` and ``org.apache.kafka.connect.data``. A schema that
is not named, or by a name that is none of these, says nothing beyond the literal. A literal that is not of the type
that its schema declares (a date that a transform has made a text of) is kept as it was delivered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from mdm_stream.contracts.change import ValueProblemError
from mdm_stream.core.written_numbers import WrittenNumber
from mdm_stream.decode.column_values import (
    MICROS,
    MILLIS,
    NANOS,
    bits_of,
    date_of,
    decimal_of,
    duration_of,
    integer_of,
    time_of,
    timestamp_of,
)

Schema = Mapping[str, Any]
_Meaning = Callable[[Any, Schema], object]

_TIME, _DATA, _CONNECT = "io.debezium.time.", "io.debezium.data.", "org.apache.kafka.connect.data."
_LENGTH_DIGITS_MAX = 6
_ZONE_OF_DATE = re.compile(r"(?<=-[0-9]{2})(?:Z|[+-][0-9]{2}:[0-9]{2})$")


def _count(read: Callable[[int], object]) -> _Meaning:
    """Return the meaning of an integer that counts something; other literals mean what they say."""

    def meaning(value: Any, _: Schema) -> object:
        count = None if isinstance(value, str) else integer_of(value)
        return value if count is None else read(count)

    return meaning


def _text(value: Any, _: Schema) -> object:
    return value


def _iso_date(value: Any, _: Schema) -> object:
    return _ZONE_OF_DATE.sub("", value) if isinstance(value, str) else value


def _decimal(value: Any, schema: Schema) -> object:
    scale = _parameter(schema, "scale")
    return value if scale is None else _digits(value, scale)


def _variable_decimal(value: Any, _: Schema) -> object:
    if not isinstance(value, dict):
        return value
    scale = value.get("scale")
    return _digits(value.get("value"), scale if isinstance(scale, int) and not isinstance(scale, bool) else 0)


def _digits(value: Any, scale: int) -> object:
    digits = decimal_of(value, scale)
    if digits is None and isinstance(value, str):
        raise ValueProblemError("wrong_format", "is no decimal: expected the bytes of its digits in base64")
    return value if digits is None else digits


def _bits(value: Any, schema: Schema) -> object:
    bits = bits_of(value, _parameter(schema, "length"))
    return value if bits is None else bits


def _refused(what: str) -> _Meaning:
    def meaning(_: Any, __: Schema) -> object:
        raise ValueProblemError(
            "wrong_type", f"is {what}, which no attribute can hold; take the column out of the source's mapping"
        )

    return meaning


_GEOMETRY, _SPARSE = _refused("a geometry"), _refused("a sparse vector")

SEMANTIC_TYPES: Mapping[str, _Meaning] = {
    **{f"{package}Date": _count(date_of) for package in (_TIME, _CONNECT)},
    **{f"{package}Time": _count(partial(time_of, units=MILLIS)) for package in (_TIME, _CONNECT)},
    f"{_TIME}MicroTime": _count(partial(time_of, units=MICROS)),
    f"{_TIME}NanoTime": _count(partial(time_of, units=NANOS)),
    **{f"{package}Timestamp": _count(partial(timestamp_of, units=MILLIS)) for package in (_TIME, _CONNECT)},
    f"{_TIME}MicroTimestamp": _count(partial(timestamp_of, units=MICROS)),
    f"{_TIME}NanoTimestamp": _count(partial(timestamp_of, units=NANOS)),
    f"{_TIME}MicroDuration": _count(partial(duration_of, units=MICROS)),
    f"{_TIME}NanoDuration": _count(partial(duration_of, units=NANOS)),
    f"{_TIME}Year": _count(int),
    f"{_TIME}IsoDate": _iso_date,
    **{f"{_TIME}{name}": _text for name in ("IsoTime", "IsoTimestamp", "ZonedTime", "ZonedTimestamp", "Interval")},
    f"{_CONNECT}Decimal": _decimal,
    f"{_DATA}VariableScaleDecimal": _variable_decimal,
    f"{_DATA}Bits": _bits,
    **{f"{_DATA}{name}": _text for name in ("Enum", "EnumSet", "Json", "Xml", "Uuid", "Ltree", "TsVector")},
    **{f"{_DATA}{name}": _text for name in ("IsoTime", "IsoTimestamp")},  # as old connectors name them
    **{f"{_DATA}{name}": _text for name in ("FloatVector", "DoubleVector")},
    **{f"{_DATA}{name}": _SPARSE for name in ("SparseVector", "SparseDoubleVector")},
    **{f"{_DATA}geometry.{name}": _GEOMETRY for name in ("Point", "Geometry", "Geography")},
}
"""What a value means, by the name of its schema."""


def is_semantic(schema: Schema | None) -> bool:
    """Return whether a schema says what its values mean, or what those of its items do."""
    if schema is None:
        return False
    name, items = schema.get("name"), _items(schema)
    if isinstance(name, str) and name in SEMANTIC_TYPES:
        return True
    return items is not None and isinstance(items.get("name"), str) and items["name"] in SEMANTIC_TYPES


def meant(value: Any, schema: Schema | None) -> object:
    """Return a value as its sender meant it; ``ValueProblemError`` for one that no attribute can hold.

    Without a schema only what tells itself is read: the struct of a decimal, or that of a geometry.
    """
    if value is None:
        return None
    if schema is None:
        return _untold(value)
    name = schema.get("name")
    if isinstance(name, str) and name in SEMANTIC_TYPES:
        return SEMANTIC_TYPES[name](value, schema)
    if isinstance(value, list):
        items = _items(schema)
        return [item if isinstance(item, list) else meant(item, items) for item in value]
    if isinstance(value, WrittenNumber) and schema.get("type") in ("float", "double"):
        return _of_double(value)
    return _untold(value)


def _of_double(number: WrittenNumber) -> object:
    """Return a double's digits; one past 2^53 does not have them, and stays in its notation."""
    digits = number.plain
    return number if digits is None else WrittenNumber(digits)


def _untold(value: Any) -> object:
    if isinstance(value, list):
        return [_untold(item) if isinstance(item, dict) else item for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"scale", "value"}:
        return _variable_decimal(value, {})
    return _GEOMETRY(value, {}) if "wkb" in value else value


def _items(schema: Schema) -> Schema | None:
    """Return the schema of a list's items; that of lists of lists, which no attribute can hold, says nothing."""
    items = schema.get("items")
    return items if isinstance(items, dict) and items.get("type") != "array" else None


def _parameter(schema: Schema, name: str) -> int | None:
    """Return a parameter of a schema, which are texts, as an integer."""
    parameters = schema.get("parameters")
    text = parameters.get(name) if isinstance(parameters, dict) else None
    if not isinstance(text, str) or len(text) > _LENGTH_DIGITS_MAX:
        return None
    return int(text) if text.removeprefix("-").isdecimal() and text.isascii() else None
