"""Rows that Maxwell's daemon reads from the binlog of MySQL: ``{"database", "table", "type", "ts", "data", "old"}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdm_stream.core.model import ChangeEvent
from mdm_stream.decode.cdc.positions import DELETE, WRITE, Rank, dms_load_position, log_place
from mdm_stream.decode.cdc.row_positions import maxwell_position
from mdm_stream.decode.cdc.table_row import checked_time_us, delete_events, write_events
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.sources import Route, SourceCatalogue

MARKS = frozenset({"database"})
_NO_ROWS = frozenset({
    "bootstrap-start", "bootstrap-complete", "database-alter", "database-create", "database-drop", "table-alter",
    "table-create", "table-drop",
})  # fmt: skip
"""Marks of a bootstrap, and statements that change a schema."""
_ROWS = ("insert", "update", "delete", "bootstrap-insert")


def is_maxwell(event: Mapping[str, Any]) -> bool:
    """Tell whether an object has the marks of what Maxwell writes."""
    return isinstance(event.get("database"), str) and isinstance(event.get("type"), str)


def has_own_time(event: Mapping[str, Any]) -> bool:
    """Tell whether a row brings its time. Its version is a position of the log."""
    time_s = event.get("ts")
    return isinstance(time_s, int) and time_s > 0


def decode_maxwell(event: Mapping[str, Any], delivery: Delivery, catalogue: SourceCatalogue) -> tuple[ChangeEvent, ...]:
    """Return the changes that a row says: none for a schema change or the marks of a bootstrap, two for an update that
    changed the key of its row (old record deleted, new one written), else one.
    """
    kind = event["type"]
    if kind in _NO_ROWS:
        return ()
    if kind not in _ROWS:
        raise rejection("unknown_value", "type", f"must be one of {', '.join(_ROWS)}, or say that a schema was changed")
    table = event.get("table")
    if not isinstance(table, str) or not table:
        raise rejection("missing", "table", "is required: it tells which source the row belongs to")
    route = catalogue.by_table("maxwell", event["database"], table)
    row = _row(event)
    time_us = _time_us(event, delivery)
    if kind == "delete":
        return delete_events(
            route,
            row,
            position=_position(route, event, DELETE),
            event_time_us=time_us,
            delivery=delivery,
            path="data",
            place=log_place(event),
        )
    before = event.get("old") if kind == "update" else None
    if before is not None and not isinstance(before, dict):
        raise rejection("wrong_type", "old", "must be an object: what the columns that changed held before")
    return write_events(
        route,
        row,
        before,
        position=dms_load_position(time_us) if kind == "bootstrap-insert" else _position(route, event, WRITE),
        event_time_us=time_us,
        delivery=delivery,
        path="data",
        place=log_place(event),
    )


def _row(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row. A key column that was filtered out of it may stand beside it (``output_primary_keys``)."""
    row = event.get("data")
    if not isinstance(row, dict):
        raise rejection("missing" if row is None else "wrong_type", "data", "must be an object: the row")
    names, values = event.get("primary_key_columns"), event.get("primary_key")
    if not (isinstance(names, list) and isinstance(values, list) and len(names) == len(values)):
        return row
    return {**{name: value for name, value in zip(names, values, strict=True) if isinstance(name, str)}, **row}


def _position(route: Route, event: Mapping[str, Any], rank: Rank) -> str:
    return maxwell_position(event, rank) if route.source.version is None else ""


def _time_us(event: Mapping[str, Any], delivery: Delivery) -> int:
    """Return when the change was made, which Maxwell says in seconds; if it does not say so, when it arrived."""
    time_s = event.get("ts")
    if time_s is None or time_s == 0:
        return delivery.arrival_time_us
    if not isinstance(time_s, int) or isinstance(time_s, bool):
        raise rejection("wrong_type", "ts", "must be an integer: seconds since 1970")
    return checked_time_us(time_s * 1_000_000, "ts")
