"""Which form a file of rows has, by its first bytes and its name, and its rows whatever the form is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode.files.compression import Compression, compression_of, decompressed
from mdm_stream.decode.files.file_faults import unreadable
from mdm_stream.decode.files.file_rows import CsvFileRows, FileRows
from mdm_stream.decode.files.json_elements import array_elements, line_elements
from mdm_stream.decode.files.json_rows import JsonRows
from mdm_stream.decode.files.parquet_rows import ParquetRows
from mdm_stream.decode.files.read_limits import ReadLimits
from mdm_stream.decode.sources import SourceCatalogue

RowsFormat = Literal["csv", "json", "ndjson", "parquet"]

ADVICE = "send the rows as CSV, NDJSON or Parquet, plain or compressed by gzip or zstd"
_LOOKED_AT_BYTES = 4_096
_TAR_AT = 257
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UNSUPPORTED: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "an Excel workbook or a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "a rich-text document"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ\x00", "compressed by xz"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"ARROW1\x00\x00", "an Arrow file"),
    (b"SQLite format 3\x00", "a SQLite database"),
    (b"PGP", "encrypted by PGP"),
    (b"-----BEGIN PGP", "encrypted by PGP"),
)
_MARKUP = (b"<!doctype html", b"<html", b"<?xml")
_PARQUET = b"PAR1"
_PARQUET_PAGE = b"\x15"
"""What stands behind the mark at the beginning of a Parquet file: the first field of a page's header."""
_BY_SUFFIX: tuple[tuple[str, RowsFormat], ...] = (
    (".csv", "csv"), (".tsv", "csv"), (".psv", "csv"), (".txt", "csv"), (".ndjson", "ndjson"), (".jsonl", "ndjson"),
    (".json", "json"), (".parquet", "parquet"),
)  # fmt: skip
_COMPRESSED = (".gz", ".gzip", ".zst", ".zstd")


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A file whose beginning was read: how it is written, and its rows."""

    format: RowsFormat
    compression: Compression | None
    rows: FileRows


def open_rows(
    pieces: Iterable[bytes], name: str, rulesets: Mapping[str, Ruleset], source: str, limits: ReadLimits
) -> OpenedFile:
    """Read the beginning of a file; ``UnreadableFileError`` if it is none of rows.

    ``name`` tells the form where the content leaves it open. A file in a compressed one is refused if it is compressed
    too.
    """
    beginning, content = _peeked(pieces)
    compression = compression_of(beginning)
    if compression is not None:
        beginning, content = _peeked(decompressed(content, compression, limits))
        if compression_of(beginning) is not None:
            raise unreadable("unsupported_form", "is compressed twice; compress it once")
    refuse_form(beginning)
    form = _form_of(beginning, name)
    if form == "csv":
        return OpenedFile(form, compression, CsvFileRows(content, rulesets, source, limits))
    route = SourceCatalogue(rulesets).by_source("csv", source)
    if form == "parquet":
        return OpenedFile(form, compression, ParquetRows(content, route, limits))
    elements = line_elements if form == "ndjson" else array_elements
    return OpenedFile(form, compression, JsonRows(elements(content, limits), route, limits))


def refuse_form(beginning: bytes) -> None:
    """Raise ``UnreadableFileError`` for a file that begins as one that holds no rows, whatever its name is."""
    kind = next((kind for magic, kind in _UNSUPPORTED if beginning.startswith(magic)), None)
    if kind is None and beginning[_TAR_AT : _TAR_AT + 5] == b"ustar":
        kind = "a tar archive"
    if kind is None and beginning.removeprefix(_BYTE_ORDER_MARK).lstrip()[:14].lower().startswith(_MARKUP):
        kind = "an HTML page or an XML document"
    if kind is not None:
        raise unreadable("unsupported_form", f"is {kind}; {ADVICE}")


def _form_of(beginning: bytes, name: str) -> RowsFormat:
    """Return the form; a name that says another than the content does is believed only where both may be right."""
    if beginning.startswith(_PARQUET + _PARQUET_PAGE):
        return "parquet"
    bare = name.lower()
    bare = next((bare.removesuffix(each) for each in _COMPRESSED if bare.endswith(each)), bare)
    said = next((form for suffix, form in _BY_SUFFIX if bare.endswith(suffix)), None)
    if said == "parquet":
        raise unreadable("broken_file", "is called a Parquet file, and does not begin as one; send it again")
    text = beginning.removeprefix(_BYTE_ORDER_MARK).lstrip()
    if said == "csv" or text[:1] not in (b"[", b"{"):
        if said in ("json", "ndjson") and text:
            raise unreadable("broken_file", "is called a JSON file, and begins with neither an object nor an array")
        return "csv"
    return "json" if text.startswith(b"[") else "ndjson"


def _peeked(pieces: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes of a file, and all of it."""
    source = iter(pieces)
    taken: list[bytes] = []
    size = 0
    while size < _LOOKED_AT_BYTES and (piece := next(source, None)) is not None:
        taken.append(piece)
        size += len(piece)
    return b"".join(taken)[:_LOOKED_AT_BYTES], chain(taken, source)
