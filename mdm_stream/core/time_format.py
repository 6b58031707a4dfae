"""Texts of a declared date-time format to times: a part of ``strptime``'s language that depends on no locale."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from mdm_stream.core.times import TIME_US_MAX, TIME_US_MIN

FORMAT_CHARS_MAX = 64
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CENTURY_PIVOT = 69
"""Two digits from here on are of the 1900s, as POSIX has it."""
_PARTS: Mapping[str, str] = {
    "Y": "(?P<Y>[0-9]{4})",
    "y": "(?P<y>[0-9]{2})",
    "m": "(?P<m>[0-9]{1,2})",
    "b": f"(?P<b>{'|'.join(_MONTHS)})",
    "d": "(?P<d>[0-9]{1,2})",
    "H": "(?P<H>[0-9]{1,2})",
    "I": "(?P<I>[0-9]{1,2})",
    "p": "(?P<p>am|pm)",
    "M": "(?P<M>[0-9]{1,2})",
    "S": "(?P<S>[0-9]{1,2})",
    "f": "(?P<f>[0-9]{1,9})",
    "z": "(?P<z>z|[+-][0-9]{2}:?[0-9]{2})",
    "%": "%",
}
DIRECTIVES = tuple(f"%{letter}" for letter in _PARTS)
"""What a format may hold; ``%b`` is an English month of three letters."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """A compiled format. A text without an offset is in UTC."""

    written: str
    pattern: re.Pattern[str]

    def time_us(self, text: str) -> int:
        """Return the time that a text says, in microseconds since the epoch; ``ValueError`` if it is not of the format.

        Digits of a fraction beyond the sixth are cut.
        """
        found = self.pattern.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"not a time of the form {self.written}")
        parts = found.groupdict()
        try:
            moment = datetime(*_day_of(parts), *_clock_of(parts), tzinfo=_zone_of(parts.get("z")))
        except ValueError:
            raise ValueError("not a time that exists in the calendar") from None
        time_us = (moment - _EPOCH) // _MICROSECOND
        if not TIME_US_MIN <= time_us <= TIME_US_MAX:
            raise ValueError("not a time of the years 1 to 9999 in UTC")
        return time_us


@lru_cache(maxsize=256)
def time_format(written: str) -> TimeFormat:
    """Return a compiled format; ``ValueError`` says what is wrong with it."""
    if len(written) > FORMAT_CHARS_MAX:
        raise ValueError(f"is longer than {FORMAT_CHARS_MAX} characters")
    seen: set[str] = set()
    pattern = []
    at = 0
    while at < len(written):
        if written[at] != "%":
            pattern.append(r"\s+" if written[at].isspace() else re.escape(written[at].lower()))
            at += 1
            continue
        letter = written[at + 1 : at + 2]
        if letter not in _PARTS or letter in seen:
            said = "twice" if letter in seen else f"and none but {' '.join(DIRECTIVES)} is known"
            raise ValueError(f"has %{letter} {said}")
        seen.update(letter.replace("%", ""))
        pattern.append(_PARTS[letter])
        at += 2
    _require_day(seen)
    return TimeFormat(written, re.compile("".join(pattern), re.IGNORECASE))


def _require_day(seen: set[str]) -> None:
    for needed in (("Y", "y"), ("m", "b"), ("d",)):
        if len(seen.intersection(needed)) != 1:
            named = " or ".join(f"%{letter}" for letter in needed)
            raise ValueError(f"needs {named}{', one of them' if len(needed) > 1 else ''}")
    if {"H", "I"} <= seen or ("I" in seen) != ("p" in seen):
        raise ValueError("needs %H, or %I with %p")


def _day_of(parts: Mapping[str, str | None]) -> tuple[int, int, int]:
    year, short, month, name = (parts.get(each) for each in ("Y", "y", "m", "b"))
    if year is None:
        number = int(short or "0")
        whole = number + (1900 if number >= _CENTURY_PIVOT else 2000)
    else:
        whole = int(year)
    return whole, int(month) if month else _MONTHS.index(str(name).lower()) + 1, int(parts["d"] or "0")


def _clock_of(parts: Mapping[str, str | None]) -> tuple[int, int, int, int]:
    hour = int(parts.get("H") or parts.get("I") or "0")
    half = parts.get("p")
    if half is not None:
        if not 1 <= hour <= 12:
            raise ValueError("no hour of a half day")
        hour = hour % 12 + (12 if half.lower() == "pm" else 0)
    fraction = (parts.get("f") or "").ljust(6, "0")[:6]
    return hour, int(parts.get("M") or "0"), int(parts.get("S") or "0"), int(fraction)


def _zone_of(text: str | None) -> timezone:
    if text is None or text in "zZ":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    if int(text[1:3]) > 23 or int(text[-2:]) > 59:
        raise ValueError("no offset")
    return timezone(-offset if text[0] == "-" else offset)
