"""What the database says of itself and of the tables that are to be captured; everything that is wrong at once.

A reader that started on half of what it needs would lose changes without a word, so nothing is read before all of
this holds: the log's level, the publication, and for each table its replica identity, its key and the right to read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from mdm_stream.errors import ConfigurationError
from producers.postgres.connection import quoted, rows, translated
from producers.postgres.settings import ReaderSettings

_PUBLICATION = "SELECT pubinsert AND pubupdate AND pubdelete, pubtruncate FROM pg_publication WHERE pubname = %s"
_TABLES = """
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident, {columns}, {filter},
       ARRAY(SELECT a.attname::text FROM pg_index i
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey)
             WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum)),
       ARRAY(SELECT a.attname::text FROM pg_index i
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey)
             WHERE i.indrelid = c.oid AND i.indisreplident ORDER BY array_position(i.indkey::int2[], a.attnum)),
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
             AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum),
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
             AND NOT a.attisdropped AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT'))
FROM pg_publication_tables p
JOIN pg_namespace n ON n.nspname = p.schemaname
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
WHERE p.pubname = %s ORDER BY 2, 3
"""
_COLUMN_LISTS_SINCE = 150_000
_COPY_SLOTS_SINCE = 120_000
"""The version that can copy a slot, which the first snapshot needs."""


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """A table of the publication: its columns in order, those of its replica identity, and those that are its key."""

    schema: str
    table: str
    partitioned: bool
    row_filter: str | None
    columns: tuple[str, ...]
    identity: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def name(self) -> str:
        """``schema.table``."""
        return f"{self.schema}.{self.table}"

    def query(self) -> str:
        """Return the query for all rows that the publication has of it."""
        # A table's rows without those of tables that inherit from it, which are published under their own names.
        source = ("" if self.partitioned else "ONLY ") + f"{quoted(self.schema)}.{quoted(self.table)}"
        chosen = f" WHERE {self.row_filter}" if self.row_filter else ""
        return f"SELECT {', '.join(map(quoted, self.columns))} FROM {source}{chosen}"  # noqa: S608 - names are quoted


def published_tables(connection: Any, settings: ReaderSettings) -> dict[str, PublishedTable]:
    """Return the tables to capture by name; ``ConfigurationError`` with all that stands against it.

    A publication that is missing is made if the tables are named and the role may.
    """
    _check_server(connection)
    _check_publication(connection, settings)
    with translated("read the publication's tables"):
        found = _published(connection, settings)
    problems: list[str] = []
    tables = _chosen(found, settings, problems)
    for name, (table, kind, unreadable) in tables.items():
        problems += _problems_of(name, table, kind, unreadable, settings)
    if not tables and not problems:
        problems.append(f"publication {settings.publication} has no tables; add some: ALTER PUBLICATION ... ADD TABLE")
    if problems:
        raise ConfigurationError("nothing was captured:\n" + "\n".join(f"  {problem}" for problem in problems))
    return {name: table for name, (table, _, _) in tables.items()}


def type_names(connection: Any, oids: Iterable[int]) -> dict[int, str]:
    """Return the names of types; that of its base type for a domain, ``enum`` for an enumeration.

    A type that was dropped since has none. A domain over a domain is followed to the end.
    """
    with translated("read the types of columns"):
        found = rows(
            connection,
            "WITH RECURSIVE base AS (SELECT oid AS asked, oid FROM pg_type WHERE oid = ANY(%s::oid[]) UNION ALL "
            "SELECT b.asked, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd') "
            "SELECT b.asked::int8, CASE t.typtype WHEN 'e' THEN 'enum' ELSE t.typname::text END FROM base b "
            "JOIN pg_type t ON t.oid = b.oid WHERE t.typtype <> 'd'",
            (list(oids),),
        )
    return dict(found)


def _check_server(connection: Any) -> None:
    with translated("read the server's settings"):
        ((level, encoding),) = rows(
            connection, "SELECT current_setting('wal_level'), current_setting('server_encoding')"
        )
    if connection.server_version < _COPY_SLOTS_SINCE:
        raise ConfigurationError("the server is older than PostgreSQL 12, which the reader needs")
    if level != "logical":
        raise ConfigurationError(
            f"wal_level is {level}, and rows can be read from the log only with logical: ALTER SYSTEM SET wal_level = "
            "logical, then restart the server (on Amazon RDS: rds.logical_replication = 1 in the parameter group)"
        )
    if encoding == "SQL_ASCII":
        raise ConfigurationError("the database's encoding is SQL_ASCII: its texts cannot be read; convert it to UTF8")


def _check_publication(connection: Any, settings: ReaderSettings) -> None:
    name = settings.publication
    with translated("read the publication"):
        found = rows(connection, _PUBLICATION, (name,))
    if not found:
        listed = ", ".join(".".join(map(quoted, table.split("."))) for table in settings.tables)
        create = f"CREATE PUBLICATION {quoted(name)} FOR TABLE {listed or 'schema.table, ...'}"
        if not listed:
            raise ConfigurationError(
                f"there is no publication {name}; name the tables, or let their owner run: {create}"
            )
        with translated(f"create the publication; let the tables' owner run: {create}"):
            rows(connection, create)
        return
    (writes, truncates) = found[0]
    if not writes:
        raise ConfigurationError(
            f"publication {name} leaves out inserts, updates or deletes, which would be lost; "
            f"ALTER PUBLICATION {quoted(name)} SET (publish = 'insert, update, delete, truncate')"
        )
    if not (truncates or settings.allow_truncate):
        raise ConfigurationError(
            f"publication {name} leaves out truncate, so an emptied table would go unnoticed; "
            f"ALTER PUBLICATION {quoted(name)} SET (publish = 'insert, update, delete, truncate'), or start the reader "
            "with --allow-truncate"
        )


_Found = tuple[PublishedTable, str, tuple[str, ...]]


def _published(connection: Any, settings: ReaderSettings) -> dict[str, _Found]:
    lists = connection.server_version >= _COLUMN_LISTS_SINCE
    sql = _TABLES.format(columns="p.attnames::text[]" if lists else "NULL", filter="p.rowfilter" if lists else "NULL")
    found: dict[str, _Found] = {}
    for _, schema, table, kind, replica, listed, row_filter, primary, index, stored, unreadable in rows(
        connection, sql, (settings.publication,)
    ):
        columns = tuple(name for name in stored if listed is None or name in listed)
        identity = {"d": primary, "i": index, "f": columns}.get(replica, ())
        name = f"{schema}.{table}"
        key = settings.keys.get(name) or tuple((primary or ()) if replica == "f" else identity)
        published = PublishedTable(schema, table, kind == "p", row_filter, columns, tuple(identity), tuple(key))
        found[name] = (published, replica, tuple(name for name in unreadable if name in columns))
    return found


def _chosen(found: Mapping[str, _Found], settings: ReaderSettings, problems: list[str]) -> dict[str, _Found]:
    if not settings.tables:
        return dict(found)
    chosen: dict[str, _Found] = {}
    for name in settings.tables:
        if name in found:
            chosen[name] = found[name]
            continue
        close = get_close_matches(name, list(found), n=1)
        meant = f"; it has {close[0]}" if close else ""
        table = ".".join(map(quoted, name.split(".")))
        problems.append(
            f"table {name} is not in publication {settings.publication}{meant}; "
            f"ALTER PUBLICATION {quoted(settings.publication)} ADD TABLE {table}"
        )
    return chosen


def _problems_of(
    name: str, table: PublishedTable, replica: str, unreadable: tuple[str, ...], settings: ReaderSettings
) -> list[str]:
    problems: list[str] = []
    sql = f"{quoted(table.schema)}.{quoted(table.table)}"
    if not table.identity:
        why = "is NOTHING" if replica == "n" else "needs a primary key, which it lacks"
        problems.append(
            f"table {name}: its replica identity {why}, so updates and deletes name no row; add a primary key, or "
            f"ALTER TABLE {sql} REPLICA IDENTITY FULL (or USING INDEX with a unique index on columns that are NOT NULL)"
        )
    elif not table.key:
        problems.append(f"table {name} has no primary key: name the columns that identify a row (--key {name}=...)")
    elif missing := sorted(set(table.key) - set(table.columns)):
        problems.append(f"table {name}: key column {', '.join(missing)} is not published{_meant(missing, table)}")
    elif unlogged := sorted(set(table.key) - set(table.identity)):
        problems.append(
            f"table {name}: key column {', '.join(unlogged)} is no part of the replica identity, so its changes cannot "
            f"be identified; ALTER TABLE {sql} REPLICA IDENTITY FULL (or USING INDEX with a unique index on the key)"
        )
    if missing := sorted(settings.required.get(name, frozenset()) - set(table.columns)):
        problems.append(
            f"table {name}: column {', '.join(missing)} of the rules is not published{_meant(missing, table)}; correct "
            "the rules, or the publication's columns (generated columns are never published)"
        )
    if unreadable:
        problems.append(f"table {name}: the role may not read it, for the first snapshot; GRANT SELECT ON {sql} TO it")
    return problems


def _meant(missing: list[str], table: PublishedTable) -> str:
    close = [name for each in missing for name in get_close_matches(each, table.columns, n=1)]
    return f" (it has {', '.join(close)})" if close else ""
