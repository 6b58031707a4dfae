"""Which form a file of rows has, by its first bytes and its name, and its rows whatever the form is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode.files.file_faults import unreadable
from mdm_stream.decode.files.file_rows import CsvFileRows, FileRows
from mdm_stream.decode.files.read_limits import ReadLimits

RowsFormat = Literal["csv", "json", "ndjson", "parquet"]
Compression = Literal["gzip", "zstd"]


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file whose beginning was read: how it is written, and its rows."""

    format: RowsFormat
    compression: Compression | None
    rows: FileRows


def open_rows(
    pieces: Iterable[bytes], name: str, rulesets: Mapping[str, Ruleset], source: str, limits: ReadLimits
) -> OpenedFile:
    """Read the beginning of a file; ``UnreadableFileError`` if it is none of rows."""
    if name.lower().endswith((".parquet", ".json", ".ndjson", ".jsonl", ".gz", ".zst")):
        raise unreadable("unsupported_form", "is of a form that is not read; send the rows as CSV")
    return OpenedFile("csv", None, CsvFileRows(pieces, rulesets, source, limits))
