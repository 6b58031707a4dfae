"""Bytes to a JSON object, with a precise reason for everything that is none."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import orjson

from mdm_stream.contracts.change import EVENT_BYTES_MAX
from mdm_stream.contracts.kpl import MARKER as AGGREGATE_MARKER
from mdm_stream.core.written_numbers import WRITTEN_NUMBER_CHARS_MAX, WrittenNumber
from mdm_stream.decode.reasons import rejection
from mdm_stream.errors import RejectedEventError

_BINARY_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "is gzip data; send JSON uncompressed"),
    (AGGREGATE_MARKER, "is a KPL aggregate, which the stream alone brings; publish what is in it"),
)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ENDS_TOO_EARLY = "unexpected end of data"
"""What orjson says of a text that ends inside a value; a test tries every cut, should a later version differ."""

DEPTH_MAX = 500
"""Levels of an event with a number that must be kept as it was written: the reader of those calls itself a level."""

try:
    from re2 import compile as _compile
except ModuleNotFoundError:  # an extra without the engine, which reads what was decoded: few texts
    from re import compile as _compile

_UNSURE_NUMBER = _compile(
    rb"[:,\[\s](?:[0-9]{20}|-[0-9]{19}|-?(?:[0-9]{9,}\.[0-9]|[0-9]+\.[0-9]{8}|[0-9]+(?:\.[0-9]+)?[eE]))"
)
"""Finds every number whose digits orjson may not keep (it makes a double of what has more than 64 bits, a fraction or
an exponent), and some others. By RE2, which takes an eighth of the time here, since every event is searched."""
_NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_BEYOND_DOUBLES = "infinity"
"""What orjson says of a number that no double holds, which is JSON all the same."""
_STRING_OR_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?')
_SAFE_DIGITS = 15
"""Every decimal of so many digits is read back from the nearest double as it was written."""
_UNSIGNED_MAX = 2**64 - 1
_INTEGER_MIN = -(2**63)
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')


def parse_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object that ``raw`` holds; ``RejectedEventError`` if it is none.

    A byte order mark in front is skipped. Where a member occurs twice the last one counts, as in most JSON readers. A
    number that no machine number keeps, or that is written in scientific notation, is a ``WrittenNumber``.
    """
    if len(raw) > EVENT_BYTES_MAX:
        raise rejection("too_large", "", f"has {len(raw):,} bytes, and an event at most {EVENT_BYTES_MAX:,}")
    text = raw.removeprefix(_BYTE_ORDER_MARK)
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        fault = _fault_beside_numbers(text) if _BEYOND_DOUBLES in str(error) else error
        if fault is not None:
            raise _unreadable(text, fault if _ENDS_TOO_EARLY in str(fault) else error) from None
        parsed = None
    if not isinstance(parsed, dict) and (parsed is not None or text.lstrip()[:1] != b"{"):
        raise rejection("not_an_object", "", "is JSON, but not an object")
    return _with_all_digits(text) if parsed is None or _loses_digits(text) else parsed


def _fault_beside_numbers(text: bytes) -> orjson.JSONDecodeError | None:
    """Return what keeps a text from being JSON where each of its numbers is taken for one that a double holds."""
    try:
        orjson.loads(_STRING_OR_NUMBER.sub(lambda found: found[0] if found[0][:1] == b'"' else b"0", text))
    except orjson.JSONDecodeError as fault:
        return fault
    return None


def json_fault(text: bytes) -> RejectedEventError | None:
    """Return why a text is no JSON, ``None`` if it is."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return _unreadable(text, error)
    return None


def _loses_digits(text: bytes) -> bool:
    """Return whether a number of a JSON text has not all its digits in what orjson makes of it."""
    for found in _UNSURE_NUMBER.finditer(text):
        number = _NUMBER.match(text, found.start() + 1)
        digits = number[0].decode() if number else ""
        read = _integer if digits.removeprefix("-").isdigit() else _fraction
        if not digits or isinstance(read(digits), WrittenNumber):
            return True
    return False


def _with_all_digits(text: bytes) -> dict[str, Any]:
    """Read an object again, which orjson has found to be one, and keep its numbers as they were written."""
    if text.count(b"{") + text.count(b"[") > DEPTH_MAX and nesting_depth(text) > DEPTH_MAX:
        raise rejection("too_many", "", f"is nested deeper than {DEPTH_MAX} levels")
    parsed: dict[str, Any] = json.loads(text, parse_int=_integer, parse_float=_fraction)
    return parsed


def nesting_depth(text: bytes) -> int:
    """Return how deep the brackets of a JSON text are nested, those in its strings left out."""
    depth = deepest = 0
    for token in _TOKENS.finditer(text):
        first = token[0][0]
        if first != ord('"'):
            depth += 1 if first in b"[{" else -1
            deepest = max(deepest, depth)
    return deepest


def _integer(digits: str) -> int | WrittenNumber:
    if len(digits) > len(str(_UNSIGNED_MAX)):
        return WrittenNumber(digits)
    value = int(digits)
    return value if _INTEGER_MIN <= value <= _UNSIGNED_MAX else WrittenNumber(digits)


def _fraction(digits: str) -> float | WrittenNumber:
    mantissa, exponent, power = digits.lower().partition("e")
    if exponent:
        return WrittenNumber(digits if "." in mantissa else f"{mantissa}.0e{power}")  # the same number, known as one
    if len(digits) <= _SAFE_DIGITS:
        return float(digits)
    if len(digits) > WRITTEN_NUMBER_CHARS_MAX:
        return WrittenNumber(digits)
    value = float(digits)
    return value if Decimal(repr(value)) == Decimal(digits) else WrittenNumber(digits)


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
