"""The envelope of an event that is sent again: its bytes, and where and when they first arrived.

An event without a version takes it from its position on the stream, and one without a time from its arrival. Sent
again as it is it would be another event. In its envelope it is the one that it was: whoever reads the change stream
unwraps first, and decodes, archives and rejects what was inside.

An envelope is binary: a marker, the length of a head (2 bytes, the highest first), the head (a JSON object), and the
event's bytes, which are compressed (zlib) only if they would not fit otherwise. The marker begins with a byte that
begins no UTF-8 text, no gzip file and no KPL aggregate, so no event of any format is taken for an envelope. Members
of the head: ``position`` (with its subsequence, if it was one of several that a record held), ``arrival_time_us``,
``origin``, ``digest`` (of these and the event's bytes) and ``compressed``.
"""

from __future__ import annotations

import re
import zlib
from typing import Any

import orjson

from mdm_stream.contracts.change import EVENT_BYTES_MAX, VERSION_CHARS_MAX
from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.core.times import TIME_US_MAX, TIME_US_MIN
from mdm_stream.decode.delivery import SUBSEQUENCE_DIGITS, Delivery, split_place
from mdm_stream.decode.reasons import rejection
from mdm_stream.errors import RejectedEventError, TerminalError

MARKER = b"\x8fmdm-redrive\x01"
"""The last byte is the format's number. 0x8f can only go on a UTF-8 character, never begin one."""
PARTITION_KEY_BYTES_MAX = 1_024
"""A stream counts the partition key with the record: 256 characters of up to 4 bytes."""
ENVELOPE_BYTES_MAX = EVENT_BYTES_MAX - PARTITION_KEY_BYTES_MAX
"""What every stream takes unasked, under any partition key."""
RAW_BYTES_MAX = 10 * 1_048_576
"""The largest record that any stream takes: what came by one can go by an envelope, if it compresses enough."""
INFLATION_MAX = 16
"""An envelope holds at most so many times its own size. A batch is limited in bytes as it is delivered, and somebody
hostile must not make it a thousand times as large in memory. Bytes that compress better are padded with zeros."""
ORIGIN_CHARS_MAX = 1_024
"""Room for the names of a stream and a shard and a sequence number, or for a file's name."""
REDRIVE_AGE_US_MAX = 400 * 86_400_000_000
"""A stream keeps a record for a year at most, and whoever redrives a dead letter does so within a month of that."""

_HEAD_BYTES_MAX = 8_192
_LENGTH_BYTES = 2
_PLACE = re.compile(rf"(?=.{{1,{VERSION_CHARS_MAX}}}\Z)[0-9]+(?:\.[0-9]{{{SUBSEQUENCE_DIGITS}}})?", re.ASCII)
_MEMBERS = {"position": str, "arrival_time_us": int, "origin": str, "digest": str, "compressed": bool}

assert _HEAD_BYTES_MAX < 256**_LENGTH_BYTES
assert VERSION_CHARS_MAX + 6 * ORIGIN_CHARS_MAX + 256 < _HEAD_BYTES_MAX  # JSON writes a character in six bytes at most


def wrap(event: Delivery) -> bytes:
    """Return the envelope of an event as it was first delivered; the same event always has the same.

    ``TerminalError`` if a stream would not take it. ``ValueError`` if the bytes are an envelope already, or if what
    comes with them has not the form that ``unwrap`` demands.
    """
    raw = event.raw
    if is_envelope(raw):
        raise ValueError("an envelope is sent again as it is, never in another one")
    if (fault := _fault_of(event.place, event.arrival_time_us, event.origin)) is not None:
        raise ValueError(fault)
    envelope = _framed(event, raw, compressed=False)
    if len(envelope) > ENVELOPE_BYTES_MAX and len(raw) <= RAW_BYTES_MAX:
        body = zlib.compress(raw).ljust(-(-len(raw) // INFLATION_MAX), b"\0")
        envelope = _framed(event, body, compressed=True)
    if len(envelope) > ENVELOPE_BYTES_MAX:
        raise TerminalError(
            f"an event of {len(raw):,} bytes needs {len(envelope):,} in its envelope, and a stream takes "
            f"{ENVELOPE_BYTES_MAX:,}; have its source send it again, in parts or with less in it"
        )
    return envelope


def is_envelope(data: bytes) -> bool:
    """Tell whether bytes claim to be an envelope, of whatever format and condition."""
    return data.startswith(MARKER[:-1])


def unwrap(data: bytes) -> Delivery | None:
    """Return what an envelope holds, as it was first delivered; None if the bytes are none, which costs nothing.

    ``RejectedEventError`` with code ``bad_envelope`` if it is damaged, of another format, larger inside than
    envelopes may be, or holds an envelope. It never takes more memory than ``INFLATION_MAX`` times its own size.
    """
    if not is_envelope(data):
        return None
    if not data.startswith(MARKER):
        raise _rejection("", "is of a format that this release does not read; upgrade the consumer")
    body_at = len(MARKER) + _LENGTH_BYTES
    head_bytes = int.from_bytes(data[len(MARKER) : body_at], "big")
    if len(data) < body_at + head_bytes or head_bytes > _HEAD_BYTES_MAX:
        raise _rejection("", f"ends too early, after {len(data):,} bytes")
    head = _checked_head(data[body_at : body_at + head_bytes])
    body = data[body_at + head_bytes :]
    raw = _inflated(body, min(INFLATION_MAX * len(data), RAW_BYTES_MAX)) if head["compressed"] else body
    position, subsequence = split_place(head["position"])
    redriven = Delivery(raw, position, head["arrival_time_us"], head["origin"], subsequence)
    if _digest_of(redriven) != head["digest"]:
        raise _rejection("digest", "is not that of what the envelope holds: it is damaged")
    if is_envelope(raw):
        raise _rejection("", "holds another envelope, and an event has one at most")
    return redriven


def check_first_place(redriven: Delivery, delivery: Delivery) -> None:
    """Refuse an envelope that claims what cannot be, having arrived in ``delivery``: anybody may write one.

    What it holds came earlier, in the same shard at a lower position, and not longer ago than ``REDRIVE_AGE_US_MAX``.
    Otherwise it could say of any event that its version and times are not ahead, or that it was born before all others.
    Positions of two shards say nothing of each other (Kinesis puts the shard's creation and number before the time, and
    an envelope may go to another shard than its event); there the right to send envelopes is what protects.
    """
    if not delivery.arrived or redriven.raw is delivery.raw:
        return
    age_us = delivery.arrival_time_us - redriven.arrival_time_us
    if not 0 <= age_us <= REDRIVE_AGE_US_MAX:
        raise _rejection("arrival_time_us", "is later than the envelope's own arrival, or more than 400 days before it")
    if redriven.shard == delivery.shard and int(redriven.position) > int(delivery.position):
        raise _rejection("position", "lies behind that of the envelope itself")


def _framed(event: Delivery, body: bytes, *, compressed: bool) -> bytes:
    head = orjson.dumps({
        "position": event.place,
        "arrival_time_us": event.arrival_time_us,
        "origin": event.origin,
        "digest": _digest_of(event),
        "compressed": compressed,
    })  # fmt: skip
    return b"".join((MARKER, len(head).to_bytes(_LENGTH_BYTES, "big"), head, body))


def _digest_of(event: Delivery) -> str:
    """Return a digest of everything in an envelope: it notices damage, and proves no sender."""
    head = f"{event.place} {event.arrival_time_us} {event.origin}\n"
    return digest_of_bytes(head.encode() + event.raw)


def _checked_head(text: bytes) -> dict[str, Any]:
    try:
        head = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _rejection("", "has a head that is not JSON") from None
    if not isinstance(head, dict) or head.keys() != _MEMBERS.keys():
        raise _rejection("", f"must have a head with {', '.join(_MEMBERS)}, and nothing else")
    for name, kind in _MEMBERS.items():
        if type(head[name]) is not kind:
            raise _rejection(name, f"must be of type {kind.__name__}")
    if (fault := _fault_of(head["position"], head["arrival_time_us"], head["origin"])) is not None:
        raise _rejection("", fault)
    return head


def _fault_of(place: str, arrival_time_us: int, origin: str) -> str | None:
    """Return what is wrong with the parts of a head, if anything. A place may become a version, so it is one."""
    if _PLACE.fullmatch(place) is None:
        return f"position must be 1 to {VERSION_CHARS_MAX} digits, and may end in a dot and {SUBSEQUENCE_DIGITS} more"
    if not TIME_US_MIN <= arrival_time_us <= TIME_US_MAX:
        return "arrival_time_us must lie in the years 1 to 9999"
    if not origin.isprintable() or len(origin) > ORIGIN_CHARS_MAX:
        return f"origin must be a printable text of at most {ORIGIN_CHARS_MAX:,} characters"
    return None


def _inflated(body: bytes, bytes_max: int) -> bytes:
    """Return the decompressed bytes; the zeros that may follow them are left out."""
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(body, bytes_max + 1)
    except zlib.error:
        raise _rejection("", "holds compressed bytes that are damaged") from None
    if len(raw) > bytes_max:
        raise _rejection("", f"holds more than {bytes_max:,} bytes; an envelope of this size may not")
    if not inflater.eof or inflater.unused_data.strip(b"\0"):
        raise _rejection("", "holds compressed bytes that end too early or too late")
    return raw


def _rejection(path: str, message: str) -> RejectedEventError:
    return rejection("bad_envelope", path, message)
