"""A row of a CSV file as an event of the change stream: one that could not be read, with all that says what it means.

``mdm_stream.decode.files.csv_row_event`` writes and reads it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mdm_stream.contracts.change import EVENT_BYTES_MAX
from mdm_stream.core.csv_form import COLUMNS_MAX, DELIMITER_PATTERN, CsvEncoding

FILE_NAME_CHARS_MAX = 1_024
_Count = Annotated[int, Field(ge=1, le=2**53)]


class _RowModel(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ClaimedRecord(_RowModel):
    """The record that a row claims to be about."""

    domain: str
    source: str
    record_id: str


class CsvRowContent(_RowModel):
    """A row with its place, header and dialect. Either ``text`` or, for bytes not of the encoding, ``latin1``.

    ``source`` is the one named by hand, ``loaded_at`` the time of the load. ``record`` is null where it cannot be read.
    """

    file: Annotated[str, Field(max_length=FILE_NAME_CHARS_MAX)]
    line: _Count
    row: _Count
    header: Annotated[list[Annotated[str, Field(max_length=EVENT_BYTES_MAX)]], Field(max_length=COLUMNS_MAX)]
    delimiter: Annotated[str, Field(pattern=DELIMITER_PATTERN)]
    quote: Literal['"', "'"]
    line_end: Literal["\n", "\r"]
    encoding: CsvEncoding
    source: str | None
    loaded_at: str | None
    text: str | None = None
    latin1: str | None = None
    record: ClaimedRecord | None


class CsvRowEvent(_RowModel):
    """The whole event: one row under the mark by which it is known."""

    csv_row: CsvRowContent
