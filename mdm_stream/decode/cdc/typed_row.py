"""A Debezium row as its schema says: the columns that the rules use, each as what it means; and what is unavailable."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from mdm_stream.contracts.change import INTEGER_MAX, INTEGER_MIN, ValueProblemError
from mdm_stream.decode.cdc.semantic_types import is_semantic, meant
from mdm_stream.decode.column_values import integer_of
from mdm_stream.decode.reasons import REASONS_MAX
from mdm_stream.decode.sources import Route
from mdm_stream.errors import Reason, RejectedEventError

UNAVAILABLE = "__debezium_unavailable_value"
"""Stands for a large value that an update left as it was, so that the database did not log it."""
_BYTES = UNAVAILABLE.encode()
_PLAIN = frozenset({str, int, float, bool, type(None)})
_UNAVAILABLE_TEXTS = frozenset({UNAVAILABLE, base64.b64encode(_BYTES).decode(), _BYTES.hex()})
_UNAVAILABLE_LISTS: tuple[Any, ...] = (
    list(_BYTES),
    [str(UUID(bytes=hashlib.md5(_BYTES, usedforsecurity=False).digest(), version=3))],
    *[[text] for text in sorted(_UNAVAILABLE_TEXTS)],
)


@dataclass(frozen=True, slots=True)
class TypedRow:
    """The columns of a row, those that the rules use at least, and its route.

    The route asks the rules of no column that a schema tells.
    """

    route: Route
    columns: Mapping[str, Any]
    unavailable: frozenset[str]


def typed_row(route: Route, row: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]], path: str) -> TypedRow:
    """Return the columns of a row that the rules use, each as what it means.

    ``schemas`` are those of the columns, as far as there are any. A column that orders the rows stays a number, if it
    is one. ``RejectedEventError`` lists the values that no attribute can hold.
    """
    if not schemas and _says_nothing_more(row):
        return TypedRow(route, row, frozenset())
    return _by_column(route, row, schemas, path)


def _by_column(route: Route, row: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]], path: str) -> TypedRow:
    used = route.used
    columns: dict[str, Any] = {}
    typed, unavailable, reasons = set(), set(), []
    for column, value in row.items():
        if column not in used:
            continue
        schema = schemas.get(column)
        if schema is None and type(value) in _PLAIN and value not in _UNAVAILABLE_TEXTS:
            columns[column] = value  # as most are: nothing says more of it
            continue
        if is_unavailable(value):
            unavailable.add(column)
            columns[column] = None
            continue
        if is_semantic(schema):
            typed.add(column)
        try:
            columns[column] = meant(value, schema)
        except ValueProblemError as problem:
            reasons.append(Reason(problem.code, f"{path}.{column}", str(problem)))
        if column == route.source.version:
            columns[column] = _ordering(value, columns.get(column))
    if reasons:
        raise RejectedEventError(tuple(sorted(reasons, key=lambda reason: reason.path)[:REASONS_MAX]))
    if not typed.isdisjoint(route.readers):
        route = replace(route, readers={name: read for name, read in route.readers.items() if name not in typed})
    return TypedRow(route, columns, frozenset(unavailable))


def _says_nothing_more(row: Mapping[str, Any]) -> bool:
    """Tell whether all values of a row without schemas mean what they say, as in most: no list, object, placeholder."""
    try:
        return _UNAVAILABLE_TEXTS.isdisjoint(row.values())
    except TypeError:  # a list or an object, which no set can hold
        return False


def is_unavailable(value: object) -> bool:
    """Return whether a value is the placeholder for one that was not logged, in any form that Debezium gives it.

    A text has it as it is, bytes in base64 or hex; an array of texts or of bytes holds it alone, one of numbers has its
    bytes, one of UUIDs the UUID that is made from it; a map has it as its one key.
    """
    if isinstance(value, str):
        return value in _UNAVAILABLE_TEXTS
    if isinstance(value, list):
        return value in _UNAVAILABLE_LISTS
    return isinstance(value, dict) and len(value) == 1 and UNAVAILABLE in value


def _ordering(delivered: Any, meaning: Any) -> Any:
    """Return the value of the column that orders rows: as it was delivered if that is a number, else as it is meant."""
    if isinstance(delivered, int):
        return delivered
    number = None if delivered == meaning else integer_of(meaning)
    return meaning if number is None or not INTEGER_MIN <= number <= INTEGER_MAX else number
