"""Bytes to a JSON object, with a precise reason for everything that is none."""

from __future__ import annotations

from typing import Any

import orjson

from mdm_stream.contracts.change import EVENT_BYTES_MAX
from mdm_stream.decode.reasons import rejection
from mdm_stream.errors import RejectedEventError

_BINARY_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "is gzip data; send JSON uncompressed"),
    (b"\xf3\x89\x9a\xc2", "is a KPL aggregate; split it into user records before they are decoded"),
)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ENDS_TOO_EARLY = "unexpected end of data"
"""What orjson says of a text that ends inside a value; a test tries every cut, should a later version differ."""


def parse_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object that ``raw`` holds; ``RejectedEventError`` if it is none.

    A byte order mark in front is skipped. Where a member occurs twice the last one counts, as in most JSON readers.
    """
    if len(raw) > EVENT_BYTES_MAX:
        raise rejection("too_large", "", f"has {len(raw):,} bytes, and an event at most {EVENT_BYTES_MAX:,}")
    text = raw.removeprefix(_BYTE_ORDER_MARK)
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _unreadable(text, error) from None
    if not isinstance(parsed, dict):
        raise rejection("not_an_object", "", "is JSON, but not an object")
    return parsed


def _unreadable(text: bytes, error: orjson.JSONDecodeError) -> RejectedEventError:
    if not text.strip():
        return rejection("empty", "", "holds nothing but white space")
    fault = _encoding_fault(text)
    if fault is not None:
        return fault
    if _ENDS_TOO_EARLY in str(error):
        return rejection("truncated_json", "", f"ends inside a value, after {len(text):,} bytes")
    return rejection("invalid_json", "", f"is not JSON from character {error.pos:,} on")


def _encoding_fault(text: bytes) -> RejectedEventError | None:
    for magic, sentence in _BINARY_KINDS:
        if text.startswith(magic):
            return rejection("binary", "", sentence)
    if b"\0" in text:
        return rejection("binary", "", "holds zero bytes: it is binary data or text that is not UTF-8")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as fault:
        # A text cut in the middle of a character is a truncated event, not one in another encoding.
        if fault.reason == "unexpected end of data":
            return rejection("truncated_json", "", f"ends inside a character, after {len(text):,} bytes")
        return rejection("not_utf8", "", f"is not UTF-8 from byte {fault.start:,} on")
    return None
