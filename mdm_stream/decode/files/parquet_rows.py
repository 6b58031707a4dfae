"""Parquet as rows: its columns as texts, read in batches, however large its row groups are.

The library wants to jump about in the file, so it is kept in a temporary file while it is read. It reads in a process
of its own (see ``mdm_stream.parquet``), which looks at every page before any is read, and makes batches as small as
pages and values demand.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO

from mdm_stream.decode.files.csv_table import PADDING
from mdm_stream.decode.files.file_faults import unreadable
from mdm_stream.decode.files.file_rows import FileRow
from mdm_stream.decode.files.read_limits import ReadLimits
from mdm_stream.decode.files.written_rows import NORMAL_DIALECT, written_row
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.sources import Route
from mdm_stream.errors import RejectedEventError
from mdm_stream.parquet.frames import BAD_CELLS, BadCell, Cell, ParquetFault
from mdm_stream.parquet.process import ParquetLimits, ParquetProcess

METADATA_BYTES_MAX = 16 * 1024 * 1024
"""Bytes of the footer, which is in memory as a whole."""
_MARK = b"PAR1"
_MARK_ENCRYPTED = b"PARE"
_END_BYTES = 4 + len(_MARK)


class ParquetRows:
    """The rows of a Parquet file. A column that no rule uses and whose values are no texts is left out.

    ``left_out`` are the names of these columns.
    """

    dialect = NORMAL_DIALECT
    late_members = 0

    def __init__(self, pieces: Iterable[bytes], route: Route, limits: ReadLimits) -> None:
        """Keep the file, and read its footer; ``UnreadableFileError`` if it is damaged, or asks for too much.

        The process that reads it ends with the thread that calls this, so the rows are to be read in that one.
        """
        bounds = ParquetLimits(
            limits.parquet_page_bytes_max,
            limits.line_bytes_max,
            limits.parquet_memory_bytes_max,
            limits.parquet_timeout_s,
        )
        with _spooled(pieces, limits) as file, _faults():
            self._process = ParquetProcess(file, bounds)
        try:
            names = _read_columns(self._process.columns, route)
        except BaseException:
            self._process.end()
            raise
        self.header = self.found = tuple(name.strip(PADDING) for name in names)
        self.left_out = {name.strip(PADDING) for name, _ in self._process.columns} - set(self.header)
        used = _used(route)
        self._paths = [f"row.{name if name.strip(PADDING) in used else '?'}" for name in names]

    def __iter__(self) -> Iterator[FileRow]:
        """Yield the rows; once. The line of a row is its number."""
        number = 0
        with _faults():
            for columns in self._process.batches():
                is_sound = all(set(map(type, column)) == {str} for column in columns)
                for cells in zip(*columns, strict=True):
                    row = self._row(cells, number + 1, is_sound=is_sound)
                    if row is not None:
                        number += 1
                        yield row

    def _row(self, cells: tuple[Cell, ...], number: int, *, is_sound: bool) -> FileRow | None:
        try:
            for path, cell in zip(self._paths, () if is_sound else cells, strict=not is_sound):
                if isinstance(cell, BadCell):
                    code, message = BAD_CELLS[cell.kind]
                    raise rejection(code, path, message)
            written = written_row(cells)  # type: ignore[arg-type]  # none of them is bad
        except RejectedEventError as fault:
            shown = [cell.written if isinstance(cell, BadCell) else cell for cell in cells]
            raw = json.dumps(dict(zip(self.header, shown, strict=True)), ensure_ascii=False).encode("utf-8", "replace")
            return FileRow(raw, number, fault.with_traceback(None))
        return None if written is None else FileRow(written, number)


def _used(route: Route) -> set[str]:
    deletion = route.source.deletion
    return set(route.used) | {deletion.column if deletion is not None else ""}


def _read_columns(columns: tuple[tuple[str, bool], ...], route: Route) -> list[str]:
    """Return the names of the columns that are read, in their order."""
    used = _used(route)
    names: list[str] = []
    for name, is_readable in columns:
        if name in names:
            raise unreadable("header", "names a column twice", "header")
        if is_readable:
            names.append(name)
        elif name.strip(PADDING) in used:
            said = f"has values in column {name.strip(PADDING)} that are no texts, numbers or times; flatten it"
            raise unreadable("columns", said, "header")
    if not names:
        raise unreadable("header", "has no column whose values are texts, numbers or times", "header")
    bare = [name.strip(PADDING) for name in names if name.strip(PADDING)]
    if len(set(bare)) < len(bare):
        raise unreadable("header", "names a column twice", "header")
    return names


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except ParquetFault as fault:
        raise unreadable(fault.code, fault.message) from fault


def _spooled(pieces: Iterable[bytes], limits: ReadLimits) -> IO[bytes]:
    """Return a temporary file without a name that holds a Parquet file, its end looked at."""
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the rows are read
    try:
        size = 0
        for piece in pieces:
            size += len(piece)
            _check_size(size, limits)
            file.write(piece)
        file.seek(max(0, size - _END_BYTES))
        _check_end(file.read())
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _check_size(size: int, limits: ReadLimits) -> None:
    if size > limits.parquet_bytes_max:
        said = f"is Parquet of more than {limits.parquet_bytes_max:,} bytes, the limit of this route; split it"
        raise unreadable("file_too_large", said)


def _check_end(end: bytes) -> None:
    if end[4:] == _MARK_ENCRYPTED:
        raise unreadable("unsupported_form", "is encrypted Parquet; send it plain, encrypted by the store")
    if end[4:] != _MARK:
        raise unreadable("broken_file", "is cut short: it does not end as a Parquet file; send it again")
    if int.from_bytes(end[:4], "little") > METADATA_BYTES_MAX:
        raise unreadable("giant_part", f"has a footer of more than {METADATA_BYTES_MAX:,} bytes")
