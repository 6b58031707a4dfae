"""Messages of our own PostgreSQL reader: a row change of pgoutput, or a row of a snapshot.

A message has four parts: ``postgres`` says where the change was made (system, timeline, table, positions, commit time),
``op`` what it did, ``row`` and ``old`` hold the new and the old values as the database writes them, and ``types`` the
type of each column that is no plain text. ``identity`` names the columns of the replica identity, ``unchanged`` those
that an update did not log, ``too_large`` those that were left out because the stream takes no record of that size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mdm_stream.contracts.change import INTEGER_MAX, INTEGER_MIN
from mdm_stream.core.model import ChangeEvent, LogPlace
from mdm_stream.core.times import parse_time_us
from mdm_stream.decode.cdc.positions import DELETE, SNAPSHOT, WRITE, Rank, log_number
from mdm_stream.decode.cdc.table_row import delete_events, write_events
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.sources import Route, SourceCatalogue

MARKS = frozenset({"postgres"})
_LSN = re.compile(r"([0-9a-fA-F]{1,8})/([0-9a-fA-F]{1,8})", re.ASCII)
_DIGITS = 20
"""Enough for every number of 64 bits, so that the order of the texts is that of the positions."""
_NO_TYPES: Mapping[str, str] = {}
_NO_NAMES: frozenset[str] = frozenset()
_KIND_OF_TEXT = frozenset({str})
_KINDS_OF_CELLS = frozenset({str, type(None)})
_TYPE_CHARS_MAX = 64
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,6})?)(\+00(?::?00)?)?", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)
_FLOAT = re.compile(r"-?\d{1,400}(?:\.\d{1,400})?(?:e[+-]?\d{1,3})?", re.ASCII)
_ITEM = re.compile(r'(?:"((?:[^"\\]|\\.)*)"|([^,{}"\\\s][^,{}"\\]*))([,}])', re.DOTALL)
"""One item of an array's text, quoted or bare, and what follows it. Each character is looked at once."""


def is_postgres(event: Mapping[str, Any]) -> bool:
    """Tell whether an object has the mark of the reader's messages."""
    return "postgres" in event


def has_own_time(event: Mapping[str, Any]) -> bool:
    """Tell whether a message brings its time. Its version is a position of the log."""
    block = event.get("postgres")
    return isinstance(block, dict) and isinstance(block.get("time"), str)


def decode_postgres(
    event: Mapping[str, Any],
    delivery: Delivery,
    catalogue: SourceCatalogue,
) -> tuple[ChangeEvent, ...]:
    """Return the changes that a message says: two for an update that changed the key of its row (old record deleted,
    new one written), else one. A truncation is rejected: it does not say which records it deletes.
    """
    block = event["postgres"]
    if not isinstance(block, dict):
        raise rejection("wrong_type", "postgres", "must be an object")
    route = catalogue.by_table("postgres", *_table_parts(block))
    op = event.get("op")
    if op == "truncate":
        raise rejection(
            "truncate", "op", "says that the table was emptied but not of which rows; send a delete of each record"
        )
    if op not in ("read", "insert", "update", "delete"):
        raise rejection("missing" if op is None else "unknown_value", "op", "must be read, insert, update or delete")
    _check_identity(route, event)
    types = _types(event)
    time_us, place = _time_us(block, delivery), LogPlace(timeline=log_number(block.get("timeline")))
    if op == "delete":
        return delete_events(
            route,
            _image(event, "old", types),
            position=_position(route, block, DELETE),
            event_time_us=time_us,
            delivery=delivery,
            path="old",
            place=place,
        )
    unlogged = _names(event, "unchanged")
    _check_too_large(route, event)
    return write_events(
        route,
        _image(event, "row", types),
        _image(event, "old", types) if op == "update" and "old" in event else None,
        position=_position(route, block, SNAPSHOT if op == "read" else WRITE),
        event_time_us=time_us,
        delivery=delivery,
        unavailable=unlogged,
        path="row",
        place=place,
    )


def _table_parts(block: Mapping[str, Any]) -> tuple[str, ...]:
    database, schema, table = block.get("database"), block.get("schema"), block.get("table")
    if (
        isinstance(database, str)
        and isinstance(schema, str)
        and isinstance(table, str)
        and database
        and schema
        and table
    ):
        return database, schema, table
    raise rejection("missing", "postgres.table", "is required, with schema and database: it tells the source")


def _check_identity(route: Route, event: Mapping[str, Any]) -> None:
    """Refuse rows whose key the database may change without logging the old one: that would leave a ghost record."""
    identity = _names(event, "identity")
    for column in route.source.key:
        if column not in identity:
            raise rejection(
                "key_not_logged",
                "identity",
                "lacks a key column of the rules, so the database does not log when it changes; in PostgreSQL: "
                "ALTER TABLE ... REPLICA IDENTITY FULL, or USING INDEX with an index on that key",
            )


def _check_too_large(route: Route, event: Mapping[str, Any]) -> None:
    for column in sorted(_names(event, "too_large") & (route.used or route.columns)):
        raise rejection("too_large", f"row.{column}", "did not fit into a record of the stream, and the rules use it")


def _names(event: Mapping[str, Any], member: str) -> frozenset[str]:
    if member not in event:
        return _NO_NAMES
    names = event[member]
    if isinstance(names, list) and _KIND_OF_TEXT.issuperset(map(type, names)):
        return frozenset(names)
    raise rejection("wrong_type", member, "must be a list of columns")


def _types(event: Mapping[str, Any]) -> Mapping[str, str]:
    types = event.get("types", _NO_TYPES)
    if isinstance(types, dict) and _KIND_OF_TEXT.issuperset(map(type, types.values())):
        return types
    raise rejection("wrong_type", "types", "must be an object: the type of each column that is no text")


def _image(event: Mapping[str, Any], member: str, types: Mapping[str, str]) -> dict[str, Any]:
    image = event.get(member)
    if not isinstance(image, dict):
        raise rejection("missing" if image is None else "wrong_type", member, "must be an object: the row")
    if not _KINDS_OF_CELLS.issuperset(map(type, image.values())):
        raise rejection("wrong_type", member, "must hold texts, as the database writes them, and nulls")
    read = {column: _value(text, name) for column, name in types.items() if (text := image.get(column)) is not None}
    return {**image, **read}


def _position(route: Route, block: Mapping[str, Any], rank: Rank) -> str:
    """Return the version: the position of the commit, then the change's own within the transaction.

    A snapshot's row has the position from which the stream goes on, below every change of it.
    """
    if route.source.version is not None:
        return ""
    return f"{_lsn(block, 'commit_lsn')}.{_lsn(block, 'lsn')}.{rank}"


def _lsn(block: Mapping[str, Any], member: str) -> str:
    text = block.get(member)
    if text is None:
        raise rejection("no_position", f"postgres.{member}", "is required to order the change")
    match = _LSN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise rejection("wrong_format", f"postgres.{member}", "must be a log position such as 16/B374D848")
    return f"{int(match[1], 16) << 32 | int(match[2], 16):0{_DIGITS}d}"


def _time_us(block: Mapping[str, Any], delivery: Delivery) -> int:
    text = block.get("time")
    if text is None:
        return delivery.arrival_time_us
    if not isinstance(text, str):
        raise rejection("wrong_type", "postgres.time", "must be a text")
    try:
        return parse_time_us(text)
    except ValueError as error:
        raise rejection("wrong_format", "postgres.time", f"is {error}") from None


def _value(text: str, type_name: str) -> Any:
    """Return what a text of a type means; of a type that says no more than text does, the text.

    ``numeric`` stays a text, which keeps its digits. What the type's own text form cannot be read as, such as
    ``infinity``, stays as the database wrote it.
    """
    if type_name.startswith("_") and len(type_name) <= _TYPE_CHARS_MAX:
        items = _items(text)
        read = _READ.get(type_name[1:])
        if items is None or read is None:
            return text if items is None else items
        return [None if item is None else read(item) for item in items]
    read = _READ.get(type_name)
    return text if read is None else read(text)


def _items(text: str) -> list[str | None] | None:
    """Return the items of an array's text; ``None`` if it has more than one dimension or bounds of its own."""
    if text == "{}":
        return []
    if not text.startswith("{"):
        return None
    items: list[str | None] = []
    place, end = 1, len(text)
    while match := _ITEM.match(text, place):
        quoted, bare, after = match.groups()
        if quoted is not None:
            items.append(re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL))
        else:
            items.append(None if bare == "NULL" else bare)
        place = match.end()
        if after == "}":
            return items if place == end else None
    return None


def _integer(text: str) -> int | str:
    if _INTEGER.fullmatch(text) and INTEGER_MIN <= int(text) <= INTEGER_MAX:
        return int(text)
    return text


def _float(text: str) -> float | str:
    number = float(text) if _FLOAT.fullmatch(text) else float("inf")
    return text if number in (float("inf"), float("-inf")) else number


def _boolean(text: str) -> bool | str:
    return {"t": True, "true": True, "f": False, "false": False}.get(text, text)


def _timestamp(text: str) -> str:
    match = _TIMESTAMP.fullmatch(text)
    return text if match is None else f"{match[1]}T{match[2]}{'Z' if match[3] else ''}"


def _padded(text: str) -> str:
    return text.rstrip(" ")


_READ: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), _integer),
    **dict.fromkeys(("float4", "float8"), _float),
    **dict.fromkeys(("timestamp", "timestamptz"), _timestamp),
    "bool": _boolean,
    "bpchar": _padded,
}
