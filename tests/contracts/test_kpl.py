"""KPL aggregates: what they hold, and that a damaged one holds nothing."""

from __future__ import annotations

import contextlib
import hashlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.contracts.kpl import (
    MARKER,
    USER_RECORD_OVERHEAD_BYTES_MAX,
    USER_RECORDS_MAX,
    UserRecord,
    aggregate_of,
    is_aggregate,
    user_records,
)

RECORDS = st.lists(st.none() | st.builds(UserRecord, st.binary(max_size=300), st.text(max_size=9)), max_size=9)
TWO = [UserRecord(b'{"a":1}', "key-a"), UserRecord(b"", "key-b")]


def framed(message: bytes) -> bytes:
    """A message with its marker and its right checksum."""
    return MARKER + message + hashlib.md5(message).digest()


@given(records=RECORDS)
def test_what_is_written_is_read(records: list[UserRecord | None]):
    """Records, their keys and their order are kept, and what was taken out leaves its number behind."""
    aggregate = aggregate_of(records)
    assert is_aggregate(aggregate)
    assert user_records(aggregate) == records
    keys = sum(len(each.partition_key.encode()) for each in records if each)
    contents = sum(len(each.content) for each in records if each)
    overhead = len(records) * USER_RECORD_OVERHEAD_BYTES_MAX + len(framed(b""))
    assert len(aggregate) <= keys + contents + overhead


def test_explicit_hash_keys_and_unknown_fields_are_passed_over():
    """An aggregate of the library lists hash keys, may have tags, and another writer further fields of any kind."""
    message = (
        b"\x0a\x01k"  # partition key
        b"\x12\x03123"  # explicit hash key
        b"\x1a\x0d\x08\x00\x10\x00\x1a\x01x\x22\x04\x0a\x02ab"  # user record with hash key and tag
        b"\x20\x07\x2a\x01z\x31\x00\x00\x00\x00\x00\x00\x00\x00\x3d\x00\x00\x00\x00"  # varint, bytes, 64 and 32 bits
    )
    assert user_records(framed(message)) == [UserRecord(b"x", "k")]


def test_a_writer_that_leaves_out_what_is_zero_is_read():
    """Newer protobuf writes neither the number 0 nor empty bytes."""
    assert user_records(framed(b"\x0a\x01k\x1a\x03\x1a\x01x\x1a\x02\x08\x00")) == [
        UserRecord(b"x", "k"),
        UserRecord(b"", "k"),
    ]


def test_every_damage_is_noticed():
    """No cut and no changed byte gives a part of the records, or others."""
    aggregate = aggregate_of(TWO)
    for end in range(len(aggregate)):
        with pytest.raises(ValueError, match=r"ends|checksum"):
            user_records(aggregate[:end])
    for place in range(len(MARKER), len(aggregate)):
        with pytest.raises(ValueError, match="checksum"):
            user_records(aggregate[:place] + bytes([aggregate[place] ^ 1]) + aggregate[place + 1 :])


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"\x1a\x03\x1a\x01x", "partition key is not among"),
        (b"\x0a\x01k\x1a\x05\x08\x01\x1a\x01x", "partition key is not among"),
        (b"\x0a\x05k", "longer than what is left"),
        (b"\x0a\x01k\x1a\x04\x08\x00\x1a\x05", "longer than what is left"),
        (b"\x0a\x01\xff", "not UTF-8"),
        (b"\x0a", "ends inside a number"),
        (b"\x0a" + b"\xff" * 10, "more than 64 bits"),
        (b"\x0b\x0c", "of a kind"),
    ],
)
def test_a_message_that_is_none_is_refused_as_a_whole(message: bytes, why: str):
    """The checksum is right, what it is of is not: then nothing is taken from it."""
    with pytest.raises(ValueError, match=why):
        user_records(framed(message))


def test_an_aggregate_is_bounded():
    """One more record or partition key than the limit is refused, in time that grows with the bytes alone."""
    full = [UserRecord(b"", "k")] * USER_RECORDS_MAX
    assert len(user_records(aggregate_of(full))) == USER_RECORDS_MAX
    with pytest.raises(ValueError, match="at most"):
        aggregate_of([*full, None])
    started_s = time.process_time()
    for hostile in (b"\x1a\x00" * 500_000, b"\x0a\x00" * 500_000):
        with pytest.raises(ValueError, match="holds more than"):
            user_records(framed(hostile))
    user_records(framed(b"\x12\x00" * 250_000 + b"\x28\x01" * 250_000))
    assert time.process_time() - started_s < 5


@given(message=st.binary(max_size=60))
def test_any_message_is_read_or_refused(message: bytes):
    """Whatever stands under a right checksum, the answer is records or a sentence."""
    found: list[UserRecord | None] | None = None
    with contextlib.suppress(ValueError):
        found = user_records(framed(message))
    assert found is None or user_records(aggregate_of(found)) == found
