"""The signature of a canonical event: HMAC-SHA256 under a key that its sender and the consumers share.

What is signed is not the event's text, which every JSON writer writes in its own way, but one form of its content that
needs no rule about escapes or digits. It is, in bytes::

    mdm-stream event 1 LF  key id LF  value

    value of null, true, false   n  t  f
    value of an integer          i DIGITS ;            the number in decimal, with - if it is negative
    value of another number      d HEX                 its IEEE 754 double, highest byte first, in 16 hex digits
    value of a text              s LENGTH : BYTES      its UTF-8 bytes, and how many
    value of an array            [ VALUES ]
    value of an object           { NAMES AND VALUES }  each name as a text, sorted by the names' UTF-8 bytes

The value is the event, an object, without its member ``signature``. A number is an integer if its JSON text has neither
a fraction nor an exponent; integers have 64 bits. Hex digits are in lower case, and nothing stands between the parts.

A signature proves who said something, not that it was said once: an event that is put on a stream again is the event
that it was, and changes nothing. So a signed event has a ``version`` and an ``event_time`` of its own (an erasure the
time): what takes either from its place on the stream would be another event there.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mdm_stream.contracts.change import INTEGER_MAX, INTEGER_MIN
from mdm_stream.core.written_numbers import WrittenNumber

KEY_BYTES_MIN = 32
SIGNED_BYTES_MAX = 1_024
"""By how much a signature may lengthen an event, ample for the longest key id."""
"""As many bytes as the digest has: a shorter key is the weaker part (RFC 2104, section 3)."""
DEPTH_MAX = 32
"""An event has two levels of its own; what is nested deeper than this is no event."""

_PREFIX = b"mdm-stream event 1\n"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key and its name. The secret is never shown; ``ValueError`` if it is too short."""

    key_id: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a secret that can be guessed."""
        if len(self.secret) < KEY_BYTES_MIN:
            raise ValueError(f"a signing key has at least {KEY_BYTES_MIN} random bytes")

    def signature_of(self, event: Mapping[str, Any]) -> str:
        """Return the signature of an event in hex digits; a ``signature`` that it has already does not count.

        ``ValueError`` for what JSON cannot say, or an integer of more than 64 bits.
        """
        return hmac.new(self.secret, signed_bytes(event, self.key_id), hashlib.sha256).hexdigest()


def signed(event: Mapping[str, Any], key: SigningKey) -> dict[str, Any]:
    """Return a canonical event with its signature.

    ``ValueError`` if it lacks a version or a time of its own, without which a copy of it would be another event.
    """
    if not may_be_signed(event):
        raise ValueError("a signed event needs a version and an event_time of its own, an erasure an event_time")
    content = {name: value for name, value in event.items() if name != "signature"}
    return {**content, "signature": {"key_id": key.key_id, "value": key.signature_of(content)}}


def may_be_signed(event: Mapping[str, Any]) -> bool:
    """Tell whether an event is the same wherever it lies on a stream, so that a copy of it is harmless."""
    versioned = event.get("version") is not None or event.get("op") == "erase"
    return versioned and event.get("event_time") is not None


def is_signed_by(event: Mapping[str, Any], value: str, key: SigningKey) -> bool:
    """Tell whether ``value`` is the signature of an event; takes as long for every value that is not."""
    try:
        return hmac.compare_digest(key.signature_of(event).encode(), value.encode())
    except ValueError:
        return False


def signed_bytes(event: Mapping[str, Any], key_id: str) -> bytes:
    """Return the bytes that a signature is made of; ``ValueError`` for what they cannot hold."""
    parts = [_PREFIX, key_id.encode(), b"\n"]
    _write({name: value for name, value in event.items() if name != "signature"}, parts, 0)
    return b"".join(parts)


def _write(value: object, parts: list[bytes], depth: int) -> None:
    if depth > DEPTH_MAX:
        raise ValueError(f"nested deeper than {DEPTH_MAX} levels")
    if isinstance(value, Mapping):
        parts.append(b"{")
        for name in sorted(value, key=_name_bytes):
            parts.append(_scalar_bytes(name))
            _write(value[name], parts, depth + 1)
        parts.append(b"}")
    elif isinstance(value, list | tuple):
        parts.append(b"[")
        for item in value:
            _write(item, parts, depth + 1)
        parts.append(b"]")
    else:
        parts.append(_scalar_bytes(value))


def _scalar_bytes(value: object) -> bytes:
    if value is None or isinstance(value, bool):
        return {None: b"n", True: b"t", False: b"f"}[value]
    if isinstance(value, str):
        text = value.encode()
        return b"s%d:%s" % (len(text), text)
    if isinstance(value, WrittenNumber):
        value = value.double
    if isinstance(value, float):
        return b"d" + struct.pack(">d", value).hex().encode()
    if isinstance(value, int) and INTEGER_MIN <= value <= INTEGER_MAX:
        return b"i%d;" % value
    raise ValueError("what JSON cannot say, or a number of more digits than a machine number has; send it as a text")


def _name_bytes(name: object) -> bytes:
    if not isinstance(name, str):
        raise ValueError("a member's name is a text")  # noqa: TRY004 - one kind of error for callers
    return name.encode()
