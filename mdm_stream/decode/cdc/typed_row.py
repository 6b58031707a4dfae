"""A Debezium row as its schema says: the columns that the rules use, each as what it means; and what is unavailable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mdm_stream.contracts.change import INTEGER_MAX, INTEGER_MIN, ValueProblemError
from mdm_stream.decode.cdc.semantic_types import is_semantic, meant
from mdm_stream.decode.column_values import integer_of
from mdm_stream.decode.reasons import REASONS_MAX
from mdm_stream.decode.sources import Route
from mdm_stream.errors import Reason, RejectedEventError

_PLAIN = frozenset({str, int, float, bool, type(None)})


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
    if not schemas and _says_nothing_more(row, route.unavailable.texts):
        return TypedRow(route, row, frozenset())
    return _by_column(route, row, schemas, path)


def _by_column(route: Route, row: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]], path: str) -> TypedRow:
    used, not_logged = route.used, route.unavailable
    columns: dict[str, Any] = {}
    typed, unavailable, reasons = set(), set(), []
    for column, value in row.items():
        if column not in used:
            continue
        schema = schemas.get(column)
        if schema is None and type(value) in _PLAIN and value not in not_logged.texts:
            columns[column] = value  # as most are: nothing says more of it
            continue
        if not_logged.matches(value):
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


def _says_nothing_more(row: Mapping[str, Any], unavailable: frozenset[str]) -> bool:
    """Tell whether all values of a row without schemas mean what they say, as in most: no list, object, placeholder."""
    try:
        return unavailable.isdisjoint(row.values())
    except TypeError:  # a list or an object, which no set can hold
        return False


def _ordering(delivered: Any, meaning: Any) -> Any:
    """Return the value of the column that orders rows: as it was delivered if that is a number, else as it is meant."""
    if isinstance(delivered, int):
        return delivered
    number = None if delivered == meaning else integer_of(meaning)
    return meaning if number is None or not INTEGER_MIN <= number <= INTEGER_MAX else number
