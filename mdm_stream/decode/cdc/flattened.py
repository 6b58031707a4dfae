"""Debezium events that the connector has flattened (``ExtractNewRecordState`` and its like for documents).

The row's columns are members of the message itself. What the envelope said comes with them if the transform is told to
add it (``add.fields``): ``__op``, ``__table``, ``__lsn``, ``__source_ts_ms`` and so on; a deletion has
``__deleted`` "true". The table may also follow from the name of the schema, ``server.schema.table.Value``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mdm_stream.decode.reasons import rejection

_OF_SOURCE = "__source_"
_ADDED = "__"
_SOURCE_MEMBERS = (
    "connector",
    "name",
    "db",
    "schema",
    "table",
    "collection",
    "snapshot",
    "lsn",
    "sequence",
    "txId",
    "timeline",
    "server_id",
    "gtid",
    "file",
    "pos",
    "row",
    "commit_lsn",
    "change_lsn",
    "event_serial_no",
    "scn",
    "commit_scn",
    "rs_id",
    "lcr_position",
    "ssn",
    "redo_thread",
    "ord",
)
"""What is taken from the source block however it is called: ``lsn`` is added as ``__lsn`` or as ``__source_lsn``."""
_SOURCE_TIMES = ("ts_ms", "ts_us", "ts_ns")
"""Of these the envelope has its own, the time of the capture, which is called ``__ts_ms``."""
MARKS = frozenset(
    {"__op", "__deleted"}
    | {f"{prefix}{name}" for prefix in (_ADDED, _OF_SOURCE) for name in ("table", "collection", "lsn", "scn", "file")}
    | {f"{_OF_SOURCE}{name}" for name in _SOURCE_TIMES}
)
_VALUE_SCHEMA = ".Value"


@dataclass(frozen=True, slots=True)
class Flattened:
    """A flattened change: its operation, the row with the schemas of its columns, and what is known of its source."""

    op: object
    row: Mapping[str, Any]
    schemas: Mapping[str, Mapping[str, Any]]
    source: Mapping[str, Any]
    table_parts: list[str]
    captured_ms: object


def is_flattened(payload: Mapping[str, Any], schema: object = None) -> bool:
    """Tell whether an object has the marks of a flattened row; one that has a schema needs no other."""
    return not payload.keys().isdisjoint(MARKS) or _value_schema_name(schema) != ""


def flattened(payload: Mapping[str, Any], schema: object) -> Flattened:
    """Return the change that a flattened message says; ``RejectedEventError`` if it does not tell its table."""
    source = {name: value for name in _SOURCE_MEMBERS if (value := _added(payload, name)) is not None}
    source |= {name: value for name in _SOURCE_TIMES if (value := payload.get(_OF_SOURCE + name)) is not None}
    deleted = payload.get("__deleted") in (True, "true")
    op = "d" if deleted else payload.get("__op") or "u"
    row = payload
    if op == "d" and source.get("collection") and payload.get("_id") is None and payload.get("id") is not None:
        row = {**payload, "_id": payload["id"]}  # a deleted document is its key, which is called so in messages
    return Flattened(op, row, field_schemas(schema), source, _table_parts(source, schema), payload.get("__ts_ms"))


def flattened_time_ms(payload: Mapping[str, Any]) -> object:
    """Return the time that a flattened message brings, ``None`` if it brings none."""
    time_ms: object = payload.get("__source_ts_ms") or payload.get("__ts_ms")
    return time_ms


def schema_fields(schema: object) -> list[dict[str, Any]]:
    """Return the fields of a struct's schema, none if it is not one."""
    fields = schema.get("fields") if isinstance(schema, dict) else None
    return [field for field in fields if isinstance(field, dict)] if isinstance(fields, list) else []


def field_schemas(schema: object) -> dict[str, dict[str, Any]]:
    """Return the schemas of a struct's fields by their names."""
    return {field["field"]: field for field in schema_fields(schema) if isinstance(field.get("field"), str)}


def _added(payload: Mapping[str, Any], name: str) -> object:
    value = payload.get(_OF_SOURCE + name)
    return payload.get(_ADDED + name) if value is None else value


def _table_parts(source: Mapping[str, Any], schema: object) -> list[str]:
    """Return the parts of the table's full name, as far as the message says them."""
    table = source.get("table") or source.get("collection")
    if isinstance(table, str) and table:
        parts = [space for space in (source.get("db"), source.get("schema")) if isinstance(space, str) and space]
        parts.append(table)
    else:
        parts = _value_schema_name(schema).split(".")[1:]  # the first is what the connector is called
    if not parts:
        raise rejection(
            "missing",
            "__table",
            "is required: a flattened row does not tell which source it belongs to; add op, table, source.ts_ms and "
            "the log's position to the transform's add.fields",
        )
    return parts


def _value_schema_name(schema: object) -> str:
    name = schema.get("name") if isinstance(schema, dict) else None
    return name.removesuffix(_VALUE_SCHEMA) if isinstance(name, str) and name.endswith(_VALUE_SCHEMA) else ""
