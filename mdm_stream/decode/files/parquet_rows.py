"""Parquet as rows: its columns as texts, read in batches, however large its row groups are.

The library wants to jump about in the file, so it is kept in a temporary file while it is read. Before anything of it
is read every page is looked at, and batches are as small as its pages and values demand (see ``parquet_pages``).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Any

from mdm_stream.core.csv_form import COLUMNS_MAX
from mdm_stream.decode.files.csv_table import PADDING
from mdm_stream.decode.files.file_faults import UnreadableFileError, unreadable
from mdm_stream.decode.files.file_rows import FileRow
from mdm_stream.decode.files.parquet_pages import batch_rows
from mdm_stream.decode.files.parquet_values import BadCell, Cell, Reader, reader_of_type
from mdm_stream.decode.files.read_limits import ReadLimits
from mdm_stream.decode.files.written_rows import NORMAL_DIALECT, written_row
from mdm_stream.decode.sources import Route
from mdm_stream.errors import ConfigurationError, RejectedEventError

METADATA_BYTES_MAX = 16 * 1024 * 1024
"""Bytes of the footer, which is in memory as a whole."""
_READ_AHEAD_BYTES = 65_536
_MARK = b"PAR1"
_MARK_ENCRYPTED = b"PARE"
_END_BYTES = 4 + len(_MARK)


class ParquetRows:
    """The rows of a Parquet file. A column that no rule uses and whose values are no texts is left behind."""

    dialect = NORMAL_DIALECT
    late_members = 0

    def __init__(self, pieces: Iterable[bytes], route: Route, limits: ReadLimits) -> None:
        """Keep the file, and read its footer; ``UnreadableFileError`` if it is damaged, or asks for too much."""
        self._file = _spooled(pieces, limits)
        try:
            self._parquet, self._names = self._opened(limits)
            self._readers = self._readers_of(route)
        except BaseException:
            self._file.close()
            raise
        self.header = self.found = tuple(name.strip(PADDING) for name in self._readers)
        if len(set(filter(None, self.header))) < sum(1 for name in self.header if name):
            raise unreadable("header", "names a column twice", "header")

    def _opened(self, limits: ReadLimits) -> tuple[Any, list[str]]:
        try:
            import pyarrow as pa  # noqa: PLC0415 - needed for Parquet alone
            from pyarrow import parquet  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise ConfigurationError("a file is Parquet: install mdm-stream[files] to read it") from error
        try:
            found = parquet.ParquetFile(self._file, pre_buffer=False)
            metadata, schema = found.metadata, found.schema_arrow
            if metadata.num_columns > COLUMNS_MAX or len(schema) > COLUMNS_MAX:
                raise unreadable("too_many_columns", f"has more than {COLUMNS_MAX:,} columns")
            groups = range(metadata.num_row_groups)
            columns = (
                [metadata.row_group(group).column(place) for group in groups] for place in range(len(metadata.schema))
            )
            self._batch_rows = batch_rows(self._file, columns, limits)
            self._file.seek(0)
            read = parquet.ParquetFile(self._file, pre_buffer=False, buffer_size=_READ_AHEAD_BYTES)
        except UnreadableFileError:
            raise
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise _damaged() from error
        return read, list(schema.names)

    def _readers_of(self, route: Route) -> dict[str, Reader]:
        used = set(route.used) | {route.source.deletion.column if route.source.deletion is not None else ""}
        readers: dict[str, Reader] = {}
        for field in self._parquet.schema_arrow:
            reader = reader_of_type(field.type, field.name if field.name.strip(PADDING) in used else "?")
            if field.name in readers:
                raise unreadable("header", "names a column twice", "header")
            if reader is not None:
                readers[field.name] = reader
            elif field.name.strip(PADDING) in used:
                said = (
                    f"has values in column {field.name.strip(PADDING)} that are no texts, numbers or times; flatten it"
                )
                raise unreadable("columns", said, "header")
        if not readers:
            raise unreadable("header", "has no column whose values are texts, numbers or times", "header")
        return readers

    def __iter__(self) -> Iterator[FileRow]:
        """Yield the rows; once. The line of a row is its number."""
        number = 0
        with self._file:
            for batch in self._batches():
                columns = [reader(batch.column(name)) for name, reader in self._readers.items()]
                for cells in zip(*columns, strict=True):
                    row = _row(cells, self.header, number + 1)
                    if row is not None:
                        number += 1
                        yield row

    def _batches(self) -> Iterator[Any]:
        import pyarrow as pa  # noqa: PLC0415 - needed for Parquet alone

        try:
            yield from self._parquet.iter_batches(batch_size=self._batch_rows, columns=list(self._readers))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _damaged() from error


def _row(cells: tuple[Cell, ...], names: tuple[str, ...], number: int) -> FileRow | None:
    bad = next((cell for cell in cells if isinstance(cell, BadCell)), None)
    try:
        if bad is not None:
            raise bad.fault
        written = written_row(cells)  # type: ignore[arg-type]  # none of them is bad
    except RejectedEventError as fault:
        shown = [cell.written if isinstance(cell, BadCell) else cell for cell in cells]
        raw = json.dumps(dict(zip(names, shown, strict=True)), ensure_ascii=False).encode("utf-8", "replace")
        return FileRow(raw, number, fault.with_traceback(None))
    return None if written is None else FileRow(written, number)


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


def _damaged() -> UnreadableFileError:
    return unreadable("broken_file", "is damaged: it cannot be read as Parquet; send it again")
