"""RFC 3339 text, written and read as the integer microseconds since 1970-01-01T00:00:00Z that the core works with."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from mdm_stream.core.times import TIME_US_MAX, TIME_US_MIN, format_time_us

__all__ = ["TIME_US_MAX", "TIME_US_MIN", "format_time_us", "parse_time_us"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):(\d\d))",
    re.ASCII,
)


def parse_time_us(text: str) -> int:
    """Return the microseconds since the epoch of an RFC 3339 time (section 5.6), whose offset is required.

    Digits of the fraction beyond the sixth are cut, never rounded: a time does not move into the next second.
    ``ValueError``, without the text in it, if this is no such time; a leap second (``:60``) is none here.
    """
    parts = _RFC3339.fullmatch(text)
    if parts is None:
        raise ValueError("not an RFC 3339 time with an offset, such as 2026-01-31T09:30:00Z")
    year, month, day, hour, minute, second = (int(parts[group]) for group in range(1, 7))
    microsecond = int((parts[7] or "").ljust(6, "0")[:6])
    zone = UTC if parts[8] else _zone(parts[9], int(parts[10]), int(parts[11]))
    try:
        moment = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone)
    except ValueError:
        raise ValueError("not a time that exists in the calendar") from None
    return (moment - _EPOCH) // _MICROSECOND


def _zone(sign: str, hours: int, minutes: int) -> timezone:
    if hours > 23 or minutes > 59:
        raise ValueError("not an offset that RFC 3339 allows")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if sign == "-" else offset)
