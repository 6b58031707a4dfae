"""Dates in mixed formats, without a clock: what a text means never depends on today."""

from __future__ import annotations

import re
from datetime import date, timedelta

from mdm_stream.core.model import MISSING, Standardised
from mdm_stream.core.standardise.placeholders import DATE_FILLERS
from mdm_stream.core.standardise.spec import Options
from mdm_stream.core.standardise.text import fold, table_rows, without_float_tail

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_EPOCH_DAYS_MAX = date.max.toordinal() - _EPOCH_ORDINAL
# Decimal digits of a Unix time in seconds (2001 to 2286), milli-, micro- and nanoseconds -> units a day.
_UNITS_A_DAY = {10: 86_400, 13: 86_400_000, 16: 86_400_000_000, 19: 86_400_000_000_000}
# A run of eight digits that is no yyyymmdd is read as ddmmyyyy only with a year that somebody alive could mean.
_COMPACT_YEARS = range(1800, 2200)

_TIME = re.compile(r"(?<=\d)(?:t|\s+|,\s*)\d{1,2}[:.]\d{2}(?:[:.]\d{2})?.*$")
_ZONE = re.compile(r"(?<=-\d\d)(?:z|[+-]\d\d:\d\d)$")
_NUMERIC = re.compile(r"(\d{1,4})\s*([-/.,\s])\s*(\d{1,2})\s*([-/.,\s])\s*(\d{1,4})")
_WORDY = re.compile(r"[^\W\d_]+|\d+")
_ORDINAL_ENDINGS = frozenset({"st", "nd", "rd", "th", "er", "of", "de", "del", "the", "a", "o"})
_MONTHS = {name: month for month, (names,) in enumerate(table_rows("months.csv"), 1) for name in fold(names).split()}
_WEEKDAYS = frozenset({
    "mon", "monday", "tue", "tues", "tuesday", "wed", "wednesday", "thu", "thur", "thurs", "thursday", "fri", "friday",
    "sat", "saturday", "sun", "sunday",
})  # fmt: skip


def standardise_date(text: str, options: Options) -> Standardised:
    """Standardise a date to ISO ``yyyy-mm-dd``; a time of day and a zone are dropped, the date is as written.

    ``day_first`` settles 3/4/2020; what has only one reading (13/4/2020, 4-Mar-99, ISO) is read so whatever it says.
    Dots say day first: 3.4.2020 is the third of April wherever dates are written so.
    Two-digit years up to ``pivot`` are 20yy, later ones 19yy. ``epoch_days`` reads integers of up to seven digits as
    days since 1970-01-01. What is no date (31 February, a year alone) is invalid, stays as written and has no match.
    """
    found = _date_of(without_float_tail(fold(text)), options)
    if found is None:
        return Standardised(text, None, valid=False)
    iso = found.isoformat()
    return MISSING if iso in DATE_FILLERS else Standardised(iso, iso)


def _date_of(folded: str, options: Options) -> date | None:
    day_first, pivot = bool(options["day_first"]), int(options["pivot"])
    if options["epoch_days"] and re.fullmatch(r"-?\d{1,7}", folded):
        return _from_epoch_days(int(folded))
    if not folded.isalnum():
        folded = _ZONE.sub("", _TIME.sub("", folded))
    if folded.isdecimal():
        return _from_digits(folded, pivot, day_first=day_first)
    if found := _NUMERIC.fullmatch(folded):
        dotted = found[2] == found[4] == "."
        return _from_three(found[1], found[3], found[5], pivot, day_first=day_first or dotted)
    return _from_words(_WORDY.findall(folded), pivot)


def _from_epoch_days(days: int) -> date | None:
    return date.fromordinal(_EPOCH_ORDINAL + days) if -_EPOCH_ORDINAL < days <= _EPOCH_DAYS_MAX else None


def _from_digits(digits: str, pivot: int, *, day_first: bool) -> date | None:
    if len(digits) in _UNITS_A_DAY:
        days = int(digits) // _UNITS_A_DAY[len(digits)]
        return date(1970, 1, 1) + timedelta(days=days)
    if len(digits) in (12, 14):  # yyyymmddHHMM and yyyymmddHHMMSS
        digits = digits[:8]
    if len(digits) == 8:
        a, b, year = int(digits[:2]), int(digits[2:4]), int(digits[4:])
        iso = _date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
        return iso or (_day_and_month(a, b, year, day_first=day_first) if year in _COMPACT_YEARS else None)
    if len(digits) == 6:
        a, b, c = int(digits[:2]), int(digits[2:4]), int(digits[4:])
        return _date(_full_year(a, pivot), b, c) or _day_and_month(a, b, _full_year(c, pivot), day_first=day_first)
    return None


def _from_three(first: str, second: str, third: str, pivot: int, *, day_first: bool) -> date | None:
    """Read three numbers: the year is the one of four digits, else the first if that can be no day, else the last."""
    a, b, c = int(first), int(second), int(third)
    if len(first) > 2:
        return _date(a, b, c) if len(first) == 4 else None
    if len(third) > 2:
        return _day_and_month(a, b, c, day_first=day_first) if len(third) == 4 else None
    if a > 31 or a == 0:
        return _date(_full_year(a, pivot), b, c)
    return _day_and_month(a, b, _full_year(c, pivot), day_first=day_first)


def _from_words(tokens: list[str], pivot: int) -> date | None:
    """Read a day, a month's name and a year in any order; the year is the number that can be no day, or the last."""
    numbers: list[str] = []
    month = 0
    for token in tokens:
        if token.isdecimal():
            numbers.append(token)
        elif token in _MONTHS and not month:
            month = _MONTHS[token]
        elif token not in _ORDINAL_ENDINGS and token not in _WEEKDAYS:
            return None
    if not month or len(numbers) != 2 or not all(len(number) in (1, 2, 4) for number in numbers):
        return None
    day, year = reversed(numbers) if len(numbers[0]) == 4 or int(numbers[0]) > 31 else numbers
    return _date(int(year) if len(year) == 4 else _full_year(int(year), pivot), month, int(day))


def _day_and_month(a: int, b: int, year: int, *, day_first: bool) -> date | None:
    if a > 12 or (day_first and b <= 12):
        return _date(year, b, a)
    return _date(year, a, b)


def _full_year(two_digits: int, pivot: int) -> int:
    return two_digits + (2000 if two_digits <= pivot else 1900)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
