"""What pgoutput, PostgreSQL's own logical decoding plugin, writes: its messages of protocol version 1.

Pure. The forms are those of "Logical Replication Message Formats" in PostgreSQL's documentation. Whatever the bytes
are, ``parse`` returns a message, ``None`` for one that says nothing about rows, or raises ``PgoutputError``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from mdm_stream.errors import TerminalError

_EPOCH_2000_US = 946_684_800_000_000
"""PostgreSQL counts microseconds since 2000."""
_BEGIN = struct.Struct("!QqI")
_COMMIT = struct.Struct("!BQQq")
_COLUMN = struct.Struct("!Ii")
_U16 = struct.Struct("!H")
_U32 = struct.Struct("!I")


class PgoutputError(TerminalError):
    """Bytes that are no message of the protocol, or hold text that is not UTF-8."""


class Unlogged(Enum):
    """Stands for a large value that an update left as it was, so that the database did not log it."""

    UNLOGGED = "unlogged"


UNLOGGED = Unlogged.UNLOGGED

Cell = str | None | Unlogged
Cells = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class TransactionBegin:
    """The changes that follow, up to ``TransactionEnd``, were committed at that position and time."""

    commit_lsn: int
    time_us: int
    xid: int


@dataclass(frozen=True, slots=True)
class TransactionEnd:
    """The end of a transaction. Whoever has all up to ``end_lsn`` needs nothing of it again."""

    end_lsn: int


@dataclass(frozen=True, slots=True)
class RelationColumn:
    """A column of a relation; ``logged`` tells whether it is part of the replica identity."""

    name: str
    type_oid: int
    logged: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """What a table looks like from here on; sent before its first change, and again when it was altered.

    ``identity`` is the kind of its replica identity: ``d``efault, ``i``ndex, ``f``ull or ``n``othing.
    """

    oid: int
    schema: str
    table: str
    identity: str
    columns: tuple[RelationColumn, ...]


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A changed row: ``new`` of an insert or update, ``old`` of a delete, and of an update where it was logged.

    With ``old_is_key`` the columns of ``old`` outside of the replica identity are null, whatever they were.
    """

    op: Literal["insert", "update", "delete"]
    oid: int
    new: Cells | None
    old: Cells | None = None
    old_is_key: bool = False


@dataclass(frozen=True, slots=True)
class Truncation:
    """Tables that were emptied."""

    oids: tuple[int, ...]


PgoutputMessage = TransactionBegin | TransactionEnd | Relation | LoggedChange | Truncation


def parse(payload: bytes) -> PgoutputMessage | None:
    """Return the message that the bytes are; ``None`` for types, origins and what later servers add."""
    try:
        return _parse(payload)
    except (struct.error, IndexError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        kind = payload[:1].decode("ascii", "replace")
        raise PgoutputError(f"a message of kind {kind!r} cannot be read: {type(error).__name__}") from error


def _parse(payload: bytes) -> PgoutputMessage | None:
    kind = payload[:1]
    if not kind:
        raise ValueError("no bytes")
    read = _READ.get(kind)
    return None if read is None else read(payload)


def _begin(payload: bytes) -> TransactionBegin:
    commit_lsn, time, xid = _BEGIN.unpack_from(payload, 1)
    return TransactionBegin(commit_lsn, time + _EPOCH_2000_US, xid)


def _commit(payload: bytes) -> TransactionEnd:
    return TransactionEnd(_COMMIT.unpack_from(payload, 1)[2])


def _truncation(payload: bytes) -> Truncation:
    (count,) = _U32.unpack_from(payload, 1)
    return Truncation(struct.unpack_from(f"!{_bounded(count, payload)}I", payload, 6))


def _insert(payload: bytes) -> LoggedChange:
    (oid,) = _U32.unpack_from(payload, 1)
    if payload[5:6] != b"N":
        raise ValueError("no new row")
    cells, _ = _cells(payload, 6)
    return LoggedChange("insert", oid, cells)


def _update(payload: bytes) -> LoggedChange:
    (oid,) = _U32.unpack_from(payload, 1)
    mark, old, place = payload[5:6], None, 5
    if mark in (b"K", b"O"):
        old, place = _cells(payload, 6)
    if payload[place : place + 1] != b"N":
        raise ValueError("no new row")
    cells, _ = _cells(payload, place + 1)
    return LoggedChange("update", oid, cells, old, mark == b"K")


def _delete(payload: bytes) -> LoggedChange:
    (oid,) = _U32.unpack_from(payload, 1)
    if payload[5:6] not in (b"K", b"O"):
        raise ValueError("no old row")
    cells, _ = _cells(payload, 6)
    return LoggedChange("delete", oid, None, cells, payload[5:6] == b"K")


def _relation(payload: bytes) -> Relation:
    (oid,) = _U32.unpack_from(payload, 1)
    schema, place = _text(payload, 5)
    table, place = _text(payload, place)
    identity = payload[place : place + 1].decode("ascii")
    (count,) = _U16.unpack_from(payload, place + 1)
    place += 3
    columns = []
    for _ in range(count):
        logged = bool(payload[place] & 1)
        name, place = _text(payload, place + 1)
        type_oid, _modifier = _COLUMN.unpack_from(payload, place)
        columns.append(RelationColumn(name, type_oid, logged))
        place += _COLUMN.size
    # An empty schema is what the protocol writes for pg_catalog.
    return Relation(oid, schema or "pg_catalog", table, identity, tuple(columns))


def _cells(payload: bytes, place: int) -> tuple[Cells, int]:
    (count,) = _U16.unpack_from(payload, place)
    place += 2
    cells: list[Cell] = []
    for _ in range(count):
        kind = payload[place]
        place += 1
        if kind == 0x74:  # t: a text
            (length,) = _U32.unpack_from(payload, place)
            place += 4
            end = place + length
            if end > len(payload):
                raise ValueError("a text ends too early")
            cells.append(payload[place:end].decode())
            place = end
        elif kind == 0x6E:  # n: null
            cells.append(None)
        elif kind == 0x75:  # u: unchanged, and not logged
            cells.append(UNLOGGED)
        else:
            raise ValueError("a value of an unknown kind")
    return tuple(cells), place


def _text(payload: bytes, place: int) -> tuple[str, int]:
    end = payload.index(b"\0", place)
    return payload[place:end].decode(), end + 1


def _bounded(count: int, payload: bytes) -> int:
    if count * 4 > len(payload):
        raise ValueError("a count beyond the message")
    return count


_READ: dict[bytes, Callable[[bytes], PgoutputMessage]] = {
    b"I": _insert,
    b"U": _update,
    b"D": _delete,
    b"B": _begin,
    b"C": _commit,
    b"R": _relation,
    b"T": _truncation,
}
