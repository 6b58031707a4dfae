"""Debezium change events, plain or wrapped as ``{"schema", "payload"}``, of any connector that captures table rows.

Flattened ones (``ExtractNewRecordState``) are read by ``mdm_stream.decode.cdc.flattened``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdm_stream.core.model import ChangeEvent
from mdm_stream.decode.cdc.documents import document_of, row_of
from mdm_stream.decode.cdc.dsql import is_dsql
from mdm_stream.decode.cdc.flattened import MARKS as FLATTENED_MARKS
from mdm_stream.decode.cdc.flattened import (
    Flattened,
    field_schemas,
    flattened,
    flattened_time_ms,
    is_flattened,
    schema_fields,
)
from mdm_stream.decode.cdc.positions import DELETE, SNAPSHOT, WRITE, debezium_position, log_place
from mdm_stream.decode.cdc.table_row import checked_time_us, delete_events, write_events
from mdm_stream.decode.cdc.typed_row import TypedRow, typed_row
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.sources import Route, SourceCatalogue

_HEARTBEAT_MEMBERS = frozenset({"ts_ms", "ts_us", "ts_ns"})
_NOTIFICATION_MEMBERS = frozenset({"id", "aggregate_type", "type"})
MARKS = _HEARTBEAT_MEMBERS | FLATTENED_MARKS | {"payload", "source", "status", "aggregate_type"}
_OPS = "must be one of c, u, d, r, t, m"


def is_debezium(event: Mapping[str, Any]) -> bool:
    """Tell whether an object has the marks of a Debezium message: a change, or one of the messages between them."""
    if "payload" in event:
        return True
    if isinstance(event.get("source"), dict):
        return not is_dsql(event) and not event.keys().isdisjoint(("op", "before", "after", "ddl", "tableChanges"))
    return is_flattened(event) or _is_between_changes(event)


def has_own_time(event: Mapping[str, Any]) -> bool:
    """Tell whether a message brings its time. Its version is a position of the log."""
    change = _member(event, "payload") if "payload" in event else event
    times_ms = (_member(change, "source").get("ts_ms"), change.get("ts_ms"), flattened_time_ms(change))
    return any(isinstance(time_ms, int) and time_ms > 0 for time_ms in times_ms)


def decode_debezium(
    event: Mapping[str, Any],
    delivery: Delivery,
    catalogue: SourceCatalogue,
) -> tuple[ChangeEvent, ...]:
    """Return the changes that a message says: none for a heartbeat, transaction mark, schema change, logical message,
    notification or tombstone; two for an update that changed the key of its row (old record deleted, new one written);
    else one.
    """
    payload, schema = (event["payload"], event.get("schema")) if "payload" in event else (event, None)
    if payload is None:
        return ()
    if not isinstance(payload, dict):
        raise rejection("wrong_type", "payload", "must be an object or null")
    op = payload.get("op")
    if op is None and (_is_between_changes(payload) or _is_schema_change(payload)):
        return ()
    if not isinstance(payload.get("source"), dict) and is_flattened(payload, schema):
        return _of_flattened(flattened(payload, schema), delivery, catalogue)
    if op == "m":
        return ()
    source = payload.get("source")
    if not isinstance(source, dict):
        raise rejection("missing" if source is None else "wrong_type", "source", "must be an object")
    route = catalogue.by_table("debezium", *_table_parts(source))
    if op in ("c", "u", "r"):
        return _written(route, payload, source, schema, delivery)
    if op == "d":
        return _deleted(route, payload, source, schema, delivery)
    if op == "t":
        raise _truncated("op")
    raise rejection("missing" if op is None else "unknown_value", "op", _OPS)


def _written(
    route: Route,
    payload: Mapping[str, Any],
    source: Mapping[str, Any],
    schema: object,
    delivery: Delivery,
) -> tuple[ChangeEvent, ...]:
    row = _image(route, payload, source, schema, "after")
    snapshot = payload["op"] == "r" or is_snapshot(source)
    before: TypedRow | None = None
    if payload.get("before") is not None:
        before = _image(route, payload, source, schema, "before") if payload["op"] == "u" else None
    return write_events(
        row.route,
        row.columns,
        None if before is None else before.columns,
        position=_position(route, source, SNAPSHOT if snapshot else WRITE),
        event_time_us=_time_us(payload, source, delivery),
        delivery=delivery,
        unavailable=row.unavailable,
        path="after",
        place=log_place(source),
    )


def _deleted(
    route: Route,
    payload: Mapping[str, Any],
    source: Mapping[str, Any],
    schema: object,
    delivery: Delivery,
) -> tuple[ChangeEvent, ...]:
    path = "before"
    if _is_of_documents(source) and payload.get("before") is None:
        path = next((name for name in _NAME_A_DOCUMENT if payload.get(name) is not None), path)
    row = _image(route, payload, source, schema, path)
    return delete_events(
        row.route,
        row.columns,
        position=_position(route, source, DELETE),
        event_time_us=_time_us(payload, source, delivery),
        delivery=delivery,
        path=path,
        place=log_place(source),
    )


def _of_flattened(change: Flattened, delivery: Delivery, catalogue: SourceCatalogue) -> tuple[ChangeEvent, ...]:
    """Return the changes of a flattened row; a deletion says so in a member of its own."""
    route = catalogue.by_table("debezium", *change.table_parts)
    if change.op == "t":
        raise _truncated("__op")
    if change.op not in ("c", "u", "r", "d"):
        raise rejection("unknown_value", "__op", "must be one of c, u, d, r, t")
    if route.source.version is None and change.source.keys().isdisjoint(_TELL_POSITION):
        raise rejection("no_position", "__lsn", _NO_POSITION)
    row = typed_row(route, change.row, change.schemas, "row")
    time_us = _time_us({"ts_ms": change.captured_ms}, change.source, delivery)
    if change.op == "d":
        position = _position(route, change.source, DELETE)
        return delete_events(
            row.route,
            row.columns,
            position=position,
            event_time_us=time_us,
            delivery=delivery,
            path="row",
            place=log_place(change.source),
        )
    snapshot = change.op == "r" or is_snapshot(change.source)
    return write_events(
        row.route,
        row.columns,
        None,
        position=_position(route, change.source, SNAPSHOT if snapshot else WRITE),
        event_time_us=time_us,
        delivery=delivery,
        unavailable=row.unavailable,
        path="row",
        place=log_place(change.source),
    )


_TELL_POSITION = frozenset(
    {"lsn", "sequence", "file", "commit_lsn", "scn", "commit_scn", "ord", "connector"},
)
_NO_POSITION = (
    "is missing, and with it what orders the changes: add the log's position to the transform's add.fields (lsn and "
    "sequence; file, pos and row; commit_lsn, change_lsn and event_serial_no; scn, commit_scn, rs_id and ssn; or ord, "
    "each with source.ts_ms), or name the column that orders the rows as the source's version"
)


def _position(route: Route, source: Mapping[str, Any], rank: Any) -> str:
    return debezium_position(source, rank) if route.source.version is None else ""


def _truncated(path: str) -> Exception:
    return rejection("truncate", path, "says that the table was emptied but not of which rows; reload the source")


def _image(route: Route, payload: Mapping[str, Any], source: Mapping[str, Any], schema: object, name: str) -> TypedRow:
    image = payload.get(name)
    if _is_of_documents(source):
        if image is None:
            raise rejection("missing", name, _NO_DOCUMENT[name])
        return typed_row(route, row_of(document_of(image, name), sorted(route.used)), {}, name)
    if not isinstance(image, dict):
        raise rejection(
            "missing" if image is None else "wrong_type", name, "must be an object: the row that was changed"
        )
    return typed_row(route, image, {} if schema is None else field_schemas(_image_schema(schema, name)), name)


_NAME_A_DOCUMENT = ("documentKey", "filter")
"""Members that hold the id of a deleted document: of MongoDB's own change, and of connectors before 2.0."""
_NO_DOCUMENT = {
    "after": "is required: the whole document, since a change alone does not name its record; set the connector's "
    "capture.mode to change_streams_update_full",
    "before": "is required: the id of what was deleted is in the key of the connector's message, which no record of "
    "this stream has; set the connector's capture.mode to change_streams_update_full_with_pre_image, and "
    "changeStreamPreAndPostImages of the collection",
}


def _is_of_documents(source: Mapping[str, Any]) -> bool:
    return source.get("table") is None and source.get("collection") is not None


def _image_schema(schema: object, name: str) -> object:
    """Return the schema of an image: both are of one table, so either stands for the other."""
    images = {image.get("field"): image for image in schema_fields(schema) if image.get("field") in ("before", "after")}
    return images.get(name) or images.get("after") or images.get("before")


def _table_parts(source: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the parts of the full name of the table or collection, as far as the message says them.

    MySQL and MongoDB have no schema: there the database takes its place.
    """
    table, schema, database = source.get("table"), source.get("schema"), source.get("db")
    if table is None:
        table = source.get("collection")
    if not isinstance(table, str) or not table:
        raise rejection("missing", "source.table", "is required: it tells which source the row belongs to")
    parts = (schema, table) if isinstance(schema, str) and schema else (table,)
    return (database, *parts) if isinstance(database, str) and database else parts


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


def _member(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = event.get(name)
    return value if isinstance(value, dict) else {}


def is_snapshot(source: Mapping[str, Any]) -> bool:
    """Tell whether the row was read by a snapshot: ``true``, ``first``, ``last``, ``incremental`` and their like."""
    return source.get("snapshot") not in (None, False, "false", "")


def _is_between_changes(event: Mapping[str, Any]) -> bool:
    """Tell whether an object is a heartbeat, a mark of a transaction, or a notification of the connector."""
    if bool(event) and event.keys() <= _HEARTBEAT_MEMBERS:
        return True
    if event.get("status") in ("BEGIN", "END") and isinstance(event.get("id"), str):
        return True
    return event.keys() >= _NOTIFICATION_MEMBERS and isinstance(event.get("aggregate_type"), str)


def _is_schema_change(event: Mapping[str, Any]) -> bool:
    return "ddl" in event or "tableChanges" in event
