"""Times as text: the integer microseconds that the core works with, as RFC 3339."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME_US_MIN, TIME_US_MAX = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The first and the last microsecond of the years 1 to 9999, which are those that RFC 3339 can write."""


@lru_cache(maxsize=16_384)
def format_time_us(time_us: int) -> str:
    """Return microseconds since 1970-01-01T00:00:00Z as RFC 3339 text in UTC, always with six decimals.

    The text is part of the digest of a golden record. ``ValueError`` outside the years 1 to 9999.
    """
    if not TIME_US_MIN <= time_us <= TIME_US_MAX:
        raise ValueError("a time outside the years 1 to 9999 has no RFC 3339 text")
    # Not strftime, which writes years before 1000 without leading zeros on some platforms and with them on others.
    moment = _EPOCH + timedelta(microseconds=time_us)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
