"""Debezium change events, plain or wrapped as ``{"schema", "payload"}``, of any connector that captures table rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from mdm_stream.core.model import ChangeEvent
from mdm_stream.decode.cdc.positions import DELETE, SNAPSHOT, WRITE, debezium_position
from mdm_stream.decode.cdc.table_row import checked_time_us, delete_events, write_events
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.sources import Route, SourceCatalogue

UNAVAILABLE = "__debezium_unavailable_value"
"""Stands for a large value that an update left as it was, so that the database did not log it."""
_UNAVAILABLE_VALUES = frozenset({UNAVAILABLE, "X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="})
_HEARTBEAT_MEMBERS = frozenset({"ts_ms", "ts_us", "ts_ns"})
_DATE_TYPES = frozenset({"io.debezium.time.Date", "org.apache.kafka.connect.data.Date"})
_FIRST_DAY = date(1970, 1, 1)


def is_debezium(event: Mapping[str, Any]) -> bool:
    """Tell whether an object has the marks of a Debezium message: a change, or one of the messages between them."""
    if "payload" in event:
        return True
    if isinstance(event.get("source"), dict):
        return not event.keys().isdisjoint(("op", "before", "after", "ddl", "tableChanges"))
    return _is_transaction(event) or _is_heartbeat(event)


def has_own_time(event: Mapping[str, Any]) -> bool:
    """Tell whether a message brings its time. Its version is a position of the log."""
    change = _member(event, "payload") if "payload" in event else event
    times_ms = (_member(change, "source").get("ts_ms"), change.get("ts_ms"))
    return any(isinstance(time_ms, int) and time_ms > 0 for time_ms in times_ms)


def decode_debezium(
    event: Mapping[str, Any],
    delivery: Delivery,
    catalogue: SourceCatalogue,
) -> tuple[ChangeEvent, ...]:
    """Return the changes that a message says: none for a heartbeat, transaction mark, schema change, logical message
    or tombstone; two for an update that changed the key of its row (old record deleted, new one written); else one.
    """
    payload, schema = (event["payload"], event.get("schema")) if "payload" in event else (event, None)
    if payload is None:
        return ()
    if not isinstance(payload, dict):
        raise rejection("wrong_type", "payload", "must be an object or null")
    op = payload.get("op")
    if op is None and (_is_heartbeat(payload) or _is_transaction(payload) or _is_schema_change(payload)):
        return ()
    if op == "m":
        return ()
    source = payload.get("source")
    if not isinstance(source, dict):
        raise rejection("missing" if source is None else "wrong_type", "source", "must be an object")
    route = catalogue.by_table("debezium", _table_names(source))
    if op in ("c", "u", "r"):
        return _written(route, payload, source, schema, delivery)
    if op == "d":
        return _deleted(route, payload, source, delivery)
    if op == "t":
        raise rejection("truncate", "op", "says that the table was emptied but not of which rows; reload the source")
    raise rejection("missing" if op is None else "unknown_value", "op", "must be one of c, u, d, r, t, m")


def _written(
    route: Route,
    payload: Mapping[str, Any],
    source: Mapping[str, Any],
    schema: object,
    delivery: Delivery,
) -> tuple[ChangeEvent, ...]:
    row, before = _image(payload, "after"), payload.get("before")
    if before is not None and not isinstance(before, dict):
        raise rejection("wrong_type", "before", "must be an object or null")
    snapshot = payload["op"] == "r" or _is_snapshot(source)
    return write_events(
        route,
        _with_dates(row, schema, route.columns),
        before if payload["op"] == "u" else None,
        position=debezium_position(source, SNAPSHOT if snapshot else WRITE) if route.source.version is None else "",
        event_time_us=_time_us(payload, source, delivery),
        delivery=delivery,
        unavailable=frozenset(column for column, value in row.items() if _is_unavailable(value)),
        path="after",
    )


def _deleted(
    route: Route,
    payload: Mapping[str, Any],
    source: Mapping[str, Any],
    delivery: Delivery,
) -> tuple[ChangeEvent, ...]:
    return delete_events(
        route,
        _image(payload, "before"),
        position=debezium_position(source, DELETE) if route.source.version is None else "",
        event_time_us=_time_us(payload, source, delivery),
        delivery=delivery,
        path="before",
    )


def _image(payload: Mapping[str, Any], name: str) -> dict[str, Any]:
    image = payload.get(name)
    if isinstance(image, dict):
        return image
    raise rejection("missing" if image is None else "wrong_type", name, "must be an object: the row that was changed")


def _table_names(source: Mapping[str, Any]) -> list[str]:
    """Return the names that the rules may call the table by, the most precise one first.

    MySQL has no schema: there the database takes its place.
    """
    table = source.get("table")
    if not isinstance(table, str) or not table:
        raise rejection("missing", "source.table", "is required: it tells which source the row belongs to")
    spaces = [space for space in (source.get("db"), source.get("schema")) if isinstance(space, str) and space]
    return [".".join((*spaces[start:], table)) for start in range(len(spaces) + 1)]


def _time_us(payload: Mapping[str, Any], source: Mapping[str, Any], delivery: Delivery) -> int:
    """Return when the database made the change; if it did not say (0 in old MySQL snapshots), when it was captured."""
    for block, path in ((source, "source.ts_ms"), (payload, "ts_ms")):
        time_ms = block.get("ts_ms")
        if time_ms is None:
            continue
        if not isinstance(time_ms, int) or isinstance(time_ms, bool):
            raise rejection("wrong_type", path, "must be an integer: milliseconds since 1970")
        if time_ms > 0:
            return checked_time_us(time_ms * 1_000, path)
    return delivery.arrival_time_us


def _with_dates(row: dict[str, Any], schema: object, columns: frozenset[str]) -> dict[str, Any]:
    """Return the row with its dates as ISO text where the schema says that a number counts days since 1970.

    Only a wrapped event has a schema. In a plain one a date column arrives as that number, and stays one.
    """
    days = {
        column: row[column]
        for column in _date_columns(schema) & columns
        if isinstance(row.get(column), int) and not isinstance(row[column], bool)
    }
    if not days:
        return row
    try:
        return {**row, **{column: (_FIRST_DAY + timedelta(days=count)).isoformat() for column, count in days.items()}}
    except OverflowError:
        raise rejection("out_of_range", "after", "has a date outside the years 1 to 9999") from None


def _date_columns(schema: object) -> frozenset[str]:
    for image in _fields(schema):
        if image.get("field") == "after":
            return frozenset(str(column.get("field")) for column in _fields(image) if _is_date(column.get("name")))
    return frozenset()


def _is_date(type_name: object) -> bool:
    return isinstance(type_name, str) and type_name in _DATE_TYPES


def _fields(schema: object) -> list[dict[str, Any]]:
    fields = schema.get("fields") if isinstance(schema, dict) else None
    return [field for field in fields if isinstance(field, dict)] if isinstance(fields, list) else []


def _member(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = event.get(name)
    return value if isinstance(value, dict) else {}


def _is_unavailable(value: object) -> bool:
    if isinstance(value, list):
        return len(value) == 1 and isinstance(value[0], str) and value[0] in _UNAVAILABLE_VALUES
    return isinstance(value, str) and value in _UNAVAILABLE_VALUES


def _is_snapshot(source: Mapping[str, Any]) -> bool:
    """Tell whether the row was read by a snapshot: ``true``, ``first``, ``last``, ``incremental`` and their like."""
    return source.get("snapshot") not in (None, False, "false", "")


def _is_heartbeat(event: Mapping[str, Any]) -> bool:
    return bool(event) and event.keys() <= _HEARTBEAT_MEMBERS


def _is_transaction(event: Mapping[str, Any]) -> bool:
    return event.get("status") in ("BEGIN", "END") and isinstance(event.get("id"), str)


def _is_schema_change(event: Mapping[str, Any]) -> bool:
    return "ddl" in event or "tableChanges" in event
