"""MongoDB documents in Debezium events: extended JSON, as a text, to a row of columns.

A column is a field, or the path to one with dots between: ``address.city``. A path through a list of documents gives
the list of their values. Both the strict and the relaxed form of extended JSON are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from mdm_stream.contracts.change import LIST_ITEMS_MAX
from mdm_stream.core.written_numbers import WrittenNumber
from mdm_stream.decode.column_values import MILLIS, bytes_of, integer_of, timestamp_of
from mdm_stream.decode.json_object import parse_object
from mdm_stream.decode.reasons import rejection
from mdm_stream.errors import RejectedEventError

_UUID_KINDS = frozenset({"04", "4"})
"""The subtypes of bytes that are a UUID; of the old ones, 03, each driver has another order."""


def document_of(image: object, path: str) -> dict[str, Any]:
    """Return the document of an event's image, a text as a rule; ``RejectedEventError`` if it is none."""
    if isinstance(image, dict):
        return image
    if not isinstance(image, str):
        raise rejection("wrong_type", path, "must be the JSON text of a document")
    try:
        return parse_object(image.encode())
    except RejectedEventError as error:
        reason = error.reasons[0]
        raise rejection(reason.code, path, f"is the text of a document that {reason.message}") from None  # type: ignore[arg-type]


def row_of(document: Mapping[str, Any], columns: Iterable[str]) -> dict[str, Any]:
    """Return the columns that a document has, each as what its extended JSON means."""
    row = {}
    for column in columns:
        if column in document:
            row[column] = plain(document[column])
        elif "." in column:
            found, value = _at(document, column.split("."))
            if found:
                row[column] = value
    return row


def _at(document: Mapping[str, Any], path: list[str]) -> tuple[bool, object]:
    """Return whether a path leads somewhere, and to what."""
    places: list[Any] = [document]
    listed = False
    for name in path:
        places = [place[name] for place in places if isinstance(place, dict) and name in place]
        if any(isinstance(place, list) for place in places):
            listed = True
            places = [each for place in places for each in (place if isinstance(place, list) else [place])]
        places = places[: LIST_ITEMS_MAX + 1]
    values = [plain(place) for place in places]
    if listed:
        return bool(values), values
    return bool(values), values[0] if values else None


def plain(value: Any) -> object:
    """Return a value of extended JSON as what it means; a document inside a document stays one."""
    if isinstance(value, dict):
        mark = next((name for name in value if name in _EXTENDED), None)
        return value if mark is None else _EXTENDED[mark](value[mark], value)
    if isinstance(value, list):
        return [plain(item) for item in value[: LIST_ITEMS_MAX + 1]] if _is_flat(value) else value
    if isinstance(value, WrittenNumber):  # a double, as every number is that has neither a mark nor 64 bits
        digits = value.plain
        return value if digits is None else WrittenNumber(digits)
    return value


def _is_flat(items: list[Any]) -> bool:
    return not any(isinstance(item, list) for item in items)


def _integer(value: Any, _: object) -> object:
    number = integer_of(value)
    return value if number is None else number


def _same(value: Any, _: object) -> object:
    return value


def _date(value: Any, _: object) -> object:
    if isinstance(value, dict):
        value = value.get("$numberLong")
    elif isinstance(value, str):
        return value
    count = integer_of(value)
    return value if count is None else f"{timestamp_of(count, MILLIS)}Z"


def _timestamp(value: Any, _: object) -> object:
    count = integer_of(value.get("t")) if isinstance(value, dict) else None
    return value if count is None else f"{timestamp_of(count, 1)}Z"


def _binary(value: Any, whole: Mapping[str, Any]) -> object:
    """Return bytes as base64, and those that say that they are a UUID as one."""
    text, kind = (value.get("base64"), value.get("subType")) if isinstance(value, dict) else (value, whole.get("$type"))
    content = bytes_of(text) if isinstance(text, str) else None
    is_uuid = content is not None and len(content) == 16 and isinstance(kind, str) and kind in _UUID_KINDS
    return str(UUID(bytes=content)) if is_uuid else text


def _nothing(_: Any, __: object) -> object:
    return None


_EXTENDED: Mapping[str, Callable[[Any, Mapping[str, Any]], object]] = {
    "$oid": _same,
    "$numberInt": _integer,
    "$numberLong": _integer,
    "$numberDouble": _same,
    "$numberDecimal": _same,
    "$date": _date,
    "$timestamp": _timestamp,
    "$binary": _binary,
    "$uuid": _same,
    "$symbol": _same,
    "$code": _same,
    "$undefined": _nothing,
    "$minKey": _nothing,
    "$maxKey": _nothing,
}
