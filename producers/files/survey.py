"""One pass over a file: what its bytes are, how it is written, its rows cut into chunks, and which rows it has twice.

Rows are not read here, only told apart: that is what keeps a pass over a million of them short. In memory are one
chunk, and 16 bytes a row.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

import orjson

from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode.files.csv_check import HeaderFindings, check_header
from mdm_stream.decode.files.csv_dialect import CsvDialect
from mdm_stream.decode.files.csv_lines import lines_in
from mdm_stream.decode.files.file_faults import UnreadableFileError, unreadable
from mdm_stream.decode.files.file_rows import FileRow, FileRows
from mdm_stream.decode.files.open_file import open_rows
from mdm_stream.decode.sources import SourceCatalogue
from mdm_stream.errors import Reason, TerminalError
from producers.files.chunks import ROW_DIGEST_BYTES, Chunk, ChunkContent, UnreadableRow, skip_bits
from producers.files.digests import repeated_rows
from producers.files.settings import FileLimits

BLANK_LINES_MAX = 1_000
"""Blank lines in a row that stay in a chunk; behind more of them the next one begins."""

StoreChunk = Callable[[int, bytes], None]
"""Keeps the object of a chunk, by its number (from 1)."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over a file found. With a ``fault`` it cannot be used, and what else is said of it may be a part.

    ``sha256`` and ``size_bytes`` are of the object as it was delivered, and whole even then. ``header`` are the
    columns of the rows in the chunks; ``found`` those that the file itself has. ``late_members`` counts rows of a JSON
    file with a member that is no column.
    """

    sha256: str
    size_bytes: int
    format: Literal["csv", "json", "ndjson", "parquet"] | None = None
    compression: Literal["gzip", "zstd"] | None = None
    dialect: CsvDialect = field(default_factory=CsvDialect)
    header: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    findings: HeaderFindings | None = None
    rows: int = 0
    chunks: tuple[Chunk, ...] = ()
    late_members: int = 0
    fault: Reason | None = None

    @property
    def shown_columns(self) -> list[str]:
        """The columns that a report may name. A header without the columns that a row needs may be a row of values."""
        if self.findings is None or self.findings.needed or self.findings.wanted:
            return []
        return [name for name in self.found if name]

    @property
    def skipped(self) -> int:
        """How many rows are there again further down."""
        return sum(chunk.skipped for chunk in self.chunks)

    def to_json(self) -> bytes:
        """Return it as JSON; equal surveys give equal bytes."""
        document = asdict(self)
        for chunk in document["chunks"]:
            chunk["skips"] = base64.b64encode(chunk["skips"]).decode()
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def from_json(cls, content: bytes) -> Survey:
        """Return what ``to_json`` has written; ``TerminalError`` for any other bytes."""
        try:
            document = orjson.loads(content)
            document["chunks"] = tuple(
                Chunk(**{**each, "skips": base64.b64decode(each["skips"])}) for each in document["chunks"]
            )
            document["dialect"] = CsvDialect(**document["dialect"])
            document["header"], document["found"] = tuple(document["header"]), tuple(document["found"])
            document["fault"] = None if document["fault"] is None else Reason(**document["fault"])
            document["findings"] = _findings_of(document["findings"])
            return cls(**document)
        except (ValueError, KeyError, TypeError) as error:
            raise TerminalError("the object holds no survey of a file, or a part of one") from error


def survey(
    pieces: Iterable[bytes],
    name: str,
    rulesets: Mapping[str, Ruleset],
    domain: str,
    source: str,
    limits: FileLimits,
    store: StoreChunk,
) -> Survey:
    """Read a file to its end; ``store`` is given each chunk as it is whole.

    ``pieces`` are its bytes as they were delivered, cut anywhere; ``name`` is the end of its key, by which its form is
    told where its content leaves it open. What is wrong with the file is in the survey, and no error.
    """
    bytes_ = _Digested(pieces)
    own = {domain: rulesets[domain]}
    found = Survey("", 0)
    cutter = _Cutter(limits, store)
    try:
        opened = open_rows(bytes_, name, own, source, limits.reading)
        rows = opened.rows
        route = SourceCatalogue(own).by_source("csv", source)
        found = replace(
            found, format=opened.format, compression=opened.compression, dialect=rows.dialect, header=rows.header,
            found=rows.found, findings=check_header(rows.found, route),
        )  # fmt: skip
        cutter.cut(rows)
        found = replace(found, late_members=rows.late_members)
    except UnreadableFileError as error:
        found = replace(found, fault=error.reason)
    for _ in bytes_:
        pass  # what was not read is still a part of the content
    return replace(
        found, sha256=bytes_.digest.hexdigest(), size_bytes=bytes_.size, rows=cutter.rows, chunks=cutter.chunks()
    )


class _Digested:
    """The pieces of a file, of which a digest is taken as they pass."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self.digest = hashlib.sha256()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.digest.update(piece)
            self.size += len(piece)
            yield piece


class _Cutter:
    """Cuts rows into chunks. Lines between rows that are none are kept as blank ones, so that lines can be counted."""

    def __init__(self, limits: FileLimits, store: StoreChunk) -> None:
        self._limits = limits
        self._store = store
        self.rows = 0
        self._digests = bytearray()
        self._chunks: list[Chunk] = []
        self._begin(1, 1)

    def _begin(self, row: int, line: int) -> None:
        self._parts: list[bytes] = []
        self._unreadable: list[UnreadableRow] = []
        self._bytes = 0
        self._first = (row, line)
        self._line = line

    def cut(self, rows: FileRows) -> None:
        """Take all rows of a file."""
        end = rows.dialect.end_bytes
        for row in rows:
            if self.rows >= self._limits.rows_max:
                said = f"has more than {self._limits.rows_max:,} rows, the limit of this route; hand it to a Spark job"
                raise unreadable("too_many_rows", said)
            self._add(row, end)
            self.rows += 1
            if self._bytes >= self._limits.chunk_bytes or self.rows - self._first[0] + 1 >= self._limits.chunk_rows:
                self._flush()
        self._flush()

    def _add(self, row: FileRow, end: bytes) -> None:
        raw, line, fault = row
        if line - self._line > BLANK_LINES_MAX:
            self._flush()
        if self.rows + 1 == self._first[0]:
            self._first = (self.rows + 1, line)
        elif line > self._line:
            self._append(end * (line - self._line))
        lines = lines_in(raw, end)
        if fault is None:
            self._append(raw if raw.endswith(end) else raw + end)
            self._digests += hashlib.blake2b(raw.rstrip(b"\r\n"), digest_size=ROW_DIGEST_BYTES).digest()
        else:
            self._unreadable.append(UnreadableRow(self.rows + 1, line, fault.reasons, raw))
            self._bytes += len(raw)
            self._append(end * lines)
            self._digests += (self.rows + 1).to_bytes(ROW_DIGEST_BYTES, "big")
        self._line = line + lines

    def _append(self, part: bytes) -> None:
        self._parts.append(part)
        self._bytes += len(part)

    def _flush(self) -> None:
        first_row, first_line = self._first
        if self.rows + 1 > first_row:
            number = len(self._chunks) + 1
            content = ChunkContent(b"".join(self._parts), tuple(self._unreadable)).encode()
            self._store(number, content)
            self._chunks.append(Chunk(number, first_row, first_line, self.rows + 1 - first_row, len(content)))
        self._begin(self.rows + 1, self._line)

    def chunks(self) -> tuple[Chunk, ...]:
        """Return the chunks, each with the rows of it that are there again further down."""
        repeated = repeated_rows(self._digests)
        found = []
        for chunk in self._chunks:
            first = chunk.first_row - 1
            found.append(replace(chunk, skips=skip_bits(repeated[first : first + chunk.rows])))
        return tuple(found)


def _findings_of(written: Mapping[str, object] | None) -> HeaderFindings | None:
    if written is None:
        return None
    pairs = {name: tuple(tuple(pair) for pair in written[name]) for name in ("needed", "missing", "unknown")}  # type: ignore[attr-defined]
    return HeaderFindings(source=str(written["source"]), wanted=tuple(written["wanted"]), **pairs)  # type: ignore[arg-type]
