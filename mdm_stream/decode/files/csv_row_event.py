r"""A row of a CSV file as an event of the stream: what ``publish`` sends of a row that it cannot read.

It carries everything that says what the row means: its text, the header, the dialect, the source named by hand and the
time of the load. So the consumer rejects it for the true reason, the quarantine knows file and line, and once the rules
are mended a redrive reads it as the file would be read then.

    {"csv_row": {"file": "people.csv", "line": 17, "row": 16, "header": ["id", "name"], "delimiter": ";",
                 "quote": "\"", "line_end": "\n", "encoding": "utf-8", "source": "desk",
                 "loaded_at": "2026-01-31T09:30:00Z", "text": "7;Ada\n",
                 "record": {"domain": "person", "source": "desk", "record_id": "7"}}}

``latin1`` stands in place of ``text`` for bytes that are not of the encoding. ``record`` is what the row claims to be
about, null if that cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from mdm_stream.contracts.csv_row import FILE_NAME_CHARS_MAX, CsvRowContent
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.times import format_time_us, parse_time_us
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.files.csv_dialect import CsvDialect
from mdm_stream.decode.files.csv_lines import iter_lines
from mdm_stream.decode.files.csv_records import CsvRecords
from mdm_stream.decode.files.csv_rows import CsvFile, CsvPart, CsvRow
from mdm_stream.decode.files.csv_table import LOADED_AT_US_MAX, PADDING, CsvTable
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.sources import SourceCatalogue
from mdm_stream.errors import RejectedEventError

MARK = "csv_row"
MARKS = frozenset({MARK})


def encode_csv_row(
    file: CsvFile | CsvPart, row: CsvRow, name: str, source: str | None, loaded_at_us: int | None
) -> bytes:
    """Return the event of a row of a file; ``name`` is the file's, ``source`` what was named by hand."""
    dialect = file.dialect
    try:
        written = {"text": row.raw.decode(dialect.encoding)}
    except UnicodeError:
        written = {"latin1": row.raw.decode("latin-1")}
    claimed = None if row.record is None else dict(zip(("domain", "source", "record_id"), row.record, strict=True))
    return orjson.dumps({
        MARK: {
            "file": name[-FILE_NAME_CHARS_MAX:],
            "line": row.line,
            "row": row.number,
            "header": list(file.header),
            "delimiter": dialect.delimiter,
            "quote": dialect.quote,
            "line_end": dialect.line_end,
            "encoding": dialect.encoding,
            "source": source,
            "loaded_at": None if loaded_at_us is None else format_time_us(loaded_at_us),
            **written,
            "record": claimed,
        }
    })  # fmt: skip


def is_csv_row(event: Mapping[str, Any]) -> bool:
    """Tell whether an object has the mark of such an event."""
    return MARK in event


def has_own_time(_event: Mapping[str, Any]) -> bool:
    """Tell that the event brings all that a decoder needs: the time of the load and the row's number are in it."""
    return True


def decode_csv_row(event: Mapping[str, Any], delivery: Delivery, catalogue: SourceCatalogue) -> tuple[ChangeEvent, ...]:
    """Return the change that a row says; ``RejectedEventError`` with the reason for which the file's reader has it."""
    if len(event) > 1:
        raise rejection("unexpected", "", "has members beside csv_row")
    try:
        held = CsvRowContent.model_validate(event[MARK])
    except ValidationError as error:
        # Where it is wrong is not said: the names of members are the sender's.
        raise rejection(
            "wrong_format", MARK, f"is no row that publish sends, in {error.error_count()} places"
        ) from None
    loaded_at_us = None if held.loaded_at is None else _time_us(held.loaded_at)
    table = CsvTable(held.header, catalogue, held.source, loaded_at_us)
    return (table.event(table.row(_fields_of(held)), held.row, delivery),)


def cells_of_csv_row(event: Mapping[str, Any]) -> dict[str, str | None]:
    """Return what stands under each column in an event that ``decode_csv_row`` takes; an empty cell is null."""
    held = CsvRowContent.model_validate(event[MARK])
    names = [name.strip(PADDING) for name in held.header]
    cells = (cell.strip(PADDING) or None for cell in _fields_of(held))
    return {name: cell for name, cell in zip(names, cells, strict=True) if name}


def _fields_of(held: CsvRowContent) -> list[str]:
    dialect = CsvDialect(held.encoding, held.delimiter, held.quote, held.line_end)
    lines = iter_lines((_bytes_of(held),), dialect)
    records = list(CsvRecords(lines, dialect, columns=len(held.header), first_line=held.line))
    if records and isinstance(records[0].fields, RejectedEventError):
        raise records[0].fields
    if len(records) != 1 or not isinstance(records[0].fields, list):
        raise rejection("invalid_csv", MARK, "is not the text of one row")
    return records[0].fields


def _bytes_of(held: CsvRowContent) -> bytes:
    try:
        if held.text is not None and held.latin1 is None:
            return held.text.encode(held.encoding)
        if held.latin1 is not None and held.text is None:
            return held.latin1.encode("latin-1")
    except UnicodeError:
        raise rejection("wrong_format", MARK, "has text that is not of its encoding") from None
    raise rejection("wrong_format", MARK, "needs either text or latin1")


def _time_us(text: str) -> int:
    try:
        time_us = parse_time_us(text)
    except ValueError:
        raise rejection("wrong_format", f"{MARK}.loaded_at", "is no RFC 3339 time") from None
    if not 0 <= time_us <= LOADED_AT_US_MAX:
        raise rejection("out_of_range", f"{MARK}.loaded_at", "is no time of a load")
    return time_us
