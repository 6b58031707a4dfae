"""The rows of a file of any form, written in CSV under one header: what all later steps read.

A CSV file's rows are its very bytes, in its own dialect. Those of the other forms are written in UTF-8 with commas,
quotes and line feeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode.files.csv_dialect import CsvDialect
from mdm_stream.decode.files.csv_lines import LineTooLongError
from mdm_stream.decode.files.csv_rows import CsvFile
from mdm_stream.decode.files.file_faults import unreadable
from mdm_stream.decode.files.read_limits import ReadLimits
from mdm_stream.errors import RejectedEventError


class FileRow(NamedTuple):
    """A row in CSV, its line end included, and its line in a CSV file, its number in any other.

    ``fault`` says why it cannot be put in CSV; ``raw`` are then its bytes as they were delivered.
    """

    raw: bytes
    line: int
    fault: RejectedEventError | None = None


class FileRows(Protocol):
    """A file whose beginning was read. Its rows come once; ``UnreadableFileError`` may end them."""

    @property
    def dialect(self) -> CsvDialect:
        """That of the rows."""

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns, ``""`` for one without."""

    @property
    def found(self) -> tuple[str, ...]:
        """The names of columns that the file itself has."""

    def __iter__(self) -> Iterator[FileRow]:
        """Yield the rows; one of empty cells is none."""

    @property
    def late_members(self) -> int:
        """How many rows so far had a member that is no column, and that no rule is about."""


class CsvFileRows:
    """The rows of a CSV file."""

    late_members = 0

    def __init__(
        self, pieces: Iterable[bytes], rulesets: Mapping[str, Ruleset], source: str, limits: ReadLimits
    ) -> None:
        """Read the beginning; ``UnreadableFileError`` if there is no header that can be read."""
        try:
            self._file = CsvFile(pieces, rulesets, source, line_bytes_max=limits.line_bytes_max)
        except LineTooLongError as error:
            raise unreadable("giant_line", f"cannot be read: {error}") from error
        fault = self._file.header_fault
        if fault is not None:
            reason = fault.reasons[0]
            if reason.code == "binary":
                raise unreadable("unsupported_form", reason.message)
            raise unreadable("header", reason.message, "header")
        if self._file.table is None:
            raise unreadable("empty_file", "holds nothing, not even a header")
        self.dialect = self._file.dialect
        self.header = self.found = self._file.header

    def __iter__(self) -> Iterator[FileRow]:
        """Yield the rows; once."""
        try:
            for raw, line, fields in self._file.records():
                yield FileRow(raw, line, None if isinstance(fields, list) else fields)
        except LineTooLongError as error:
            raise unreadable("giant_line", f"cannot be read: {error}") from error
