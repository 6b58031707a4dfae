"""All rows of a table as of one moment, as the texts that PostgreSQL writes, in portions of bounded size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Self

from producers.postgres.catalog import PublishedTable
from producers.postgres.connection import as_texts, connect, rows, translated
from producers.postgres.pgoutput import Relation, RelationColumn
from producers.postgres.settings import ReaderSettings

_FIRST_ROWS = 100

TextRow = tuple[str | None, ...]


class TableSnapshot:
    """A transaction that sees the database as of one moment. Use it as a context manager."""

    def __init__(self, dsn: str, settings: ReaderSettings, exported: str | None) -> None:
        """Begin; with the name of an ``exported`` snapshot the moment is that snapshot's, else it is now."""
        self._settings = settings
        self._connection = connect(dsn, settings.connect_timeout_s)
        self._connection.autocommit = False
        with translated("begin a snapshot"):
            rows(self._connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            if exported is not None:
                rows(self._connection, "SET TRANSACTION SNAPSHOT %s", (exported,))
            ((time_us,),) = rows(self._connection, "SELECT (extract(epoch FROM now()) * 1000000)::int8")
        self.time_us = int(time_us)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def read(self, table: PublishedTable) -> Iterator[tuple[Relation, list[TextRow]]]:
        """Yield the rows of a table, and with each portion what the table looks like."""
        with translated(f"read {table.name}", personal=True), closing(self._connection.cursor(name="rows")) as cursor:
            as_texts(cursor)
            cursor.execute(table.query())
            count = _FIRST_ROWS
            while portion := cursor.fetchmany(count):
                yield _relation(table, cursor), portion
                size = sum(len(value) for row in portion for value in row if value is not None)
                mean_bytes = max(1, size // len(portion))
                count = max(1, min(self._settings.fetch_rows_max, self._settings.fetch_bytes // mean_bytes))


def _relation(table: PublishedTable, cursor: Any) -> Relation:
    columns = tuple(
        RelationColumn(column.name, column.type_code, column.name in table.identity) for column in cursor.description
    )
    return Relation(0, table.schema, table.table, "", columns)
