"""The rows under one header to change events. A row that cannot be read costs that row alone."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from mdm_stream.contracts.change import INTEGER_MAX, INTEGER_MIN, VERSION_CHARS_MAX
from mdm_stream.core.model import NO_PLACE, RecordEvent, RecordOp, Version
from mdm_stream.core.ruleset import Source
from mdm_stream.core.time_format import time_format
from mdm_stream.decode.cdc.table_row import (
    as_declared,
    attributes_of,
    checked_record_id,
    checked_time_us,
    column_time_us,
    record_id_of,
)
from mdm_stream.decode.clock import dated_record
from mdm_stream.decode.delivery import Delivery, row_position
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.sources import Route, SourceCatalogue
from mdm_stream.decode.versions import checked_version, position_version

PADDING = " \t\r\n\xa0\u3000"
"""What is taken off both ends of a name or a cell: blanks, of which exports of fixed width are full."""

_INTEGER_CHARS_MAX = 20
_ROW_VERSIONS = frozenset({"integer", "nanoseconds"})

LOADED_AT_US_MAX = 9_000_000_000_000_000
"""The year 2255: nanoseconds of a later time are no version of 64 bits."""

_UNITS_US: Mapping[str, float] = {
    "seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1, "time": 1, "nanoseconds": 0.001,
}  # fmt: skip
Row = Mapping[str, str | None]


class CsvTable:
    """Makes events of the rows under a header.

    A row without a version column has the version (``loaded_at_us``, its number): as nanoseconds since 1970, to which
    the number is added, so that whatever was exported later supersedes it. Without a time of the load the number alone
    is its version, and microsecond ``number`` of 1970 its time.
    """

    def __init__(
        self,
        header: Sequence[str],
        catalogue: SourceCatalogue,
        source_default: str | None,
        loaded_at_us: int | None = None,
    ) -> None:
        """Take the names of the columns, padded or not; ``RejectedEventError`` if one is there twice."""
        self.header = tuple(name.strip(PADDING) for name in header)
        self._places = tuple((name, place) for place, name in enumerate(self.header) if name)
        names = {name for name, _ in self._places}
        if len(names) != len(self._places):
            raise rejection("invalid_csv", "header", "names a column twice")
        if not names:
            raise rejection("invalid_csv", "header", "names no column")
        self._names = frozenset(names)
        self._catalogue = catalogue
        self._source_default = source_default
        self._loaded_at_us = loaded_at_us
        self._routes: dict[str, Route] = {}

    @property
    def routes(self) -> tuple[Route, ...]:
        """Those of the rows so far, in the order in which they came up."""
        return tuple(self._routes.values())

    def row(self, fields: Sequence[str]) -> dict[str, str | None]:
        """Return the cells of a row by the names of their columns; an empty one is null."""
        return {name: fields[place].strip(PADDING) or None for name, place in self._places}

    def key_of(self, row: Row) -> tuple[Route, str]:
        """Return the route of a row and its record id."""
        source = row.get("source") or self._source_default
        if source is None:
            raise rejection("missing", "source", "is required: add the column, or name the source of the whole file")
        route = self._routes.get(source)
        if route is None:
            route = self._routes[source] = self._catalogue.by_source("csv", source)
        row = as_declared(route, row)
        if route.source.key:
            return route, record_id_of(route, row, "row")
        if "record_id" not in row:
            raise rejection("missing", "record_id", "is required: add the column, or name the key columns in the rules")
        return route, checked_record_id(row["record_id"] or "", "record_id")

    def event(self, row: Row, number: int, delivery: Delivery | None = None) -> RecordEvent:
        """Return the event of a row; ``number`` is 1 for the first. ``RejectedEventError`` says what is wrong."""
        route, record_id = self.key_of(row)
        row, source = as_declared(route, row), route.source
        place = delivery or Delivery.from_row(b"", number)
        version = self._version(source, row, number, place)
        time_us = self._time_us(source, row, number)
        deleted = _is_deleted(source, row)
        attributes = {} if deleted else attributes_of(route, row, "row")
        op: RecordOp = "delete" if deleted else "upsert"
        return dated_record(route.domain, source, record_id, op, version, time_us, attributes, NO_PLACE, place)

    def _version(self, source: Source, row: Row, number: int, place: Delivery) -> Version:
        column = source.version or "version"
        if column not in self._names:
            if source.version is not None:
                raise rejection("missing", "version", "is a column that the rules name, and the file has not")
            return self._load_version(source, number, place)
        text = row[column]
        if text is None:
            raise rejection("missing", "version", "is empty; give every row of the file a version, or none")
        if len(text) > VERSION_CHARS_MAX or not text.isprintable():
            raise rejection("wrong_format", "version", "must be a printable text of 1 to 256 characters")
        if source.version_format is not None:
            return checked_version(_time_of(text, source.version_format, "version"), source, place, "version")
        integer = None if source.version_kind == "text" else _integer_of(text)
        return checked_version(text if integer is None else integer, source, place, "version")

    def _load_version(self, source: Source, number: int, place: Delivery) -> Version:
        version = (self._loaded_at_us or 0) * 1_000 + number
        if source.version_kind == "integer" or (source.version_kind in _ROW_VERSIONS and self._loaded_at_us):
            return checked_version(version, source, place, "version")
        if source.version_kind in ("text", "position"):
            return checked_version(row_position(version), source, place, "version")
        return position_version(source, place, source.version or "version")

    def _time_us(self, source: Source, row: Row, number: int) -> int:
        text = row.get(source.event_time or "event_time")
        if text is None:
            return number if self._loaded_at_us is None else self._loaded_at_us
        if source.event_time_format is not None:
            return _time_of(text, source.event_time_format, "event_time")
        return checked_time_us(column_time_us(text, "event_time"), "event_time")


def absence_version(source: Source, loaded_at_us: int, number: int, *, has_versions: bool) -> Version | None:
    """Return the version of the deletion of a record that a full load has not; ``None`` if none can be told.

    It is that of a row behind the last, which has ``number``; or the time of the load where rows bring times as their
    versions. A counter of the source says nothing of a row that is not there.
    """
    if not has_versions:
        version = loaded_at_us * 1_000 + number
        if source.version_kind in _ROW_VERSIONS:
            return version
        return row_position(version) if source.version_kind in ("text", "position") else None
    unit_us = _UNITS_US.get(source.version_kind)
    return None if unit_us is None else int(loaded_at_us // unit_us)


def has_versions(source: Source, columns: Container[str]) -> bool:
    """Tell whether a file with these columns brings the versions of a source's rows."""
    return (source.version or "version") in columns


def _is_deleted(source: Source, row: Row) -> bool:
    flag = source.deletion
    return flag is not None and (row.get(flag.column) or "").lower() in flag.values


def _time_of(text: str, written: str, path: str) -> int:
    try:
        return time_format(written).time_us(text)
    except ValueError as error:
        raise rejection("wrong_format", path, f"is {error}") from None


def _integer_of(text: str) -> int | None:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(text) <= _INTEGER_CHARS_MAX):
        return None
    value = int(text)
    return value if INTEGER_MIN <= value <= INTEGER_MAX else None
