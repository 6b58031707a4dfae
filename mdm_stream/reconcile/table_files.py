"""Tables as the driver writes them for Spark: a folder of Parquet files each, appended to in portions.

A file is written aside on the driver's own disk, where it has no name and is gone with the process, and becomes an
object of the store once it is whole: so it is the same whether executors read it from a folder or from S3.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from mdm_stream.objects.store import ObjectStore

if TYPE_CHECKING:
    import pyarrow as pa

FILE_BYTES = 32 * 1024**2
"""Uncompressed bytes after which a table goes on in another file: each is one task's work."""

ROWS_PER_PORTION = 5_000
"""Rows that are held in memory before they are written; fewer where their contents are large."""

PORTION_BYTES = 8 * 1024**2


class TableFiles:
    """Writes several tables of a store. ``schemas``: the columns of each, by name, as Arrow types by their names.

    Rows are tuples in the order of the columns. A table without rows has one file without rows. What the store had of
    these tables is removed first, and what was written is removed again where the writing fails.
    """

    def __init__(self, store: ObjectStore, schemas: Mapping[str, Mapping[str, str]]) -> None:
        import pyarrow as pa  # noqa: PLC0415 - of the extra that this package needs

        self._tables = {
            name: _OpenTable(store, name, pa.schema([(column, _type(pa, kind)) for column, kind in columns.items()]))
            for name, columns in schemas.items()
        }

    def add(self, table: str, rows: Iterable[Sequence[Any]]) -> int:
        """Append rows; return how many."""
        return self._tables[table].add(rows)

    def __enter__(self) -> Self:
        """Remove what is there of the tables; return itself."""
        for table in self._tables.values():
            table.remove()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish all tables, or remove what was written of them."""
        if error is None:
            try:
                for table in self._tables.values():
                    table.close()
            except BaseException:
                self._discard()
                raise
        else:
            self._discard()

    def _discard(self) -> None:
        for table in self._tables.values():
            table.discard()


class _OpenTable:
    """One table that is being written."""

    def __init__(self, store: ObjectStore, name: str, schema: pa.Schema) -> None:
        self._store, self._name, self._schema = store, name, schema
        self._held: list[Sequence[Any]] = []
        self._held_bytes = self._file_bytes = self._files = 0
        self._file: IO[bytes] | None = None
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

        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open for as long as the table's current file
            self._writer = pq.ParquetWriter(self._file, self._schema)
        columns = list(zip(*self._held, strict=True)) or [()] * len(self._schema)
        arrays = [pa.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._file_bytes += self._held_bytes
        self._held, self._held_bytes = [], 0
        if self._file_bytes >= FILE_BYTES:
            self._end_file()

    def _end_file(self) -> None:
        assert self._file is not None  # a portion was written
        self._writer.close()
        self._file.seek(0)
        self._store.put(f"{self._name}/{self._files:05}.parquet", self._file.read())
        self._file.close()
        self._file, self._file_bytes = None, 0
        self._files += 1

    def close(self) -> None:
        if self._held or not (self._files or self._file):
            self._flush()
        if self._file is not None:
            self._end_file()

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self.remove()

    def remove(self) -> None:
        self._store.delete([each.name for each in self._store.list(f"{self._name}/")])


def _type(pa: Any, kind: str) -> Any:
    return pa.list_(pa.string()) if kind == "strings" else getattr(pa, kind)()
