"""Change records of Aurora DSQL on a Kinesis stream: like Debezium's, under ``"type": "full"`` and without a connector.

Written after AWS's guide, and never run against a cluster. Not verified: how a row that is larger than a record of the
stream is divided (each part is refused here, and kept), the rendering of types beyond integers and decimals as text,
and what an update of a primary key sends. AWS asks readers to take an operation that they do not know for an upsert.
Records come at least once and in any order, under random partition keys, so the position on the stream says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdm_stream.core.model import ChangeEvent
from mdm_stream.decode.cdc.positions import DELETE, WRITE, Rank
from mdm_stream.decode.cdc.row_positions import dsql_position
from mdm_stream.decode.cdc.table_row import checked_time_us, delete_events, write_events
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.sources import Route, SourceCatalogue

MARKS = frozenset({"type"})
_WHOLE = "full"
_TIMES_NS = (("ts_ns", 1), ("ts_us", 1_000), ("ts_ms", 1_000_000))


def is_dsql(event: Mapping[str, Any]) -> bool:
    """Tell whether an object has the marks of an Aurora DSQL record. A Debezium message has no ``type``."""
    source = event.get("source")
    return isinstance(event.get("type"), str) and isinstance(source, dict) and "connector" not in source


def has_own_time(event: Mapping[str, Any]) -> bool:
    """Tell whether a record brings its time, which also orders it."""
    source = event.get("source")
    return isinstance(source, dict) and _committed_ns(source) is not None


def decode_dsql(event: Mapping[str, Any], delivery: Delivery, catalogue: SourceCatalogue) -> tuple[ChangeEvent, ...]:
    """Return the changes that a record says: two for an update that shows another key before, else one."""
    source, op = event["source"], event.get("op")
    if event["type"] != _WHOLE:
        part = "is not full: a row too large for one record, whose parts are not put together; load the row anew"
        raise rejection("unknown_value", "type", part)
    if not isinstance(op, str):
        raise rejection("missing" if op is None else "wrong_type", "op", "must be a text: c, u or d")
    route = catalogue.by_table("dsql", *_table_parts(source))
    committed_ns = _committed_ns(source)
    time_us = (
        delivery.arrival_time_us if committed_ns is None else checked_time_us(committed_ns // 1_000, "source.ts_ns")
    )
    if op == "d":
        return delete_events(
            route,
            _image(event, "before"),
            position=_position(route, source, DELETE),
            event_time_us=time_us,
            delivery=delivery,
            path="before",
        )
    before = event.get("before")
    if before is not None and not isinstance(before, dict):
        raise rejection("wrong_type", "before", "must be an object or null")
    return write_events(
        route,
        _image(event, "after"),
        before,
        position=_position(route, source, WRITE),
        event_time_us=time_us,
        delivery=delivery,
        path="after",
    )


def _position(route: Route, source: Mapping[str, Any], rank: Rank) -> str:
    return dsql_position(source, rank) if route.source.version is None else ""


def _image(event: Mapping[str, Any], name: str) -> dict[str, Any]:
    image = event.get(name)
    if isinstance(image, dict):
        return image
    raise rejection("missing" if image is None else "wrong_type", name, "must be an object: the row that was changed")


def _table_parts(source: Mapping[str, Any]) -> tuple[str, ...]:
    table, schema = source.get("table"), source.get("schema")
    if not isinstance(table, str) or not table:
        raise rejection("missing", "source.table", "is required: it tells which source the row belongs to")
    return (schema, table) if isinstance(schema, str) and schema else (table,)


def _committed_ns(source: Mapping[str, Any]) -> int | None:
    for name, nanoseconds in _TIMES_NS:
        time = source.get(name)
        if isinstance(time, int) and not isinstance(time, bool) and time >= 0:
            return time * nanoseconds
    return None
