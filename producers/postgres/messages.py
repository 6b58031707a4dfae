"""A row as a message of the stream, and its partition key. Pure.

The form is what ``mdm_stream.decode.cdc.postgres`` reads. Values stay the texts that PostgreSQL writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from mdm_stream.aws.put_records import RECORD_BYTES_MAX
from mdm_stream.core.times import format_time_us
from mdm_stream.errors import TerminalError
from producers.partition_key import partition_key
from producers.postgres.pgoutput import UNLOGGED, Cells, Relation
from producers.postgres.settings import lsn_text

PLAIN_TYPES = frozenset({"text", "varchar", "name"})
"""Types of which a message says nothing: their values are the texts themselves."""

RowTexts = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Server:
    """Which log the positions belong to: the cluster's system identifier, its timeline, and the database."""

    system: str
    timeline: int
    database: str


@dataclass(frozen=True, slots=True)
class ChangePlace:
    """Where in the log a change stands, and when it was committed. A snapshot's rows have no transaction."""

    commit_lsn: int
    lsn: int
    time_us: int
    xid: int | None = None


@dataclass(frozen=True, slots=True)
class CapturedTable:
    """A table as its messages need it. ``key`` are the columns of the partition key, ``names`` all columns."""

    schema: str
    table: str
    key: tuple[str, ...]
    identity: tuple[str, ...]
    names: tuple[str, ...]
    types: Mapping[str, str]
    domain: str
    source: str

    @property
    def name(self) -> str:
        """``schema.table``."""
        return f"{self.schema}.{self.table}"


def captured_table(
    relation: Relation,
    types: Mapping[int, str],
    key: tuple[str, ...],
    domain_and_source: tuple[str, str],
) -> CapturedTable:
    """Return a relation with the names of its types, by their oids; a type that is not known is taken for text."""
    named = {column.name: types.get(column.type_oid, "text") for column in relation.columns}
    return CapturedTable(
        schema=relation.schema,
        table=relation.table,
        key=key,
        identity=tuple(column.name for column in relation.columns if column.logged),
        names=tuple(column.name for column in relation.columns),
        types={name: type_name for name, type_name in named.items() if type_name not in PLAIN_TYPES},
        domain=domain_and_source[0],
        source=domain_and_source[1],
    )


def values_of(table: CapturedTable, cells: Cells) -> RowTexts:
    """Return a row's values by column, without those that were not logged."""
    return {name: cell for name, cell in zip(table.names, cells, strict=True) if cell is not UNLOGGED}


def key_of(table: CapturedTable, row: Mapping[str, str | None]) -> str:
    """Return the partition key of a row's record; the parts of a joined key are told apart as in a record id."""
    parts = [row.get(column) or "" for column in table.key]
    if len(parts) > 1:
        parts = [part.replace("\\", "\\\\").replace("|", "\\|") for part in parts]
    return partition_key(table.domain, table.source, "|".join(parts))


def message(
    server: Server,
    table: CapturedTable,
    place: ChangePlace,
    op: str,
    images: Mapping[str, Any],
) -> dict[str, Any]:
    """Return a message; ``images`` are its ``row``, ``old`` and ``unchanged``, as far as it has them."""
    block: dict[str, Any] = {
        "system": server.system,
        "timeline": server.timeline,
        "database": server.database,
        "schema": table.schema,
        "table": table.table,
        "commit_lsn": lsn_text(place.commit_lsn),
        "lsn": lsn_text(place.lsn),
        "time": format_time_us(place.time_us),
    }
    if place.xid is not None:
        block["xid"] = place.xid
    return {"postgres": block, "op": op, "identity": table.identity, "types": table.types, **images}


def encoded(
    table: CapturedTable,
    event: dict[str, Any],
    key: str,
    record_bytes_max: int = RECORD_BYTES_MAX,
) -> tuple[bytes, tuple[str, ...]]:
    """Return a message's bytes, and the columns that were left out so that the stream takes them, largest first.

    They are named in the message (``too_large``). ``TerminalError`` if the rest is still too large.
    """
    data = orjson.dumps(event)
    room = record_bytes_max - len(key.encode())
    left_out: list[str] = []
    if len(data) <= room:
        return data, ()
    images = [event[name] for name in ("row", "old") if name in event]
    for column in _largest(images, table.key):
        left_out.append(column)
        trimmed = [{name: value for name, value in image.items() if name not in left_out} for image in images]
        named = [name for name in ("row", "old") if name in event]
        data = orjson.dumps({**event, **dict(zip(named, trimmed, strict=True)), "too_large": sorted(left_out)})
        if len(data) <= room:
            return data, tuple(left_out)
    raise TerminalError(
        f"a row of {table.name} is larger than a record of the stream ({record_bytes_max:,} bytes) by its key alone; "
        "leave the column out of the publication, or raise the stream's limit",
    )


def _largest(images: Iterable[Mapping[str, str | None]], key: tuple[str, ...]) -> list[str]:
    sizes: dict[str, int] = {}
    for image in images:
        for name, value in image.items():
            if name not in key:
                sizes[name] = sizes.get(name, 0) + len(value or "")
    return sorted(sizes, key=lambda name: (-sizes[name], name))
