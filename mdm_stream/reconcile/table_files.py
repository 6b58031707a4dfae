"""Tables as the driver writes them for Spark: a folder of Parquet files each, appended to in portions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import pyarrow as pa

FILE_BYTES = 32 * 1024**2
"""Uncompressed bytes after which a table goes on in another file: each is one task's work."""

ROWS_PER_PORTION = 5_000
"""Rows that are held in memory before they are written; fewer where their contents are large."""

PORTION_BYTES = 8 * 1024**2


class TableFiles:
    """Writes several tables below a folder. ``schemas``: the columns of each, by name, as Arrow types by their names.

    Rows are tuples in the order of the columns. A table without rows has one file without rows.
    """

    def __init__(self, folder: Path, schemas: Mapping[str, Mapping[str, str]]) -> None:
        import pyarrow as pa  # noqa: PLC0415 - of the extra that this package needs

        self.folder = folder
        self._tables = {
            name: _OpenTable(folder / name, pa.schema([(column, _type(pa, kind)) for column, kind in columns.items()]))
            for name, columns in schemas.items()
        }

    def add(self, table: str, rows: Iterable[Sequence[Any]]) -> int:
        """Append rows; return how many."""
        return self._tables[table].add(rows)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish all files."""
        for table in self._tables.values():
            table.close()


class _OpenTable:
    """One table that is being written."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._schema = folder, schema
        self._held: list[Sequence[Any]] = []
        self._held_bytes = self._file_bytes = self._files = 0
        self._writer: Any = None

    def add(self, rows: Iterable[Sequence[Any]]) -> int:
        count = 0
        for row in rows:
            count += 1
            self._held.append(row)
            self._held_bytes += sum(len(value) for value in row if isinstance(value, str | bytes))
            if len(self._held) >= ROWS_PER_PORTION or self._held_bytes >= PORTION_BYTES:
                self._flush()
        return count

    def _flush(self) -> None:
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet as pq  # noqa: PLC0415

        if self._writer is None:
            self._writer = pq.ParquetWriter(self._folder / f"{self._files:05}.parquet", self._schema)
            self._files += 1
        columns = list(zip(*self._held, strict=True)) or [()] * len(self._schema)
        arrays = [pa.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._file_bytes += self._held_bytes
        self._held, self._held_bytes = [], 0
        if self._file_bytes >= FILE_BYTES:
            self._end_file()

    def _end_file(self) -> None:
        self._writer.close()
        self._writer, self._file_bytes = None, 0

    def close(self) -> None:
        if self._held or not self._files:
            self._flush()
        if self._writer is not None:
            self._end_file()


def _type(pa: Any, kind: str) -> Any:
    return pa.list_(pa.string()) if kind == "strings" else getattr(pa, kind)()
