"""CSV rows to change events. A row that cannot be read costs that row; the rest of the file goes on.

The first line names the columns: ``source`` and ``record_id`` (or the source's key columns), optionally ``version`` and
``event_time`` (or the columns that the rules name for them), and attributes. An empty field is null; a row is
an upsert.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from mdm_stream.contracts.change import EVENT_BYTES_MAX, INTEGER_MAX, INTEGER_MIN, TEXT_CHARS_MAX, VERSION_CHARS_MAX
from mdm_stream.core.model import RecordEvent, Version
from mdm_stream.core.ruleset import Ruleset, Source
from mdm_stream.decode.cdc.table_row import (
    attributes_of,
    checked_record_id,
    checked_time_us,
    column_time_us,
    record_id_of,
)
from mdm_stream.decode.delivery import row_position
from mdm_stream.decode.reasons import Code, rejection
from mdm_stream.decode.sources import Route, SourceCatalogue
from mdm_stream.errors import RejectedEventError

VersionKind = Literal["integer", "text"]
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_RECORD_LINES_MAX = 1_000
"""More lines than a quoted field ever has: a quote that is never closed must not swallow the file."""
_INTEGER_CHARS_MAX = 20
_FIELD_TOO_LARGE = "field larger than field limit"
"""What Python's csv module says of it; a test has such a field, should a later version differ."""


def iter_csv_events(
    lines: Iterable[bytes],
    rulesets: Mapping[str, Ruleset],
    source_default: str | None = None,
) -> Iterator[tuple[bytes, RecordEvent | RejectedEventError]]:
    """Yield the bytes of each row with its event, or with why it has none; the header yields nothing if it is good.

    ``lines`` are physical lines with their line ends. A source's versions are integers if its first row's is, else
    texts, unless the rules say which. Without a version column the number of the row (1 is the first after the header)
    is the version, and without a time microsecond ``row`` of 1970 the time: the same file always gives the same events.
    """
    catalogue = SourceCatalogue(rulesets)
    rows = iter(_CsvRecords(lines))
    raw, fields = next(rows, (b"", []))
    try:
        table = _CsvTable(_checked_header(fields), catalogue, source_default)
    except RejectedEventError as fault:
        yield raw, fault
        for row, _ in rows:
            yield row, rejection("invalid_csv", "header", "cannot be read, so neither can the rows below it")
        return
    for number, (row, fields) in enumerate(rows, start=1):
        try:
            yield row, table.event(row, fields, number)
        except RejectedEventError as fault:
            yield row, fault


class _CsvTable:
    """The rows of one file: what its header says, and the version kind of each source as its first row set it."""

    def __init__(self, header: tuple[str, ...], catalogue: SourceCatalogue, source_default: str | None) -> None:
        self._header = header
        self._catalogue = catalogue
        self._source_default = source_default
        self._routes: dict[str, Route] = {}
        self._kinds: dict[str, VersionKind] = {}

    def event(self, raw: bytes, fields: list[str] | RejectedEventError, number: int) -> RecordEvent:
        if isinstance(fields, RejectedEventError):
            raise fields
        if len(raw) > EVENT_BYTES_MAX:
            raise rejection("too_large", "", f"has {len(raw):,} bytes, and a row at most {EVENT_BYTES_MAX:,}")
        if len(fields) != len(self._header):
            raise rejection("ragged_row", "", f"has {len(fields)} fields, and the header {len(self._header)}")
        row = {name: value or None for name, value in zip(self._header, fields, strict=True)}
        source = row.get("source") or self._source_default
        if source is None:
            raise rejection("missing", "source", "is required: add the column, or name the source of the whole file")
        route = self._routes.get(source)
        if route is None:
            route = self._routes[source] = self._catalogue.by_source("csv", source)
        if route.source.key:
            record_id = record_id_of(route, row, "row")
        elif "record_id" in row:
            record_id = checked_record_id(row["record_id"] or "", "record_id")
        else:
            raise rejection("missing", "record_id", "is required: add the column, or name the key columns in the rules")
        version = self._version(route.source, row, number)
        time_us = self._time_us(route.source, row, number)
        attributes = attributes_of(route, row, "row")
        return RecordEvent(route.domain, source, record_id, "upsert", version, time_us, attributes)

    def _version(self, source: Source, row: Mapping[str, str | None], number: int) -> Version:
        column = source.version or "version"
        if column not in self._header:
            if source.version_kind == "text":
                return row_position(number)
            return number
        text = row[column]
        if text is None:
            raise rejection("missing", "version", "is empty; give every row of the file a version, or none")
        kind = source.version_kind or self._kinds.get(source.name)
        integer = _integer_of(text)
        if kind is None:
            kind = self._kinds[source.name] = "text" if integer is None else "integer"
        if kind == "text":
            if len(text) > VERSION_CHARS_MAX or not text.isprintable():
                raise rejection("wrong_format", "version", "must be a printable text of 1 to 256 characters")
            return text
        if integer is None:
            raise rejection("wrong_version_kind", "version", "must be an integer of 64 bits, as the file's first one")
        return integer

    def _time_us(self, source: Source, row: Mapping[str, str | None], number: int) -> int:
        text = row.get(source.event_time or "event_time")
        if text is None:
            return number
        return checked_time_us(column_time_us(text, "event_time"), "event_time")


class _CsvRecords:
    """CSV records with the very bytes that each was read from.

    A record that spans lines and turns out to be broken is given up after its first line, and reading starts again at
    the second: a stray quote costs one row, not all the rows up to the next quote.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._again: deque[bytes] = deque()
        self._read: list[bytes] = []
        self._columns: int | None = None

    def __iter__(self) -> Iterator[tuple[bytes, list[str] | RejectedEventError]]:
        first = True
        while True:
            self._read = []
            line = self._next_line()
            if line is None:
                return
            if first:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            if not line.strip():
                continue
            self._read.append(line)
            fields = self._fields(line)
            if isinstance(fields, list) and self._columns is None:
                self._columns = len(fields)
            first = False
            yield b"".join(self._read), fields

    def _fields(self, line: bytes) -> list[str] | RejectedEventError:
        limit_before = csv.field_size_limit(max(TEXT_CHARS_MAX, EVENT_BYTES_MAX))
        try:
            fields = next(csv.reader(self._texts(line), strict=True))
        except csv.Error as error:
            if _FIELD_TOO_LARGE in str(error):
                return self._give_up("too_long", "has a field that is larger than an event may be")
            return self._give_up("invalid_csv", "has a quote that is not closed or stands inside a field")
        except UnicodeDecodeError:
            return self._give_up("not_utf8", "is not UTF-8; convert the file")
        finally:
            csv.field_size_limit(limit_before)
        if len(self._read) > 1 and self._columns is not None and len(fields) != self._columns:
            return self._give_up("ragged_row", "has another number of fields than the header, over several lines")
        return fields

    def _texts(self, line: bytes) -> Iterator[str]:
        yield line.decode("utf-8")
        while len(self._read) < _RECORD_LINES_MAX:
            following = self._next_line()
            if following is None:
                return
            self._read.append(following)
            yield following.decode("utf-8")

    def _give_up(self, code: Code, message: str) -> RejectedEventError:
        self._again.extendleft(reversed(self._read[1:]))
        del self._read[1:]
        return rejection(code, "", message)

    def _next_line(self) -> bytes | None:
        return self._again.popleft() if self._again else next(self._lines, None)


def _checked_header(fields: list[str] | RejectedEventError) -> tuple[str, ...]:
    if isinstance(fields, RejectedEventError):
        raise fields
    names = tuple(name.strip() for name in fields)
    if len(set(names)) != len(names):
        raise rejection("invalid_csv", "header", "names a column twice")
    return names


def _integer_of(text: str) -> int | None:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(text) <= _INTEGER_CHARS_MAX):
        return None
    value = int(text)
    return value if INTEGER_MIN <= value <= INTEGER_MAX else None
