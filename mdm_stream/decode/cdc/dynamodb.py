"""Changes of items of a DynamoDB table, from a Kinesis data stream of the table or from its DynamoDB stream.

Both have the changed item in DynamoDB's typed JSON. By way of Kinesis a record names its table and when the change was
made, in milliseconds or, if ``ApproximateCreationDateTimePrecision`` says so, microseconds. A DynamoDB stream has the
ARN of the table's stream, a sequence number, and the time in seconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from mdm_stream.contracts.change import INTEGER_MAX, INTEGER_MIN
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.times import TIME_US_MAX, parse_time_us
from mdm_stream.decode.cdc.row_positions import ItemOp, dynamodb_position
from mdm_stream.decode.cdc.table_row import checked_time_us, delete_events, write_events
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.sources import Route, SourceCatalogue

MARKS = frozenset({"dynamodb"})
_OPS = frozenset({"INSERT", "MODIFY", "REMOVE"})
_MICROSECONDS = {"MILLISECOND": 1_000, "MICROSECOND": 1}
_MILLISECONDS_FROM, _MICROSECONDS_FROM = 10**11, 10**14
"""From 1973 on the three units of epoch time do not overlap."""
_CREATED = "ApproximateCreationDateTime"
_TABLE_OF_ARN = re.compile(r":table/([A-Za-z0-9_.-]{1,255})(?:/|\Z)")
_NUMBER = re.compile(r"-?[0-9]{1,200}(?:\.[0-9]{1,200})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
"""What DynamoDB holds: 38 digits, and exponents of up to three."""
_INTEGER_CHARS_MAX = 20
_PATH_STEPS_MAX = 32
"""DynamoDB nests maps so deep."""
_NOTHING: Mapping[str, Any] = {}


def is_dynamodb(event: Mapping[str, Any]) -> bool:
    """Tell whether an object has the marks of a change of an item."""
    return isinstance(event.get("dynamodb"), dict) and "eventName" in event


def has_own_time(event: Mapping[str, Any]) -> bool:
    """Tell whether a change brings its time. Its version is that time, or its sequence number."""
    change = event.get("dynamodb")
    return isinstance(change, dict) and change.get(_CREATED) is not None


def decode_dynamodb(
    event: Mapping[str, Any], delivery: Delivery, catalogue: SourceCatalogue
) -> tuple[ChangeEvent, ...]:
    """Return the one change that a record says. An item that expired was removed like any other."""
    change, op = event["dynamodb"], event["eventName"]
    if not (isinstance(op, str) and op in _OPS):
        raise rejection("unknown_value", "eventName", "must be one of INSERT, MODIFY, REMOVE")
    route = catalogue.by_table("dynamodb", _table(event))
    created_us = _created_us(change)
    position = dynamodb_position(change, created_us, cast("ItemOp", op)) if route.source.version is None else ""
    time_us = delivery.arrival_time_us if created_us is None else created_us
    keys = _image(change, "Keys", required=True)
    image = _image(change, "OldImage", required=False) if op == "REMOVE" else _image(change, "NewImage", required=True)
    item = {**image, **keys}
    path = "dynamodb.OldImage" if op == "REMOVE" else "dynamodb.NewImage"
    if op == "REMOVE":
        # Nothing else of what was removed counts, so nothing else of it can be wrong.
        row = _row(item, route, frozenset((*route.source.key, route.source.version)), path)
        return delete_events(
            route, row, position=position, event_time_us=time_us, delivery=delivery, path="dynamodb.Keys"
        )
    row = _row(item, route, route.used or route.columns, path)
    return write_events(route, row, None, position=position, event_time_us=time_us, delivery=delivery, path=path)


def _table(event: Mapping[str, Any]) -> str:
    name, arn = event.get("tableName"), event.get("eventSourceARN")
    if isinstance(name, str) and name:
        return name
    match = _TABLE_OF_ARN.search(arn) if isinstance(arn, str) else None
    if match is None:
        raise rejection("missing", "tableName", "(or eventSourceARN) is required: it tells which source the item is of")
    return match[1]


def _image(change: Mapping[str, Any], name: str, *, required: bool) -> Mapping[str, Any]:
    image = change.get(name)
    if isinstance(image, dict):
        return image
    if image is not None:
        raise rejection("wrong_type", f"dynamodb.{name}", "must be an object: attributes and their typed values")
    if not required:
        return _NOTHING
    raise rejection(
        "missing", f"dynamodb.{name}", "is required; let the table's stream show NEW_IMAGE or NEW_AND_OLD_IMAGES"
    )


def _created_us(change: Mapping[str, Any]) -> int | None:
    """Return when a change was made, in microseconds; without a precision the size of the number says its unit."""
    path, value = f"dynamodb.{_CREATED}", change.get(_CREATED)
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return parse_time_us(value)
        except ValueError as error:
            raise rejection("wrong_format", path, f"is {error}") from None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise rejection("wrong_type", path, "must be a number since 1970, or an RFC 3339 text")
    if abs(value) > TIME_US_MAX:
        raise rejection("out_of_range", path, "is a time outside the years 1 to 9999")
    precision = change.get("ApproximateCreationDateTimePrecision")
    if precision is None:
        unit = 1_000_000 if abs(value) < _MILLISECONDS_FROM else 1_000 if abs(value) < _MICROSECONDS_FROM else 1
    elif isinstance(precision, str) and precision in _MICROSECONDS:
        unit = _MICROSECONDS[precision]
    else:
        raise rejection(
            "unknown_value", "dynamodb.ApproximateCreationDateTimePrecision", "must be MILLISECOND or MICROSECOND"
        )
    return checked_time_us(value * unit if isinstance(value, int) else math.floor(value * unit + 0.5), path)


def _row(item: Mapping[str, Any], route: Route, columns: frozenset[str | None], path: str) -> dict[str, Any]:
    """Return the columns that are asked for, of those that the item has, with plain values.

    ``address.city`` is the member of a map, unless the item has an attribute of that very name.
    """
    row: dict[str, Any] = {}
    for column, typed in item.items():
        if column not in columns:
            continue
        text = typed.get("S") if type(typed) is dict and len(typed) == 1 else None
        row[column] = text if type(text) is str else _plain(typed, f"{path}.{column}")
    for column in route.nested:
        if column in columns and column not in item:
            found, typed = _inside(item, column)
            if found:
                row[column] = _plain(typed, f"{path}.{column}")
    return row


def _inside(item: Mapping[str, Any], column: str) -> tuple[bool, object]:
    steps = column.split(".", _PATH_STEPS_MAX)
    inside: object = item
    for place, step in enumerate(steps):
        if place:
            inside = inside.get("M") if isinstance(inside, dict) else None
        if not isinstance(inside, dict) or step not in inside:
            return False, None
        inside = inside[step]
    return True, inside


def _plain(typed: object, path: str) -> object:
    """Return a typed value as a plain one: a list or a set as a list, a map as an object (which is no attribute)."""
    kind, value = _kind_of(typed, path)
    if kind == "L":
        if isinstance(value, list):
            return [_scalar(*_kind_of(each, path), path) for each in value]
    elif kind in ("SS", "NS", "BS"):
        if isinstance(value, list):
            return [_scalar(kind[0], each, path) for each in value]
    else:
        return _scalar(kind, value, path)
    raise _no_value(path)


def _kind_of(typed: object, path: str) -> tuple[str, object]:
    if not isinstance(typed, dict) or len(typed) != 1:
        raise _no_value(path)
    return next(iter(typed.items()))


def _scalar(kind: str, value: object, path: str) -> object:
    if kind == "NULL":
        return None
    if kind == "N" and isinstance(value, str):
        return _number(value, path)
    if (kind in ("S", "B") and isinstance(value, str)) or (kind == "BOOL" and isinstance(value, bool)):
        return value
    if kind in ("M", "L", "SS", "NS", "BS"):
        return {}
    raise _no_value(path)


def _number(text: str, path: str) -> int | str:
    """Return a number with all its digits: an integer if 64 bits hold it, else a text, written out."""
    if _NUMBER.fullmatch(text) is None:
        raise rejection("wrong_format", path, "is of type N, and must be the text of a number")
    if len(text) <= _INTEGER_CHARS_MAX and text.lstrip("-").isdigit():
        number = int(text)
        return number if INTEGER_MIN <= number <= INTEGER_MAX and str(number) == text else text
    return format(Decimal(text), "f") if "e" in text or "E" in text else text


def _no_value(path: str) -> Exception:
    return rejection("wrong_type", path, 'must be a typed value of DynamoDB, such as {"S": "text"}')
