"""CSV rows to change events. A row that cannot be read costs that row; the rest of the file goes on.

The first line names the columns: ``source`` and ``record_id`` (or the source's key columns), optionally ``version`` and
``event_time`` (or the columns that the rules name for them), and attributes. An empty field is null; a row is
an upsert.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from mdm_stream.contracts.change import INTEGER_MAX, INTEGER_MIN, VERSION_CHARS_MAX
from mdm_stream.core.faults import as_rejection
from mdm_stream.core.model import RecordEvent, Version
from mdm_stream.core.ruleset import Ruleset, Source
from mdm_stream.decode.cdc.table_row import (
    as_declared,
    attributes_of,
    checked_record_id,
    checked_time_us,
    column_time_us,
    record_id_of,
)
from mdm_stream.decode.clock import check_floor, version_in_history
from mdm_stream.decode.delivery import Delivery, row_position
from mdm_stream.decode.files.csv_records import CsvRecords
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.sources import Route, SourceCatalogue
from mdm_stream.decode.versions import checked_version, position_version
from mdm_stream.errors import RejectedEventError

_INTEGER_CHARS_MAX = 20


def iter_csv_events(
    lines: Iterable[bytes],
    rulesets: Mapping[str, Ruleset],
    source_default: str | None = None,
) -> Iterator[tuple[bytes, RecordEvent | RejectedEventError]]:
    """Yield the bytes of each row with its event, or with why it has none; the header yields nothing if it is good.

    ``lines`` are physical lines with their line ends. A source's versions are of the kind that its rules declare.
    Without a version column the number of the row (1 is the first after the header) is the version, unless it is to be
    a time; without a time microsecond ``row`` of 1970 is the time: the same file always gives the same events.
    """
    catalogue = SourceCatalogue(rulesets)
    rows = iter(CsvRecords(lines))
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
            yield row, table.event(fields, number)
        except Exception as fault:  # noqa: BLE001 - one of the process is raised again
            # Without its traceback, which would keep the row's fields for as long as the error is kept.
            yield row, as_rejection(fault).with_traceback(None)


class _CsvTable:
    """The rows of one file, as its header says how to read them."""

    def __init__(self, header: tuple[str, ...], catalogue: SourceCatalogue, source_default: str | None) -> None:
        self._header = header
        self._catalogue = catalogue
        self._source_default = source_default
        self._routes: dict[str, Route] = {}

    def event(self, fields: list[str] | RejectedEventError, number: int) -> RecordEvent:
        if isinstance(fields, RejectedEventError):
            raise fields
        row: Mapping[str, str | None] = {name: value or None for name, value in zip(self._header, fields, strict=True)}
        source = row.get("source") or self._source_default
        if source is None:
            raise rejection("missing", "source", "is required: add the column, or name the source of the whole file")
        route = self._routes.get(source)
        if route is None:
            route = self._routes[source] = self._catalogue.by_source("csv", source)
        row = as_declared(route, row)
        if route.source.key:
            record_id = record_id_of(route, row, "row")
        elif "record_id" in row:
            record_id = checked_record_id(row["record_id"] or "", "record_id")
        else:
            raise rejection("missing", "record_id", "is required: add the column, or name the key columns in the rules")
        version = self._version(route.source, row, number)
        time_us = self._time_us(route.source, row, number)
        attributes = attributes_of(route, row, "row")
        event = RecordEvent(route.domain, source, record_id, "upsert", version, time_us, attributes)
        placed = version_in_history(event, route.source, Delivery.from_row(b"", number))
        return event if placed is version else replace(event, version=placed)

    def _version(self, source: Source, row: Mapping[str, str | None], number: int) -> Version:
        column = source.version or "version"
        place = Delivery.from_row(b"", number)
        if column not in self._header:
            if source.version_kind == "integer":
                return number
            return row_position(number) if source.version_kind == "text" else position_version(source, place, column)
        text = row[column]
        if text is None:
            raise rejection("missing", "version", "is empty; give every row of the file a version, or none")
        if len(text) > VERSION_CHARS_MAX or not text.isprintable():
            raise rejection("wrong_format", "version", "must be a printable text of 1 to 256 characters")
        integer = None if source.version_kind == "text" else _integer_of(text)
        return checked_version(text if integer is None else integer, source, place, "version")

    def _time_us(self, source: Source, row: Mapping[str, str | None], number: int) -> int:
        text = row.get(source.event_time or "event_time")
        if text is None:
            return number
        time_us = checked_time_us(column_time_us(text, "event_time"), "event_time")
        check_floor(time_us, source)
        return time_us


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
