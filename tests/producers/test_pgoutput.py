"""The messages of pgoutput, and what the reader makes of rows, without a server."""

from __future__ import annotations

import struct
from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.errors import TerminalError
from producers.postgres.messages import CapturedTable, ChangePlace, Server, encoded, key_of, message
from producers.postgres.pgoutput import (
    UNLOGGED,
    LoggedChange,
    PgoutputError,
    Relation,
    RelationColumn,
    TransactionBegin,
    TransactionEnd,
    Truncation,
    parse,
)
from producers.postgres.settings import ReaderSettings, lsn_of, lsn_text

TABLE = CapturedTable("public", "buyer", ("a", "b"), ("a", "b"), ("a", "b", "c"), {"a": "int4"}, "person", "shop")


def cells(*values: str | object | None) -> bytes:
    """A row as the protocol writes it."""
    parts = [struct.pack("!H", len(values))]
    for value in values:
        if value is None or value is UNLOGGED:
            parts.append(b"n" if value is None else b"u")
        else:
            data = str(value).encode()
            parts.append(b"t" + struct.pack("!I", len(data)) + data)
    return b"".join(parts)


MESSAGES = {
    b"B" + struct.pack("!QqI", 7, 1_000_000, 9): TransactionBegin(7, 946_684_801_000_000, 9),
    b"C" + struct.pack("!BQQq", 0, 7, 8, 1): TransactionEnd(8),
    b"I" + struct.pack("!I", 5) + b"N" + cells("1", None, "ü"): LoggedChange("insert", 5, ("1", None, "ü")),
    b"U" + struct.pack("!I", 5) + b"N" + cells("1", UNLOGGED): LoggedChange("update", 5, ("1", UNLOGGED)),
    b"U" + struct.pack("!I", 5) + b"K" + cells("0", None) + b"N" + cells("1", "x"): LoggedChange(
        "update", 5, ("1", "x"), ("0", None), old_is_key=True
    ),
    b"U" + struct.pack("!I", 5) + b"O" + cells("0", "y") + b"N" + cells("1", "x"): LoggedChange(
        "update", 5, ("1", "x"), ("0", "y")
    ),
    b"D" + struct.pack("!I", 5) + b"K" + cells("1"): LoggedChange("delete", 5, None, ("1",), old_is_key=True),
    b"T" + struct.pack("!IBII", 2, 0, 5, 6): Truncation((5, 6)),
    b"R" + struct.pack("!I", 5) + b"public\0t\0d" + struct.pack("!HB", 1, 1) + b"id\0" + struct.pack("!Ii", 23, -1): (
        Relation(5, "public", "t", "d", (RelationColumn("id", 23, logged=True),))
    ),
}


@pytest.mark.parametrize("payload", MESSAGES, ids=lambda payload: repr(payload[:1]))
def test_a_message_is_read_and_a_part_of_it_is_none(payload: bytes) -> None:
    """Each form of the protocol; whatever is cut off is an error that says so, never half a row."""
    assert parse(payload) == MESSAGES[payload]
    for end in range(len(payload)):
        with pytest.raises(PgoutputError, match="cannot be read"):
            parse(payload[:end])


def test_what_says_nothing_of_rows_is_passed_over() -> None:
    """Origins, types and logical messages, and what a later server adds."""
    assert [parse(kind + b"\0" * 20) for kind in (b"O", b"Y", b"M", b"?")] == [None] * 4


@given(payload=st.binary(max_size=60) | st.builds(bytes.__add__, st.sampled_from([b"I", b"U", b"D", b"R", b"T"]),
                                                  st.binary(max_size=60)))  # fmt: skip
def test_any_bytes_are_a_message_or_an_error(payload: bytes) -> None:
    """Damage raises nothing but the error of the protocol, which repeats none of it."""
    with suppress(PgoutputError):
        assert not isinstance(parse(payload), bytes)


def test_different_keys_have_different_partition_keys() -> None:
    """The parts of a joined key cannot run into each other."""
    rows = [{"a": "1|2", "b": "3"}, {"a": "1", "b": "2|3"}, {"a": "1\\", "b": "|3"}, {"a": "1\\|", "b": "3"}]
    assert len({key_of(TABLE, row) for row in rows}) == len(rows)
    assert key_of(TABLE, {"a": "1", "b": "2"}) == "person/shop/1|2"


def test_a_row_too_large_goes_without_its_largest_columns() -> None:
    """The columns are named; a key that is too large by itself is refused with what to do."""
    server, place = Server("1", 1, "shop"), ChangePlace(7, 5, 0, 3)
    event = message(server, TABLE, place, "insert", {"row": {"a": "1", "b": "2", "c": "x" * 2_000}})
    data, left_out = encoded(TABLE, event, "key", 1_000)
    assert left_out == ("c",)
    assert orjson.loads(data)["row"] == {"a": "1", "b": "2"}
    assert orjson.loads(data)["too_large"] == ["c"]
    assert len(data) + len("key") <= 1_000
    assert encoded(TABLE, event, "key", 4_000) == (orjson.dumps(event), ())
    large = message(server, TABLE, place, "insert", {"row": {"a": "1" * 2_000, "b": "2"}})
    with pytest.raises(TerminalError, match="leave the column out of the publication"):
        encoded(TABLE, large, "key", 1_000)


@given(lsn=st.integers(0, 2**64 - 1))
def test_a_log_position_is_written_as_it_is_read(lsn: int) -> None:
    """Both halves in hexadecimal."""
    assert lsn_of(lsn_text(lsn)) == lsn


@pytest.mark.parametrize(
    "wrong", [{"slot": "My-Slot"}, {"slot": "x" * 55}, {"fetch_rows_max": 0}, {"backoff_max_s": 0.1}]
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    """Before anything is connected to."""
    with pytest.raises(ValueError, match=r"slot|limits"):
        ReaderSettings(**wrong)  # type: ignore[arg-type]
