"""The aggregate of the Kinesis Producer Library: several user records in one record of a stream.

It is, in bytes: a marker, a protobuf message, and the MD5 digest of the message, which notices damage and proves no
sender. The message has the partition keys (field 1), explicit hash keys (field 2) and user records (field 3); a user
record has the number of its partition key (field 1), that of its explicit hash key (field 2) and its bytes (field 3).
Other fields are passed over, as protobuf has it. So small a part of protobuf is read and written here by hand: it needs
no library, and every error is one of ours. (The package aws-kinesis-agg drops what it cannot read, and protobuf brings
eight megabytes for three fields.)

Explicit hash keys say to which shard a user record would have gone by itself. They are not read: an aggregate counts
wherever it lies, since a user record that arrives twice changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MARKER = b"\xf3\x89\x9a\xc2"
"""Begins no UTF-8 text: 0xc2 cannot go on a character that 0xf3 begins."""
DIGEST_BYTES = 16
USER_RECORDS_MAX = 10_000
"""An aggregate has a mebibyte at most, and a change of a record a hundred bytes at least. Each user record costs what
an event costs, so a hostile aggregate of empty ones must not make a hundred thousand out of one record."""
USER_RECORD_OVERHEAD_BYTES_MAX = 16
"""What a user record adds to an aggregate beside its bytes and its partition key: marks, lengths and a number."""
ENVELOPE_BYTES = len(MARKER) + DIGEST_BYTES

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_VARINT_BYTES_MAX = 10
"""Of a number of 64 bits, seven bits a byte."""
_PARTITION_KEYS, _USER_RECORDS = 1, 3
_KEY_NUMBER, _CONTENT = 1, 3


@dataclass(frozen=True, slots=True)
class UserRecord:
    """One record of a sender: its bytes, and the partition key that it was put with."""

    content: bytes
    partition_key: str


def is_aggregate(data: bytes) -> bool:
    """Tell whether bytes claim to be an aggregate, in whatever condition."""
    return data.startswith(MARKER)


def user_records(aggregate: bytes) -> list[UserRecord | None]:
    """Return the user records of an aggregate in order; None in the place of one that was taken out.

    ``ValueError``, without a value of any record, if it is damaged or holds more than ``USER_RECORDS_MAX``: it holds
    all of them or none. Linear in its bytes.
    """
    message = aggregate[len(MARKER) : -DIGEST_BYTES]
    if len(aggregate) < ENVELOPE_BYTES or not is_aggregate(aggregate):
        raise ValueError(f"ends too early, after {len(aggregate):,} bytes")
    if hashlib.md5(message, usedforsecurity=False).digest() != aggregate[-DIGEST_BYTES:]:
        raise ValueError("has another checksum than its bytes: it is damaged, or was cut off")
    keys: list[str] = []
    found: list[tuple[int, bytes] | None] = []
    for field, value in _fields(message):
        if field == _PARTITION_KEYS and isinstance(value, bytes):
            keys.append(_text(value))
        elif field == _USER_RECORDS and isinstance(value, bytes):
            found.append(_user_record(value))
        else:
            continue
        if len(found) > USER_RECORDS_MAX or len(keys) > USER_RECORDS_MAX:
            raise ValueError(f"holds more than {USER_RECORDS_MAX:,} user records or partition keys")
    if any(each is not None and each[0] >= len(keys) for each in found):
        raise ValueError("has a user record whose partition key is not among those that it lists")
    return [None if each is None else UserRecord(each[1], keys[each[0]]) for each in found]


def aggregate_of(records: Sequence[UserRecord | None]) -> bytes:
    """Return the aggregate of some user records, in their order; None stands where one was taken out.

    ``ValueError`` for more than ``USER_RECORDS_MAX``.
    """
    if len(records) > USER_RECORDS_MAX:
        raise ValueError(f"an aggregate holds {USER_RECORDS_MAX:,} user records at most")
    listed = dict.fromkeys(each.partition_key for each in records if each is not None)
    keys = {key: number for number, key in enumerate(listed)}
    parts = [_field(_PARTITION_KEYS, key.encode()) for key in keys]
    for each in records:
        held = b"" if each is None else _number(_KEY_NUMBER, keys[each.partition_key]) + _field(_CONTENT, each.content)
        parts.append(_field(_USER_RECORDS, held))
    message = b"".join(parts)
    return b"".join((MARKER, message, hashlib.md5(message, usedforsecurity=False).digest()))


def _user_record(message: bytes) -> tuple[int, bytes] | None:
    """Return the number of a user record's partition key, and its bytes.

    An empty message is no user record: one was taken out there, and those after it keep their numbers.
    """
    if not message:
        return None
    key_number, content = 0, b""
    for field, value in _fields(message):
        if field == _KEY_NUMBER and isinstance(value, int):
            key_number = value
        elif field == _CONTENT and isinstance(value, bytes):
            content = value
    return key_number, content


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a protobuf message: a number for a varint, else the bytes."""
    at, end = 0, len(message)
    while at < end:
        tag, at = (message[at], at + 1) if message[at] < 0x80 else _varint(message, at)  # most are of one byte
        kind = tag & 7
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind == _VARINT:
            number, at = _varint(message, at)
            yield tag >> 3, number
            continue
        elif kind in (_FIXED_64, _FIXED_32):
            size = 8 if kind == _FIXED_64 else 4
        else:
            raise ValueError("holds a field of a kind that protobuf does not have any more")
        if size > end - at:
            raise ValueError("holds a field that is longer than what is left of it")
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the number that stands at a place, seven bits a byte and the lowest first, and the place behind it."""
    number = shift = 0
    for byte in message[at : at + _VARINT_BYTES_MAX]:
        at += 1
        if byte < 0x80:
            return number | byte << shift, at
        number |= (byte & 0x7F) << shift
        shift += 7
    raise ValueError("ends inside a number" if shift < 7 * _VARINT_BYTES_MAX else "holds a number of more than 64 bits")


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ValueError("has a partition key that is not UTF-8") from None


def _field(number: int, content: bytes) -> bytes:
    return _written(number << 3 | _BYTES) + _written(len(content)) + content


def _number(field: int, number: int) -> bytes:
    return _written(field << 3 | _VARINT) + _written(number)


def _written(number: int) -> bytes:
    """Return a number as a varint."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
