"""Lines of a CSV file to its records, in time linear in the file and in memory bounded by the largest permitted row.

A quoted field may hold line breaks, so a record may span lines. One that spans lines and turns out to be broken costs
its first line alone, and reading starts again at the second: a stray quote is one bad row, not all the rows up to the
next quote. Each line is looked at twice at most: as the beginning of a record, and as the inside of a quoted field.
What the second look finds does not depend on where the quote was opened, so it is kept for every line that opens one.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from mdm_stream.contracts.change import EVENT_BYTES_MAX
from mdm_stream.core.csv_form import COLUMNS_MAX
from mdm_stream.decode.files.csv_dialect import CsvDialect
from mdm_stream.decode.reasons import Code, rejection
from mdm_stream.errors import RejectedEventError

ROW_BYTES_MAX = EVENT_BYTES_MAX
"""Bytes of a row, line ends included: a row is an event."""
ROW_LINES_MAX = 1_000
"""More lines than a quoted field ever has: a quote that is never closed must not swallow the file."""

_LINE_END = b"\r\n"
_BLANK = " \t\xa0"

_PLAIN = CsvDialect()

Fields = list[str] | RejectedEventError
_Fault = Literal["invalid_csv", "not_utf8"]

_MESSAGES: dict[_Fault, str] = {
    "invalid_csv": "has a quote that stands inside a field, or a line break in one without quotes, in line {number:,}",
    "not_utf8": "is not {encoding} in line {number:,}, as which the file is read; convert the line or the file",
}


class CsvRecord(NamedTuple):
    """A record: its very bytes, the number of its first line (1 is the first), and its fields or why it has none."""

    raw: bytes
    line: int
    fields: Fields


@dataclass(frozen=True, slots=True)
class _Scan:
    """What a line does to a record. ``fields`` are those that it begins, one that goes on before it not counted.

    ``is_open`` says that it ends inside a quoted field. With a ``fault`` nothing else means anything.
    """

    fields: int = 0
    is_open: bool = False
    fault: _Fault | None = None


class CsvRecords:
    """The records of a file in order; blank lines are skipped.

    The first record that can be read is the header, unless ``columns`` says how many fields each has. No record has
    more, but for empty ones at its end.
    """

    def __init__(
        self, lines: Iterable[bytes], dialect: CsvDialect = _PLAIN, columns: int | None = None, first_line: int = 1
    ) -> None:
        """Take the physical lines with their line ends; they are read as the records are asked for."""
        self._lines = iter(lines)
        self._dialect = dialect
        self._grammar = _grammar_of(dialect)
        self._number = first_line - 1
        self._columns = columns
        # Lines read ahead, each with its UTF-8 and with what it does inside a quoted field: all but the last leave the
        # field open, so its end is known at once for every one of them that opens a quote. Then their sums of bytes
        # and fields.
        self._ahead: deque[tuple[bytes, bytes, _Scan]] = deque()
        self._ahead_bytes = 0
        self._ahead_fields = 0

    def __iter__(self) -> Iterator[CsvRecord]:
        """Yield the records; once."""
        while (line := self._taken()) is not None:
            if not line.strip(self._dialect.blank_bytes):
                continue
            number = self._number
            raw, fields = self._record(line)
            if isinstance(fields, list) and self._columns is None:
                self._columns = len(fields)
            yield CsvRecord(raw, number, fields)

    def _record(self, line: bytes) -> tuple[bytes, Fields]:
        if len(line) > ROW_BYTES_MAX:
            return line, rejection("too_large", "", f"has {len(line):,} bytes, and a row at most {ROW_BYTES_MAX:,}")
        text = self._dialect.utf8(line)
        simple = None if text is None else self._grammar.simple(text)
        if simple is not None and self._columns in (None, len(simple)):
            return line, simple
        scan = self._grammar.scan(text, quoted=False)
        if scan.fault is not None or text is None:
            return line, self._faulty(scan.fault or "not_utf8")
        if scan.is_open:
            return self._over_lines(line, text, scan)
        return line, self._fields_of(text, scan.fields, "")

    def _over_lines(self, line: bytes, text: bytes, first: _Scan) -> tuple[bytes, Fields]:
        """Return the record that begins with a line which opens a quote; that line alone if the record is broken."""
        opened = f"a quote that opens in line {self._number:,}"
        code = self._find_end(ROW_BYTES_MAX - len(line))
        if code is not None:
            why = _WHY_BROKEN[code].format(encoding=self._dialect.encoding)
            return line, rejection(code, "", f"has {opened} and {why}")
        texts = (text, *(ahead for _, ahead, _ in self._ahead))
        fields = self._fields_of(b"".join(texts), first.fields + self._ahead_fields, f", with {opened}")
        if isinstance(fields, RejectedEventError):
            return line, fields
        return b"".join((line, *(self._taken() or b"" for _ in range(len(self._ahead))))), fields

    def _find_end(self, bytes_max: int) -> Code | None:
        """Look ahead to the line that closes a quoted field, at most ``bytes_max`` from here; say why it has no end."""
        while not self._ahead or self._ahead[-1][2].is_open:
            if len(self._ahead) >= ROW_LINES_MAX - 1:
                return "invalid_csv"
            if self._ahead_bytes > bytes_max:
                return "too_large"
            following = next(self._lines, None)
            if following is None:
                return "invalid_csv"
            text = self._dialect.utf8(following)
            scan = self._grammar.scan(text, quoted=True)
            self._ahead.append((following, text or b"", scan))
            self._ahead_bytes += len(following)
            self._ahead_fields += scan.fields
        if (fault := self._ahead[-1][2].fault) is not None:
            return fault
        return "too_large" if self._ahead_bytes > bytes_max else None

    def _fields_of(self, text: bytes, count: int, where: str) -> Fields:
        """Return the fields of a record whose form is good, which has ``count``; or why it has too many or too few."""
        columns = self._columns
        if count > COLUMNS_MAX:
            return rejection("too_many", "", f"has {count:,} columns, and a file at most {COLUMNS_MAX:,}{where}")
        if columns is None or count == columns:
            return self._grammar.fields(text)
        fields = self._grammar.fields(text) if count > columns else []
        if any(field.strip(_BLANK) for field in fields[columns:]) or not fields:
            return rejection("ragged_row", "", f"has {count:,} fields, and the header {columns:,}{where}")
        return fields[:columns]

    def _faulty(self, fault: _Fault) -> RejectedEventError:
        said = _MESSAGES[fault].format(number=self._number, encoding=self._dialect.encoding)
        return rejection(fault, "", said)

    def _taken(self) -> bytes | None:
        """Return the next line, one that was read ahead first."""
        self._number += 1
        if not self._ahead:
            return next(self._lines, None)
        line, _, scan = self._ahead.popleft()
        self._ahead_bytes -= len(line)
        self._ahead_fields -= scan.fields
        return line


_WHY_BROKEN: dict[Code, str] = {
    "invalid_csv": f"is not closed before a delimiter or a line end within {ROW_LINES_MAX:,} lines",
    "too_large": f"is not closed within the {ROW_BYTES_MAX:,} bytes that a row may have",
    "not_utf8": "has text behind it that is not {encoding}, as which the file is read; convert it",
}


class _Grammar:
    """What lines and records of a dialect are, in UTF-8.

    It is that of Python's ``csv`` in strict mode, but that blanks may stand around a quoted field: a field is quoted if
    it begins with a quote, two quotes in it are one, and after the closing quote stands a delimiter or the line's end.
    Each step moves on by a search in C.
    """

    def __init__(self, dialect: CsvDialect) -> None:
        self._delimiter, self._quote = dialect.delimiter.encode(), dialect.quote.encode()
        blanks = b" *" if dialect.delimiter == "\t" else b"[ \t]*" if dialect.delimiter != " " else b""
        delimiter, quote = re.escape(self._delimiter), re.escape(self._quote)
        self._opening = re.compile(blanks + quote)
        self._next_opening = re.compile(delimiter + blanks + quote)
        self._padded = re.compile(quote + b"[ \t]" + b"|[ \t]" + quote)
        self._dialect = dialect
        self._behind = re.compile(blanks + b"(" + delimiter + rb"|\Z)")

    def scan(self, line: bytes | None, *, quoted: bool) -> _Scan:
        """Return what a physical line does, beginning inside a quoted field or with a field of its own."""
        if line is None:
            return _Scan(fault="not_utf8")
        text = line.rstrip(_LINE_END)
        fields, at = 0, 0
        while True:
            if quoted:
                at = self._closing(line, at)
                if at < 0:
                    return _Scan(fields, is_open=True)
                behind = self._behind.match(text, at)
                if behind is None:
                    return _Scan(fault="invalid_csv")
                if not behind[1]:
                    return _Scan(fields)
                at = behind.end()
            opening = self._opening.match(text, at) or self._next_opening.search(text, at)
            stop = len(text) if opening is None else opening.start()
            if text.find(b"\r", at, stop) >= 0 or text.find(b"\n", at, stop) >= 0:
                return _Scan(fault="invalid_csv")
            fields += text.count(self._delimiter, at, len(text) if opening is None else opening.end()) + 1
            if opening is None:
                return _Scan(fields)
            quoted, at = True, opening.end()

    def simple(self, line: bytes) -> list[str] | None:
        """Return the fields of a line that is a record, as nearly all are; ``None`` if that takes a closer look.

        They are what Python's own reader gives, in C, or a split where there is no quote.
        """
        text = line.rstrip(_LINE_END)
        if text.count(self._delimiter) >= COLUMNS_MAX:
            return None
        if self._quote not in text:
            return None if b"\r" in text or b"\n" in text else text.decode().split(self._dialect.delimiter)
        if self._padded.search(text) is not None:
            return None
        limit_before = csv.field_size_limit(ROW_BYTES_MAX)
        try:
            delimiter, quote = self._dialect.delimiter, self._dialect.quote
            return next(csv.reader([line.decode()], delimiter=delimiter, quotechar=quote, strict=True))
        except (csv.Error, StopIteration):
            return None
        finally:
            csv.field_size_limit(limit_before)

    def fields(self, record: bytes) -> list[str]:
        """Return the fields of a record in which the scans of its lines found no fault."""
        text = record.rstrip(_LINE_END)
        found: list[str] = []
        at, doubled = 0, self._quote * 2
        while True:
            opening = self._opening.match(text, at)
            if opening is None:
                end = text.find(self._delimiter, at)
                found.append((text[at:] if end < 0 else text[at:end]).decode())
                at = len(text) if end < 0 else end
            else:
                end = self._closing(record, opening.end())
                found.append(record[opening.end() : end - 1].replace(doubled, self._quote).decode())
                behind = self._behind.match(text, end)
                at = len(text) if behind is None else behind.start(1)
            if at >= len(text):
                return found
            at += len(self._delimiter)

    def _closing(self, line: bytes, at: int) -> int:
        """Return the place behind the quote that closes a field whose text goes on at ``at``; -1 if none does."""
        while (found := line.find(self._quote, at)) >= 0:
            if line[found + 1 : found + 2] != self._quote:
                return found + 1
            at = found + 2
        return -1


@lru_cache(maxsize=64)
def _grammar_of(dialect: CsvDialect) -> _Grammar:
    return _Grammar(dialect)
