"""Physical lines to CSV records, in time linear in the file and in memory bounded by the largest permitted row.

A quoted field may hold line breaks, so a record may span lines. One that spans lines and turns out to be broken costs
its first line alone, and reading starts again at the second: a stray quote is one bad row, not all the rows up to the
next quote. Each line is looked at twice at most: as the beginning of a record, and as the inside of a quoted field.
What the second look finds does not depend on where the quote was opened, so it is kept for every line that opens one.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from mdm_stream.contracts.change import EVENT_BYTES_MAX
from mdm_stream.decode.reasons import Code, rejection
from mdm_stream.errors import RejectedEventError

ROW_BYTES_MAX = EVENT_BYTES_MAX
"""Bytes of a row, line ends included: a row is an event."""
ROW_LINES_MAX = 1_000
"""More lines than a quoted field ever has: a quote that is never closed must not swallow the file."""
COLUMNS_MAX = 4_096
"""Columns of a file, and fields of a row: as many as the widest table of the databases in use (MySQL) may have."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_END = b"\r\n"
_COMMA, _QUOTE = b",", b'"'

Fields = list[str] | RejectedEventError
_Fault = Literal["invalid_csv", "not_utf8"]

_MESSAGES: dict[_Fault, str] = {
    "invalid_csv": "has a quote that stands inside a field, or a line break in one without quotes, in line {number:,}",
    "not_utf8": "is not UTF-8 in line {number:,}; convert the file",
}


@dataclass(frozen=True, slots=True)
class _Scan:
    """What a line does to a record. ``fields`` are those that it begins, one that goes on before it not counted.

    ``is_open`` says that it ends inside a quoted field. With a ``fault`` nothing else means anything.
    """

    fields: int = 0
    is_open: bool = False
    fault: _Fault | None = None


class CsvRecords:
    """The records of a file in order: the very bytes of each, and its fields or why it has none; blank lines skipped.

    The first record that can be read is the header, whose number of fields all others must have.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Take the physical lines with their line ends; they are read as the records are asked for."""
        self._lines = iter(lines)
        self._number = 0
        self._columns: int | None = None
        # Lines read ahead, each with what it does inside a quoted field: all but the last leave the field open, so
        # its end is known at once for every one of them that opens a quote. Then their sums of bytes and fields.
        self._ahead: deque[tuple[bytes, _Scan]] = deque()
        self._ahead_bytes = 0
        self._ahead_fields = 0

    def __iter__(self) -> Iterator[tuple[bytes, Fields]]:
        """Yield the records; once."""
        while (line := self._taken()) is not None:
            if self._number == 1:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            if not line.strip():
                continue
            record, fields = self._record(line)
            if isinstance(fields, list) and self._columns is None:
                self._columns = len(fields)
            yield record, fields

    def _record(self, line: bytes) -> tuple[bytes, Fields]:
        if len(line) > ROW_BYTES_MAX:
            return line, rejection("too_large", "", f"has {len(line):,} bytes, and a row at most {ROW_BYTES_MAX:,}")
        scan = _scan(line, quoted=False)
        if scan.fault is not None:
            return line, rejection(scan.fault, "", _MESSAGES[scan.fault].format(number=self._number))
        if scan.is_open:
            return self._over_lines(line, scan)
        fault = self._miscounted(scan.fields, "")
        return line, fault or _fields_of(line)

    def _over_lines(self, line: bytes, first: _Scan) -> tuple[bytes, Fields]:
        """Return the record that begins with a line which opens a quote; that line alone if the record is broken."""
        opened = f"a quote that opens in line {self._number:,}"
        code = self._find_end(ROW_BYTES_MAX - len(line))
        if code is not None:
            return line, rejection(code, "", f"has {opened} and {_WHY_BROKEN[code]}")
        fault = self._miscounted(first.fields + self._ahead_fields, f", with {opened}")
        if fault is not None:
            return line, fault
        record = b"".join((line, *(self._taken() or b"" for _ in range(len(self._ahead)))))
        return record, _fields_of(record)

    def _find_end(self, bytes_max: int) -> Code | None:
        """Look ahead to the line that closes a quoted field, at most ``bytes_max`` from here; say why it has no end."""
        while not self._ahead or self._ahead[-1][1].is_open:
            if len(self._ahead) >= ROW_LINES_MAX - 1:
                return "invalid_csv"
            if self._ahead_bytes > bytes_max:
                return "too_large"
            following = next(self._lines, None)
            if following is None:
                return "invalid_csv"
            scan = _scan(following, quoted=True)
            self._ahead.append((following, scan))
            self._ahead_bytes += len(following)
            self._ahead_fields += scan.fields
        if (fault := self._ahead[-1][1].fault) is not None:
            return fault
        return "too_large" if self._ahead_bytes > bytes_max else None

    def _miscounted(self, count: int, where: str) -> RejectedEventError | None:
        if self._columns is not None and count != self._columns:
            return rejection("ragged_row", "", f"has {count:,} fields, and the header {self._columns:,}{where}")
        if count > COLUMNS_MAX:
            return rejection("too_many", "", f"has {count:,} columns, and a file at most {COLUMNS_MAX:,}{where}")
        return None

    def _taken(self) -> bytes | None:
        """Return the next line, one that was read ahead first."""
        self._number += 1
        if not self._ahead:
            return next(self._lines, None)
        line, scan = self._ahead.popleft()
        self._ahead_bytes -= len(line)
        self._ahead_fields -= scan.fields
        return line


def _fields_of(record: bytes) -> Fields:
    """Return the fields of a record whose form is good, as Python's own reader gives them."""
    limit_before = csv.field_size_limit(ROW_BYTES_MAX)
    try:
        return next(csv.reader([record.decode("utf-8")], strict=True))
    except (csv.Error, StopIteration):
        return rejection("invalid_csv", "", "is no row of a form that a CSV writer writes")
    finally:
        csv.field_size_limit(limit_before)


_WHY_BROKEN: dict[Code, str] = {
    "invalid_csv": f"is not closed before a comma or a line end within {ROW_LINES_MAX:,} lines",
    "too_large": f"is not closed within the {ROW_BYTES_MAX:,} bytes that a row may have",
    "not_utf8": "has text behind it that is not UTF-8; convert the file",
}


def _scan(line: bytes, *, quoted: bool) -> _Scan:
    """Return what a physical line does, beginning inside a quoted field or with a field of its own.

    The grammar is that of Python's ``csv`` in strict mode: a field is quoted if it begins with a quote, two quotes in
    it are one, and after the closing quote stands a comma or the line's end. Each step moves on by a search in C.
    """
    if not line.isascii():
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            return _Scan(fault="not_utf8")
    text = line.rstrip(_LINE_END)
    fields, at = 0, 0
    while True:
        if quoted:
            at = _closing(line, at)
            if at < 0:
                return _Scan(fields, is_open=True)
            if at >= len(text):
                return _Scan(fields)
            if text[at : at + 1] != _COMMA:
                return _Scan(fault="invalid_csv")
            at += 1
        quote = _next_opening(text, at)
        stop = len(text) if quote is None else quote
        if b"\r" in text[at:stop]:
            return _Scan(fault="invalid_csv")
        fields += text.count(_COMMA, at, stop) + 1
        if quote is None:
            return _Scan(fields)
        quoted, at = True, quote + 1


def _next_opening(text: bytes, at: int) -> int | None:
    """Return where the next quote opens a field, from the field at ``at`` on: up to it commas alone count."""
    if text.startswith(_QUOTE, at):
        return at
    found = text.find(_COMMA + _QUOTE, at)
    return None if found < 0 else found + 1


def _closing(line: bytes, at: int) -> int:
    """Return the place behind the quote that closes a field whose text goes on at ``at``; -1 if none does."""
    while (found := line.find(_QUOTE, at)) >= 0:
        if line[found + 1 : found + 2] != _QUOTE:
            return found + 1
        at = found + 2
    return -1
