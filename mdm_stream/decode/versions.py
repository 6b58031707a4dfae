"""The version of a change: of the one kind that its source declares, and no further ahead than its arrival allows.

Versions of two kinds do not compare, and one far ahead of all others would stand for ever: whatever came after it would
be stale. So neither is taken. The kind is never learned from what came first.
"""

from __future__ import annotations

from collections.abc import Mapping

from mdm_stream.core.model import Version
from mdm_stream.core.ruleset import DAY_US, Source
from mdm_stream.core.times import parse_time_us
from mdm_stream.core.wire_formats import WIRE_FORMATS
from mdm_stream.decode.cdc.positions import number_in_position
from mdm_stream.decode.delivery import POSITION_DIGITS, Delivery, split_place
from mdm_stream.decode.reasons import rejection

_UNIT_NS: Mapping[str, int] = {
    "integer": 1,  # a counter is never above the nanoseconds since 1970, and no unit of time is
    "seconds": 1_000_000_000,
    "milliseconds": 1_000_000,
    "microseconds": 1_000,
    "nanoseconds": 1,
    "time": 1_000,
}
_EXPECTED = {"integer": "an integer", "text": "a text", "time": "an RFC 3339 text"}


def checked_version(value: object, source: Source, delivery: Delivery, path: str) -> Version:
    """Return a version that came with an event, in the form in which its kind is kept: a ``time`` as microseconds.

    ``RejectedEventError`` with ``version_kind`` or ``version_ahead``.
    """
    kind = source.version_kind
    if kind == "position":
        return _checked_position(value, delivery, path)
    if kind == "text":
        if isinstance(value, str):
            return value
        raise _wrong_kind(value, "texts", path)
    number = _time_us(value) if kind == "time" and isinstance(value, str) else value
    if not isinstance(number, int) or isinstance(number, bool):
        raise _wrong_kind(value, f"{kind}: {_EXPECTED.get(kind, f'an integer that counts {kind} since 1970')}", path)
    _check_ahead(number * _UNIT_NS[kind], source.clock_ahead_us, delivery, path)
    return number


def position_version(source: Source, delivery: Delivery, path: str) -> Version:
    """Return the version of an event that brings none: its position, if that is what the source declares."""
    if source.version_kind != "position":
        raise _wrong_kind(None, f"{source.version_kind}", path)
    return delivery.place


def checked_log_version(value: object, source: Source, delivery: Delivery, path: str) -> Version:
    """Return the version of a database log's row that is in canonical form: a text that the log's decoder makes."""
    if not isinstance(value, str):
        raise _wrong_kind(value, "positions of its log, which are texts", path)
    if source.version is not None and source.version_kind != "text":
        number = number_in_position(value)
        if number is None:
            raise _wrong_kind(value, f"{source.version_kind}, kept as texts of 20 digits", path)
        _check_ahead(number * _UNIT_NS[source.version_kind], source.clock_ahead_us, delivery, path)
    return value


def steward_version(value: Version | None, delivery: Delivery) -> int:
    """Return the version of a steward's decision: microseconds since 1970, those of its arrival if it brings none."""
    if value is None:
        return delivery.arrival_time_us
    if isinstance(value, str):
        raise rejection(
            "version_kind", "version", "is a text; a decision's version is an integer, microseconds since 1970"
        )
    _check_ahead(value * _UNIT_NS["time"], DAY_US, delivery, "version")
    return value


def _checked_position(value: object, delivery: Delivery, path: str) -> str:
    """Return a position of the stream that an event brings: what was taken out of a record of several events does."""
    position = split_place(value)[0] if isinstance(value, str) else ""
    if not (isinstance(value, str) and len(position) == POSITION_DIGITS and position.isascii() and position.isdigit()):
        raise _wrong_kind(value, "positions of the stream, which no event brings", path)
    if delivery.arrived and position > delivery.position:
        raise rejection("version_ahead", path, "is a position behind that of the event itself")
    return value


def is_row_of_log(source: Source) -> bool:
    """Tell whether a source's rows come from a database log, whose decoder makes the versions."""
    return WIRE_FORMATS[source.format].text_positions


def _check_ahead(version_ns: int, ahead_us: int, delivery: Delivery, path: str) -> None:
    if delivery.arrived and version_ns > (delivery.arrival_time_us + ahead_us) * 1_000:
        raise rejection(
            "version_ahead", path, "is further ahead of the event's arrival than the source's clock_ahead allows"
        )


def _wrong_kind(value: object, declared: str, path: str) -> Exception:
    came, line = "a value of another type", ""
    if value is None:
        came, line = "absent", "version_kind: position"
    elif isinstance(value, str):
        came, line = "a text", "version_kind: text"
    elif isinstance(value, int) and not isinstance(value, bool):
        came, line = "an integer", "version_kind: integer"
    advice = f"; correct it, or declare '{line}' for the source" if line else ""
    return rejection("version_kind", path, f"is {came}, and the source's versions are {declared}{advice}")


def _time_us(text: str) -> int | None:
    try:
        return parse_time_us(text)
    except ValueError:
        return None
