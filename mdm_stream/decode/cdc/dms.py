"""Records that AWS DMS writes to a Kinesis target: ``{"data", "metadata"}``, with or without the image before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.times import parse_time_us
from mdm_stream.decode.cdc.positions import DELETE, WRITE, dms_load_position, dms_position
from mdm_stream.decode.cdc.table_row import delete_events, write_events
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.sources import Route, SourceCatalogue

MARKS = frozenset({"metadata"})
_BEFORE_IMAGE = "before-image"
_OWN_TABLES = "awsdms_"
"""DMS keeps its own notes in tables of this prefix, and replicates them too if it is asked for whole schemas."""


def is_dms(event: Mapping[str, Any]) -> bool:
    """Tell whether an object has the marks of a DMS record; a control record may have nothing but its metadata."""
    metadata = event.get("metadata")
    return "metadata" in event and ("data" in event or (isinstance(metadata, dict) and "record-type" in metadata))


def has_own_time(event: Mapping[str, Any]) -> bool:
    """Tell whether a record brings its time. Its version is a position of the log."""
    metadata = event.get("metadata")
    return isinstance(metadata, dict) and isinstance(metadata.get("timestamp"), str)


def decode_dms(event: Mapping[str, Any], delivery: Delivery, catalogue: SourceCatalogue) -> tuple[ChangeEvent, ...]:
    """Return the changes that a record says: none for a control record, two for an update that changed the key of its
    row (old record deleted, new one written), else one.
    """
    metadata = event["metadata"]
    if not isinstance(metadata, dict):
        raise rejection("wrong_type", "metadata", "must be an object")
    kind = metadata.get("record-type")
    if kind == "control":
        return ()
    if kind != "data":
        raise rejection(
            "missing" if kind is None else "unknown_value", "metadata.record-type", "must be data or control"
        )
    table = metadata.get("table-name")
    if not isinstance(table, str) or not table:
        raise rejection("missing", "metadata.table-name", "is required: it tells which source the row belongs to")
    if table.startswith(_OWN_TABLES):
        return ()
    schema = metadata.get("schema-name")
    parts = (schema, table) if isinstance(schema, str) and schema else (table,)
    route = catalogue.by_table("dms", *parts)
    row = event.get("data")
    if not isinstance(row, dict):
        raise rejection("missing" if row is None else "wrong_type", "data", "must be an object: the row")
    return _changes(route, event, row, metadata, delivery)


def _changes(
    route: Route,
    event: Mapping[str, Any],
    row: dict[str, Any],
    metadata: Mapping[str, Any],
    delivery: Delivery,
) -> tuple[ChangeEvent, ...]:
    operation = metadata.get("operation")
    time_us = _time_us(metadata, delivery, "commit-timestamp", "timestamp")
    if operation == "load":
        loaded_us = _time_us(metadata, delivery, "timestamp")
        return write_events(
            route,
            row,
            None,
            position=dms_load_position(loaded_us),
            event_time_us=time_us,
            delivery=delivery,
            path="data",
        )
    if operation in ("insert", "update"):
        before = _before_image(event) if operation == "update" else None
        position = _position(route, metadata, deleted=False)
        return write_events(
            route, row, before, position=position, event_time_us=time_us, delivery=delivery, path="data"
        )
    if operation == "delete":
        position = _position(route, metadata, deleted=True)
        return delete_events(
            route,
            _deleted_row(route, event, row),
            position=position,
            event_time_us=time_us,
            delivery=delivery,
            path="data",
        )
    raise rejection(
        "missing" if operation is None else "unknown_value",
        "metadata.operation",
        "must be one of load, insert, update, delete",
    )


def _position(route: Route, metadata: Mapping[str, Any], *, deleted: bool) -> str:
    return dms_position(metadata, DELETE if deleted else WRITE) if route.source.version is None else ""


def _before_image(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the image before, if there is one: its member's name is the choice of those who set the task up."""
    if isinstance(event.get(_BEFORE_IMAGE), dict):
        return dict(event[_BEFORE_IMAGE])
    others = [name for name in event if name not in {"data", "metadata", "control"} and isinstance(event[name], dict)]
    if len(others) > 1:
        raise rejection("ambiguous_shape", "", "has several members that could be the image before the update")
    return dict(event[others[0]]) if others else None


def _deleted_row(route: Route, event: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return the deleted row; where ``data`` lacks the key, the image before has it."""
    if all(row.get(column) is not None for column in route.source.key):
        return row
    return {**row, **(_before_image(event) or {})}


def _time_us(metadata: Mapping[str, Any], delivery: Delivery, *names: str) -> int:
    for name in names:
        text = metadata.get(name)
        if text is None:
            continue
        path = f"metadata.{name}"
        if not isinstance(text, str):
            raise rejection("wrong_type", path, "must be a text")
        try:
            return parse_time_us(text)
        except ValueError as error:
            raise rejection("wrong_format", path, f"is {error}") from None
    return delivery.arrival_time_us
