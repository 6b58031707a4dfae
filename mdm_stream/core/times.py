"""Times as text: the integer microseconds since 1970-01-01T00:00:00Z that the core works with, as RFC 3339 and back."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from mdm_stream.core.memo import remembered

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
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
    year, month, day, hour, minute, second, fraction, utc, sign, zone_hour, zone_minute = parts.groups()
    offset_s = 0 if utc else _offset_s(sign, int(zone_hour), int(zone_minute))
    if hour > "23" or minute > "59" or second > "59":  # texts of two digits each
        raise ValueError("not a time that exists in the calendar")
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    except ValueError:
        raise ValueError("not a time that exists in the calendar") from None
    time_us = (days * 86_400 + int(hour) * 3_600 + int(minute) * 60 + int(second) - offset_s) * 1_000_000
    if fraction:
        time_us += int(fraction.ljust(6, "0")[:6])
    if not TIME_US_MIN <= time_us <= TIME_US_MAX:
        raise ValueError("not a time of the years 1 to 9999 in UTC")
    return time_us


def _offset_s(sign: str, hours: int, minutes: int) -> int:
    if hours > 23 or minutes > 59:
        raise ValueError("not an offset that RFC 3339 allows")
    offset_s = hours * 3_600 + minutes * 60
    return -offset_s if sign == "-" else offset_s
