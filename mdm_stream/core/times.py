"""Times as text: the integer microseconds since 1970-01-01T00:00:00Z that the core works with, as RFC 3339 and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from mdm_stream.core.memo import remembered

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
TIME_US_MIN, TIME_US_MAX = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The first and the last microsecond of the years 1 to 9999, which are those that RFC 3339 can write."""


@remembered(16_384)
def format_time_us(time_us: int) -> str:
    """Return microseconds since 1970-01-01T00:00:00Z as RFC 3339 text in UTC, always with six decimals.

    The text is part of the digest of a golden record. ``ValueError`` outside the years 1 to 9999.
    """
    if not TIME_US_MIN <= time_us <= TIME_US_MAX:
        raise ValueError("a time outside the years 1 to 9999 has no RFC 3339 text")
    # Not strftime, which writes years before 1000 without leading zeros on some platforms and with them on others.
    moment = _EPOCH + timedelta(microseconds=time_us)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


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
    time_us = (moment - _EPOCH) // _MICROSECOND
    if not TIME_US_MIN <= time_us <= TIME_US_MAX:
        raise ValueError("not a time of the years 1 to 9999 in UTC")
    return time_us


def _zone(sign: str, hours: int, minutes: int) -> timezone:
    if hours > 23 or minutes > 59:
        raise ValueError("not an offset that RFC 3339 allows")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if sign == "-" else offset)
