"""Row changes of the log to messages, by what the tables look like at each point of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from mdm_stream.errors import TerminalError
from producers.postgres.catalog import PublishedTable, type_names
from producers.postgres.connection import as_texts, quoted, translated
from producers.postgres.messages import (
    CapturedTable,
    ChangePlace,
    RowTexts,
    Server,
    captured_table,
    key_of,
    message,
    values_of,
)
from producers.postgres.pgoutput import UNLOGGED, LoggedChange, Relation
from producers.postgres.settings import ReaderProgress, ReaderSettings
from producers.postgres.visibility import wait_until_visible

_LOGGER = logging.getLogger(__name__)

Outgoing = Callable[[CapturedTable, dict[str, Any], str], None]
"""Called with a message and its partition key."""


class RowMessages:
    """Makes messages of row changes. Knows the relations that the log has named on this connection."""

    def __init__(
        self,
        connection: Any,
        server: Server,
        settings: ReaderSettings,
        tables: Mapping[str, PublishedTable],
        send: Outgoing,
        pause: Callable[[], None],
        progress: ReaderProgress,
    ) -> None:
        """Take a connection for the catalogue and for values that the log lacks; not that of the stream.

        ``pause`` is called while queries do not see yet what the log says; see ``producers.postgres.visibility``.
        """
        self._connection = connection
        self._server = server
        self._settings = settings
        self._published = tables
        self._send = send
        self._pause = pause
        self._progress = progress
        self._captured: dict[int, CapturedTable | None] = {}
        self._names_before: dict[str, tuple[str, ...]] = {name: table.columns for name, table in tables.items()}

    def table(self, oid: int) -> CapturedTable | None:
        """Return a relation that the log has named; ``None`` if it is not captured."""
        try:
            return self._captured[oid]
        except KeyError:
            raise TerminalError("the log changes a row of a relation that it has not described") from None

    def take(self, relation: Relation) -> None:
        """Remember what a table looks like from here on; ``TerminalError`` if it can no longer be captured."""
        name = f"{relation.schema}.{relation.table}"
        published = self._published.get(name)
        if published is None:
            if not self._settings.tables:
                raise TerminalError(
                    f"table {name} was added to the publication, and its rows have not been read; start the reader "
                    f"again with this table to be read once (--snapshot {name})"
                )
            self._captured[relation.oid] = None
            return
        self._captured[relation.oid] = self._known(relation, published, name)

    def of_snapshot(self, relation: Relation, published: PublishedTable) -> CapturedTable:
        """Return a table as a snapshot's query describes it."""
        return self._known(relation, published, published.name)

    def read(self, table: CapturedTable, place: ChangePlace, cells: tuple[str | None, ...]) -> None:
        """Send a row of a snapshot."""
        row = values_of(table, cells)
        self._send(table, message(self._server, table, place, "read", {"row": row}), key_of(table, row))

    def change(self, place: ChangePlace, change: LoggedChange) -> bool:
        """Send what a changed row needs: one message, two if its key was changed. Tell whether it is captured."""
        table = self.table(change.oid)
        if table is None:
            return False
        old = None if change.old is None else self._old(table, change)
        if change.new is None:
            self._send(table, message(self._server, table, place, "delete", {"old": old}), key_of(table, old or {}))
            return True
        row = values_of(table, change.new)
        images: dict[str, Any] = {"row": row}
        if UNLOGGED in change.new:
            # With a full identity, or a key that is large itself, the old image has what the new one lacks.
            for name in [name for name in table.names if name not in row and old is not None and name in old]:
                row[name] = old[name]  # type: ignore[index]
        key = key_of(table, row)
        if old is not None and (old_key := key_of(table, {**row, **old})) != key:
            self._send(table, message(self._server, table, place, "delete", {"old": old}), old_key)
            self._complete(table, row, place)
        if old is not None and (differing := {name: value for name, value in old.items() if value != row.get(name)}):
            images["old"] = differing
        if unlogged := [name for name in table.names if name not in row]:
            images["unchanged"] = unlogged
        self._send(table, message(self._server, table, place, change.op, images), key)
        return True

    def truncated(self, place: ChangePlace, oids: tuple[int, ...]) -> int:
        """Send a message for each captured table that was emptied; return how many. ``TerminalError`` if refused."""
        emptied = [table for table in map(self.table, oids) if table is not None]
        if emptied and not self._settings.allow_truncate:
            names = ", ".join(table.name for table in emptied)
            raise TerminalError(
                f"{names} was emptied by TRUNCATE, which does not say which records that deletes. Nothing behind it is "
                "read until that is decided: start the reader with --allow-truncate to go on, and see "
                "docs/operate/postgres.md for how to delete the records"
            )
        for table in emptied:
            key = key_of(table, {})
            self._send(table, message(self._server, table, place, "truncate", {}), key)
        return len(emptied)

    def _known(self, relation: Relation, published: PublishedTable, name: str) -> CapturedTable:
        names = tuple(column.name for column in relation.columns)
        needed = {*published.key, *self._settings.required.get(name, ())}
        if missing := sorted(needed - set(names)):
            raise TerminalError(
                f"table {name} has lost its column {', '.join(missing)}, which the rules or its key need; nothing "
                "behind that is read until rules and options name what the table has now"
            )
        types = type_names(self._connection, {column.type_oid for column in relation.columns})
        where = self._settings.sources.get(name, (self._server.database, name))
        table = captured_table(relation, types, published.key, where)
        if missing := sorted(set(published.key) - set(table.identity)):
            raise TerminalError(
                f"table {name}: its replica identity no longer has the key column {', '.join(missing)}, so a change of "
                "it cannot be identified; ALTER TABLE ... REPLICA IDENTITY FULL"
            )
        before = self._names_before.get(name)
        if before is not None and before != names:
            self._progress.schema_changes += 1
            _LOGGER.warning(
                "table %s has other columns now: added %s, gone %s",
                name,
                sorted(set(names) - set(before)),
                sorted(set(before) - set(names)),
            )
        self._names_before[name] = names
        return table

    def _old(self, table: CapturedTable, change: LoggedChange) -> RowTexts:
        """Return the old image; of one that has the identity alone, only that."""
        old = values_of(table, change.old or ())
        return {name: old[name] for name in table.identity if name in old} if change.old_is_key else old

    def _complete(self, table: CapturedTable, row: RowTexts, place: ChangePlace) -> None:
        """Add the large values that an update under a new key did not log, as they are now.

        The record of the new key has none of them yet. If the row has changed since, or is gone, the log goes on to
        say so, under a later version.
        """
        missing = [name for name in table.names if name not in row]
        if not missing:
            return
        if place.xid is not None:
            wait_until_visible(self._connection, place.xid, self._pause)
        where = " AND ".join(f"{quoted(name)} = %s" for name in table.key)
        columns = ", ".join(map(quoted, missing))
        sql = f"SELECT {columns} FROM {quoted(table.schema)}.{quoted(table.table)} WHERE {where}"  # noqa: S608
        with translated(f"complete a row of {table.name}", personal=True):
            found = _texts(self._connection, sql, tuple(row[name] for name in table.key))
        if found:
            row.update(zip(missing, found[0], strict=True))


def _texts(connection: Any, sql: str, values: tuple[Any, ...]) -> list[tuple[str | None, ...]]:
    with connection.cursor() as cursor:
        as_texts(cursor)
        cursor.execute(sql, values)
        return list(cursor.fetchall())
