"""Columns of Parquet to texts: what CSV would have of the same table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from mdm_stream.core.written_numbers import EXACT_DOUBLE_MAX, plain_digits
from mdm_stream.parquet.frames import BadCell, Cell

Reader = Callable[[Any], Iterator[Cell]]
"""Takes an Arrow array, and yields a cell for each of its values, ``""`` for a null."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def reader_of_type(kind: Any) -> Reader | None:
    """Return what reads a column of an Arrow type, ``None`` for one whose values are no texts: nested, durations."""
    import pyarrow.types as t  # noqa: PLC0415 - needed for Parquet alone

    if t.is_dictionary(kind):
        inner = reader_of_type(kind.value_type)
        return None if inner is None else _of_dictionary(inner)
    known: tuple[tuple[tuple[Callable[[Any], bool], ...], Callable[[], Reader]], ...] = (
        ((t.is_null,), lambda: _nulls),
        ((t.is_integer,), lambda: _integers_as_text),
        ((t.is_string, t.is_large_string), lambda: _texts),
        ((t.is_boolean,), lambda: _booleans),
        ((t.is_float64,), lambda: _floats(64)),
        ((t.is_float16, t.is_float32), lambda: _floats(32)),
        ((t.is_decimal,), lambda: _decimals),
        ((t.is_date32,), lambda: _times(1, seconds_of_one=86_400, is_day=True)),
        ((t.is_date64,), lambda: _times(1_000, is_day=True)),
        ((t.is_timestamp,), lambda: _times(_PER_SECOND[kind.unit], in_utc=kind.tz is not None)),
        ((t.is_time,), lambda: _clocks(_PER_SECOND[kind.unit], kind.bit_width)),
        ((t.is_binary, t.is_large_binary), lambda: _binary),
    )
    return next((made() for tests, made in known if any(test(kind) for test in tests)), None)


def _nulls(array: Any) -> Iterator[Cell]:
    return iter([""] * len(array))


def _integers_as_text(array: Any) -> Iterator[Cell]:
    for value in array.to_pylist():
        yield "" if value is None else str(value)


def _texts(array: Any) -> Iterator[Cell]:
    import pyarrow as pa  # noqa: PLC0415 - needed for Parquet alone

    try:
        values = array.to_pylist()
    except UnicodeDecodeError:
        yield from _binary(array.cast(pa.binary()))
    else:
        yield from ("" if value is None else value for value in values)


def _booleans(array: Any) -> Iterator[Cell]:
    for value in array.to_pylist():
        yield "" if value is None else "true" if value else "false"


def _decimals(array: Any) -> Iterator[Cell]:
    for value in array.to_pylist():
        yield "" if value is None else f"{value:f}"


def _floats(bits: int) -> Reader:
    import numpy as np  # noqa: PLC0415 - a fifth of the process's memory, for files with such columns alone

    kind = np.float64 if bits == 64 else np.float32

    def read(array: Any) -> Iterator[Cell]:
        for value in array.to_pylist():
            if value is None or value != value:  # noqa: PLR0124 - not a number, as which data frames write a null
                yield ""
            elif abs(value) == float("inf"):
                yield BadCell("infinite", str(value))
            else:
                yield _digits_of(kind(value))

    return read


def _digits_of(value: Any) -> str:
    """Return the shortest digits that are read back as the same number, in plain notation as far as they are sure."""
    import numpy as np  # noqa: PLC0415 - as above

    digits = np.format_float_scientific(value, unique=True, trim="-")
    number = Decimal(digits)
    if abs(number) <= EXACT_DOUBLE_MAX:
        return plain_digits(number)
    mantissa, _, power = digits.partition("e")
    return digits if "." in mantissa else f"{mantissa}.0e{power}"


def _times(per_second: int, *, seconds_of_one: int = 1, is_day: bool = False, in_utc: bool = False) -> Reader:
    """Return a reader of whole numbers that count since 1970; a time without a zone gets none."""

    def read(array: Any) -> Iterator[Cell]:
        for value in _integers(array, 32 if seconds_of_one > 1 else 64):
            if value is None:
                yield ""
                continue
            seconds, rest = divmod(value * seconds_of_one, per_second)
            try:
                moment = _EPOCH + timedelta(seconds=seconds)
            except OverflowError:
                yield BadCell("beyond_calendar", str(value))
                continue
            text = moment.date().isoformat()
            if not is_day:
                text += f"T{moment.time().isoformat()}{_fraction(rest, per_second)}{'Z' if in_utc else ''}"
            yield text

    return read


def _clocks(per_second: int, bits: int) -> Reader:
    def read(array: Any) -> Iterator[Cell]:
        for value in _integers(array, bits):
            if value is None:
                yield ""
                continue
            seconds, rest = divmod(value, per_second)
            hours, minutes = divmod(seconds // 60, 60)
            yield f"{hours:02d}:{minutes:02d}:{seconds % 60:02d}{_fraction(rest, per_second)}"

    return read


def _integers(array: Any, bits: int) -> Iterator[int | None]:
    import pyarrow as pa  # noqa: PLC0415 - needed for Parquet alone

    yield from array.cast(pa.int32() if bits == 32 else pa.int64()).to_pylist()


def _fraction(rest: int, per_second: int) -> str:
    return f".{rest:0{len(str(per_second)) - 1}d}".rstrip("0") if rest else ""


def _binary(array: Any) -> Iterator[Cell]:
    for value in array.to_pylist():
        try:
            yield "" if value is None else value.decode()
        except UnicodeDecodeError:
            yield BadCell("not_utf8", value.decode("latin-1"))


def _of_dictionary(inner: Reader) -> Reader:
    def read(array: Any) -> Iterator[Cell]:
        yield from inner(array.dictionary_decode())

    return read
