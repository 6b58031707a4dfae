"""Values of a column as what they mean: counts of days and of units of time, decimals in bytes, doubles.

Each function returns a text, or ``None`` for what is not of its form: such a value is then kept as it was delivered.
Dates are those of the proleptic Gregorian calendar, as ISO 8601 writes them; a year outside 0 to 9999 has a sign and
more digits, so that nothing takes it for another date.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from uuid import UUID

from mdm_stream.core.column_types import SCALE_MAX, DeclaredColumn
from mdm_stream.core.written_numbers import EXACT_DOUBLE_MAX, WrittenNumber, plain_digits

Reader = Callable[[object], str | None]

MILLIS, MICROS, NANOS = 10**3, 10**6, 10**9
"""Units in a second."""
DECIMAL_BYTES_MAX = 128
"""Bytes of a decimal's digits: 308 digits, twice the most that a database can store in ordinary columns."""

_DAY_S = 86_400
_FIRST_DAY = date(1970, 1, 1).toordinal()
_EXCEL_FIRST_DAY = date(1899, 12, 30).toordinal() - _FIRST_DAY
_EXCEL_LEAP_DAY = 60
"""The 29th of February 1900, which spreadsheets count and the calendar has not."""
_DAYS_OF_400_YEARS = 146_097
_DAYS_BEFORE_1970 = 719_468  # from the first of March of the year 0
_INTEGER_BITS = 64
_DIGITS_MAX = 20


def integer_of(value: object) -> int | None:
    """Return a value that is a whole number of up to 64 bits, in whatever form it was sent; else ``None``."""
    if isinstance(value, WrittenNumber):
        value = value.plain
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_DOUBLE_MAX:
        value = int(value)
    if isinstance(value, str):
        bare = value.strip()
        digits = bare.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX):
            return None
        value = int(bare)
    if not isinstance(value, int) or isinstance(value, bool) or value.bit_length() > _INTEGER_BITS:
        return None
    return value


def date_of(days: int) -> str:
    """Return the ISO date of a number of days since 1970-01-01."""
    ordinal = days + _FIRST_DAY
    if 1 <= ordinal <= date.max.toordinal():
        return date.fromordinal(ordinal).isoformat()
    # Years of four centuries from the first of March, so that a leap day is the last day of a year.
    era, day = divmod(days + _DAYS_BEFORE_1970, _DAYS_OF_400_YEARS)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    month, year = (month + 3, year) if month < 10 else (month - 9, year + 1)
    year += era * 400
    sign = "-" if year < 0 else "+" if year > 9_999 else ""
    return f"{sign}{abs(year):04d}-{month:02d}-{day + 1:02d}"


def timestamp_of(count: int, units: int) -> str:
    """Return the ISO date and time of a count of units since 1970, without a zone."""
    seconds, part = divmod(count, units)
    days, seconds = divmod(seconds, _DAY_S)
    return f"{date_of(days)}T{_clock(seconds)}{_fraction(part, units)}"


def time_of(count: int, units: int) -> str:
    """Return a time of day; what databases also store so, more than a day or less than none, keeps its sign."""
    seconds, part = divmod(abs(count), units)
    return f"{'-' if count < 0 else ''}{_clock(seconds)}{_fraction(part, units)}"


def duration_of(count: int, units: int) -> str:
    """Return an ISO 8601 duration in hours, minutes and seconds."""
    seconds, part = divmod(abs(count), units)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    second = f"{seconds}{_fraction(part, units)}"
    parts = [(hours, f"{hours}H"), (minutes, f"{minutes}M"), (second != "0", f"{second}S")]
    return ("-" if count < 0 else "") + "PT" + ("".join(text for present, text in parts if present) or "0S")


def _clock(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}"


def _fraction(part: int, units: int) -> str:
    return f".{part:0{len(str(units)) - 1}d}".rstrip("0") if part else ""


def decimal_of(value: object, scale: int) -> str | None:
    """Return the digits of a decimal: an integer's bytes in base64, highest first, with ``scale`` of its digits after
    the point; a number of JSON gets as many digits.
    """
    if abs(scale) > SCALE_MAX:
        return None
    if isinstance(value, str):
        content = bytes_of(value)
        if not content or len(content) > DECIMAL_BYTES_MAX:
            return None
        return _scaled(int.from_bytes(content, "big", signed=True), scale)
    if isinstance(value, WrittenNumber):
        written = value.plain
    else:
        written = repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    number = None if written is None else Decimal(written)
    if number is None or not number.is_finite():
        return None
    # Not Decimal.scaleb, which rounds to 28 digits.
    sign, digits, exponent = number.as_tuple()
    places = int(exponent) + scale
    whole = int("".join(map(str, digits)))
    unscaled, rest = (whole * 10**places, 0) if places >= 0 else divmod(whole, 10**-places)
    return plain_digits(number) if rest else _scaled(-unscaled if sign else unscaled, scale)


def _scaled(unscaled: int, scale: int) -> str:
    if scale <= 0:
        return str(unscaled * 10**-scale)
    digits = str(abs(unscaled)).zfill(scale + 1)
    return f"{'-' if unscaled < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"


def bytes_of(text: str) -> bytes | None:
    """Return the bytes that a base64 text holds."""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None


def bits_of(value: object, length: int | None) -> str | None:
    """Return bits as SQL writes them, the highest first; their bytes come lowest first, in base64."""
    content = bytes_of(value) if isinstance(value, str) else None
    if content is None or len(content) > DECIMAL_BYTES_MAX:
        return None
    width = len(content) * 8 if length is None else length
    number = int.from_bytes(content, "little")
    return f"{number:0{width}b}" if 0 < width <= DECIMAL_BYTES_MAX * 8 and number.bit_length() <= width else None


def _double_of(value: object) -> str | None:
    return value.plain if isinstance(value, WrittenNumber) else _double_in_text(value)


def _double_in_text(value: object) -> str | None:
    return WrittenNumber(value.strip()).plain if isinstance(value, str) and _is_number(value.strip()) else None


def _is_number(text: str) -> bool:
    return len(text) <= _DIGITS_MAX * 2 and WrittenNumber(text).double is not None


def _counted(read: Callable[[int], str], value: object) -> str | None:
    count = integer_of(value)
    return None if count is None else read(count)


def _excel_date(serial: int) -> str:
    return date_of(_EXCEL_FIRST_DAY + serial + (serial < _EXCEL_LEAP_DAY))


def _uuid_of(value: object) -> str | None:
    content = bytes_of(value) if isinstance(value, str) else None
    return str(UUID(bytes=content)) if content is not None and len(content) == 16 else None


def _hex_of(value: object) -> str | None:
    content = bytes_of(value) if isinstance(value, str) else None
    return None if content is None else content.hex()


_COUNTED: Mapping[str, Callable[[int], str]] = {
    "epoch_days": date_of,
    "epoch_seconds": partial(timestamp_of, units=1),
    "epoch_millis": partial(timestamp_of, units=MILLIS),
    "epoch_micros": partial(timestamp_of, units=MICROS),
    "epoch_nanos": partial(timestamp_of, units=NANOS),
    "excel_days": _excel_date,
    "time_millis": partial(time_of, units=MILLIS),
    "time_micros": partial(time_of, units=MICROS),
    "time_nanos": partial(time_of, units=NANOS),
    "duration_micros": partial(duration_of, units=MICROS),
    "duration_nanos": partial(duration_of, units=NANOS),
}
_OTHERS: Mapping[str, Reader] = {"double": _double_of, "uuid_bytes": _uuid_of, "hex_bytes": _hex_of}


def reader_of(column: DeclaredColumn) -> Reader:
    """Return what reads the values of a column as the rules say."""
    if column.kind == "decimal":
        return partial(decimal_of, scale=column.scale)
    if column.kind in _COUNTED:
        return partial(_counted, _COUNTED[column.kind])
    return _OTHERS[column.kind]
