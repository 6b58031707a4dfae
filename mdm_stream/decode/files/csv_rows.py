"""CSV files to change events. A row that cannot be read costs that row; the rest of the file goes on.

The first line names the columns: ``source`` and ``record_id`` (or the source's key columns), optionally ``version`` and
``event_time`` (or the columns that the rules name for them), and attributes. An empty field is null; a row is
an upsert, or a delete if the source's deletion flag says so. Names and cells lose the blanks around them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mdm_stream.core.faults import as_rejection
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.ruleset import CsvForm, Ruleset
from mdm_stream.decode.delivery import Delivery, row_position
from mdm_stream.decode.files.csv_beginning import read_dialect
from mdm_stream.decode.files.csv_dialect import CsvDialect
from mdm_stream.decode.files.csv_lines import LINE_BYTES_MAX, iter_lines
from mdm_stream.decode.files.csv_records import CsvRecord, CsvRecords, Fields
from mdm_stream.decode.files.csv_table import PADDING, CsvTable
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.sources import SourceCatalogue
from mdm_stream.errors import RejectedEventError


class CsvRow(NamedTuple):
    """A row: its bytes, the number of its first line, its own number (from 1), and its event or why it has none.

    ``record`` are domain, source and record id, if they can be read; ``cells`` what stands under each column.
    """

    raw: bytes
    line: int
    number: int
    outcome: RecordEvent | RejectedEventError
    record: tuple[str, str, str] | None
    cells: Mapping[str, str | None] | None = None


class CsvFile:
    """A CSV file as it is read once: its dialect and header at once, its rows as they are asked for."""

    def __init__(
        self,
        pieces: Iterable[bytes],
        rulesets: Mapping[str, Ruleset],
        source_default: str | None = None,
        loaded_at_us: int | None = None,
        *,
        arriving_at_us: int | None = None,
        line_bytes_max: int = LINE_BYTES_MAX,
    ) -> None:
        """Take the bytes of the file, cut anywhere, and read its beginning.

        ``source_default`` is that of rows without one; ``loaded_at_us`` is the time of the load, see ``CsvTable``. With
        ``arriving_at_us`` versions and times are judged as the stream's consumer will judge what arrives then.
        """
        self._arriving_at_us = arriving_at_us
        self.catalogue = SourceCatalogue(rulesets)
        self.dialect = CsvDialect()
        self.table: CsvTable | None = None
        self.header_fault: RejectedEventError | None = None
        self.header_line = 1
        self.header_raw = b""
        form = declared_form(rulesets, source_default)
        fields: Fields = []
        try:
            self.dialect, rest = read_dialect(pieces, form)
            self._records = iter(CsvRecords(iter_lines(rest, self.dialect, line_bytes_max), self.dialect))
            self.header_raw, self.header_line, fields = next(self._records, (b"", 1, []))
            if isinstance(fields, RejectedEventError):
                raise fields
            if self.header_raw:
                self.table = CsvTable(fields, self.catalogue, source_default, loaded_at_us)
        except RejectedEventError as fault:
            self.header_fault = fault

    @property
    def columns(self) -> frozenset[str]:
        """The names of the columns that have one."""
        return frozenset(filter(None, self.header))

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns, ``""`` for one without; none if the header cannot be read."""
        return () if self.table is None else self.table.header

    def records(self) -> Iterator[CsvRecord]:
        """Yield the rows as they are written, once, without what they say. A row of empty cells is none."""
        for record in getattr(self, "_records", ()):
            if not _is_blank(record.fields):
                yield record

    def rows(self) -> Iterator[CsvRow]:
        """Yield the rows; once. Under a header that cannot be read each is rejected. A row of empty cells is none."""
        for number, record in enumerate(self.records(), 1):
            if self.table is None:
                why = rejection("invalid_csv", "header", "cannot be read, so neither can the rows below it")
                yield CsvRow(record.raw, record.line, number, why, None)
            else:
                yield read_row(self.table, record, number, self._arriving_at_us)


class CsvPart:
    """Rows of a file that stand apart from its header: what a chunk of it holds."""

    def __init__(
        self,
        dialect: CsvDialect,
        header: Sequence[str],
        catalogue: SourceCatalogue,
        source: str,
        loaded_at_us: int,
        arriving_at_us: int,
    ) -> None:
        """Take how the file is written, the names of its columns, and what ``CsvFile`` takes."""
        self.dialect = dialect
        self.header = tuple(header)
        self.catalogue = catalogue
        self.table = CsvTable(header, catalogue, source, loaded_at_us)
        self._arriving_at_us = arriving_at_us

    def rows(self, content: bytes, first_line: int, numbers: Iterator[int]) -> Iterator[CsvRow]:
        """Yield the rows of some lines, which are numbered so."""
        lines = iter_lines((content,), self.dialect, max(LINE_BYTES_MAX, len(content)))
        for record in CsvRecords(lines, self.dialect, columns=len(self.header), first_line=first_line):
            if not _is_blank(record.fields):
                yield read_row(self.table, record, next(numbers), self._arriving_at_us)


def read_row(table: CsvTable, record: CsvRecord, number: int, arriving_at_us: int | None) -> CsvRow:
    """Return what a record says under a header. ``number`` is 1 for the first row."""
    raw, line, fields = record
    identity = row = None
    place = None if arriving_at_us is None else Delivery(b"", row_position(number), arriving_at_us)
    try:
        if isinstance(fields, RejectedEventError):
            raise fields  # noqa: TRY301 - told as any other fault of a row
        row = table.row(fields)
        route, record_id = table.key_of(row)
        identity = (route.domain, route.source.name, record_id)
        outcome: RecordEvent | RejectedEventError = table.event(row, number, place)
    except Exception as fault:  # noqa: BLE001 - one of the process is raised again
        # Without its traceback, which would keep the row's fields for as long as the error is kept.
        outcome = as_rejection(fault).with_traceback(None)
    return CsvRow(raw, line, number, outcome, identity, row)


def _is_blank(fields: Fields) -> bool:
    return isinstance(fields, list) and not any(field.strip(PADDING) for field in fields)


def iter_csv_events(
    lines: Iterable[bytes],
    rulesets: Mapping[str, Ruleset],
    source_default: str | None = None,
    loaded_at_us: int | None = None,
) -> Iterator[tuple[bytes, RecordEvent | RejectedEventError]]:
    """Yield the bytes of each row with its event, or with why it has none; the header yields nothing if it is good.

    ``lines`` are the bytes of a file, cut anywhere. A source's versions are of the kind that its rules declare.
    Without a version column the version is the time of the load and the number of the row (see ``CsvTable``), unless it
    is to be a time: the same file, loaded as of the same time, always gives the same events.
    """
    file = CsvFile(lines, rulesets, source_default, loaded_at_us)
    if file.header_fault is not None:
        yield file.header_raw, file.header_fault
    for row in file.rows():
        yield row.raw, row.outcome


def declared_form(rulesets: Mapping[str, Ruleset], source: str | None) -> CsvForm:
    """Return how a file is declared to be written: by its source, or by all CSV sources alike if none is named."""
    sources = [each for rules in rulesets.values() for each in rules.sources.values()]
    if source is None:
        forms = {each.csv for each in sources if each.format == "csv"}
    else:
        forms = {each.csv for each in sources if each.name == source}
    return forms.pop() if len(forms) == 1 else CsvForm()
