"""The schema of the append kind: one table that grows, and what is folded from it.

``golden_event`` comes from the numbered files beside this module, as the tables of the merge kind do from theirs; their
versions begin at 1001, so code that knows the other kind alone refuses the schema. Folded tables and readers' views
hold no rows of their own that could be lost: they are made anew whenever their text or their settings differ from what
``fold_version`` says. Readers' views are those of the merge kind, over the same names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from mdm_stream.core.canonical import digest_of
from mdm_stream.errors import ConfigurationError
from mdm_stream.warehouse.append.events import EVENT_COLUMNS
from mdm_stream.warehouse.append.fold import FOLDS, event_key_sql
from mdm_stream.warehouse.dialect import Dialect
from mdm_stream.warehouse.migrations import (
    APPEND_VERSIONS_FROM,
    Migration,
    load_migrations,
    lost_by_going_back,
    split_statements,
)
from mdm_stream.warehouse.rows import ColumnType
from mdm_stream.warehouse.session import Session
from mdm_stream.warehouse.snowflake.options.policies import NO_POLICIES, PolicyClauses, policy_clauses

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

_SELECT_SCHEMA_VERSION = """
SELECT table_name FROM information_schema.tables
WHERE table_schema = CURRENT_SCHEMA() AND LOWER(table_name) = 'schema_version'
"""
_CREATE_SCHEMA_VERSION = (
    "CREATE $table IF NOT EXISTS schema_version (version $integer NOT NULL, name $text NOT NULL) $table_options"
)
_INSERT_VERSION = """
INSERT INTO schema_version (version, name)
SELECT m.version, m.name FROM (SELECT CAST(? AS $integer) AS version, CAST(? AS $text) AS name) AS m
WHERE NOT EXISTS (SELECT 1 FROM schema_version AS t WHERE t.version = m.version)
"""
_SELECT_VERSIONS = "SELECT COALESCE(MIN(version), 0), COALESCE(MAX(version), 0) FROM schema_version"
_SELECT_FOLD_VERSION = "SELECT version, digest, lag_s, warehouse FROM fold_version ORDER BY version DESC LIMIT 1"
_DELETE_FOLD_VERSION = "DELETE FROM fold_version WHERE version <= ?"
_INSERT_FOLD_VERSION = "INSERT INTO fold_version (version, digest, lag_s, warehouse) VALUES (?, ?, ?, ?)"
_SELECT_KINDS = """
SELECT LOWER(table_name), table_type FROM information_schema.tables WHERE table_schema = CURRENT_SCHEMA()
"""

_DYNAMIC = "TRANSIENT DYNAMIC TABLE"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_VIEW = re.compile(r"CREATE OR REPLACE VIEW (\w+)")

_EVENT_OPTIONS = {"snowflake": "CHANGE_TRACKING = TRUE"}
"""Dynamic tables ask for it, and for a retention of more than nothing, which is the default of the tables."""


LAG_S = 300
"""The lag of the folded tables of a new schema, in seconds: some 5 to 7 credits a day on an X-Small."""

LAG_S_MIN = 60
"""The least target lag that Snowflake takes, in seconds."""


@dataclass(frozen=True, slots=True)
class FoldSettings:
    """How the folded tables are kept.

    With ``lag_s`` 0 they are views, fresh at each query. Above, they are dynamic tables of Snowflake, about that many
    seconds behind, refreshed by ``warehouse`` (a name of Snowflake's, needed then). None leaves a schema as it is, and
    gives a new one ``LAG_S``.
    """

    lag_s: int | None = None
    warehouse: str | None = None


VIEWS = FoldSettings(lag_s=0)
"""The folded tables as views."""


@dataclass(frozen=True, slots=True)
class _Made:
    version: int
    digest: str
    settings: FoldSettings


@cache
def append_migrations() -> tuple[Migration, ...]:
    """Return the numbered files of the append kind in order. A gap or a repeated number is a ``ValueError``."""
    found: list[Migration] = []
    for file in resources.files("mdm_stream.warehouse.append").iterdir():
        match = _FILE_NAME.fullmatch(file.name)
        if match:
            found.append(Migration(int(match[1]), match[2], split_statements(file.read_text(encoding="utf-8"))))
    found.sort(key=lambda migration: migration.version)
    first = APPEND_VERSIONS_FROM
    if [migration.version for migration in found] != list(range(first, first + len(found))):
        raise ValueError(f"migration files of the append kind must be numbered {first}, {first + 1}, ... without a gap")
    return tuple(found)


def render(dialect: Dialect, sql: str) -> str:
    """Return a statement of the append kind for a database."""
    columns = ",\n    ".join(f"{name} {getattr(dialect, kind)}" for name, kind in EVENT_COLUMNS)
    return dialect.render(sql, event_columns=columns, event_options=_EVENT_OPTIONS.get(dialect.name, ""))


def fold_statements(
    dialect: Dialect, settings: FoldSettings, policies: PolicyClauses = NO_POLICIES
) -> list[tuple[str, str]]:
    """Return the statements that make the folded tables and the readers' views, each with the name that it makes.

    ``fresh_...`` are always views; the readers' names are views of these, or dynamic tables of the same SELECT, made
    with the ``policies`` that the schema has.
    """
    made = [("event_key", _view(dialect, "event_key", event_key_sql(dialect)))]
    for name, fold in FOLDS.items():
        select = dialect.render(fold)
        made.append((f"fresh_{name}", _view(dialect, f"fresh_{name}", select)))
        if settings.lag_s:
            made.append((name, _dynamic_table(dialect, name, select, settings, policies)))
        else:
            made.append((name, _view(dialect, name, f"SELECT * FROM fresh_{name}")))  # noqa: S608 - a name of FOLDS
    readers: dict[str, str] = {}  # a later file may replace a view of an earlier one
    for migration in load_migrations():
        for statement in migration.statements:
            if match := _VIEW.match(statement):
                readers[match[1]] = render(dialect, statement)
    return [*made, *readers.items()]


def migrate_append(session: Session, settings: FoldSettings) -> FoldSettings:
    """Bring a schema of the append kind up to this code, and its fold to ``settings``; return what that is now.

    Raises ``ConfigurationError`` where the schema is of the merge kind or newer than this code, before anything is
    written. Repeatable: what was cut off is done again.
    """
    for migration in _pending(session):
        if migration.version == APPEND_VERSIONS_FROM:
            session.execute(render(session.dialect, _CREATE_SCHEMA_VERSION), step="create schema_version")
        step = f"migration {migration.version:04d}_{migration.name}"
        with session.transaction():
            for statement in migration.statements:
                session.execute(render(session.dialect, statement), step=step)
            session.execute(render(session.dialect, _INSERT_VERSION), (migration.version, migration.name), step=step)
    return _make_fold(session, settings)


def pending_append(session: Session, settings: FoldSettings) -> list[tuple[str, tuple[str, ...]]]:
    """Return what ``migrate_append`` would do, without writing: names, each with its statements."""
    migrations = _pending(session)
    found = [
        (
            f"{migration.version:04d}_{migration.name}",
            tuple(render(session.dialect, sql) for sql in migration.statements),
        )
        for migration in migrations
    ]
    is_new = any(migration.version == APPEND_VERSIONS_FROM for migration in migrations)
    there = _Made(0, "", VIEWS) if is_new else _fold_version(session)
    statements = fold_statements(session.dialect, _wanted(there, settings))
    if (there.version, there.digest) != (len(load_migrations()), digest_of([sql for _, sql in statements])):
        policies = NO_POLICIES if is_new else policy_clauses(session)
        governed = fold_statements(session.dialect, _wanted(there, settings), policies)
        found.append(("views and folded tables", tuple(sql for _, sql in governed)))
    return found


def check_append_schema(session: Session) -> None:
    """Check, without writing, that a reader of this version understands the schema."""
    present, known = append_version(session), append_migrations()[-1].version
    if present < known or _fold_version(session).version < len(load_migrations()):
        raise ConfigurationError(
            f"the warehouse schema is version {present} and this code reads version {known}: "
            "start the warehouse consumer of this version once, which migrates it"
        )


def has_versions(session: Session) -> bool:
    """Return whether the schema has a table of versions. A role that may create nothing can ask."""
    return bool(session.execute(_SELECT_SCHEMA_VERSION, step="list the tables"))


def append_version(session: Session) -> int:
    """Return the version of a schema of the append kind, 0 where it is new; see ``migrate_append`` for the errors."""
    [(least, present)] = session.execute(_SELECT_VERSIONS, step="read schema_version")
    if 0 < int(least) < APPEND_VERSIONS_FROM:
        raise ConfigurationError(
            "the warehouse schema was made by the merge writer, and the append writer cannot add to its tables: set "
            "MDM_WAREHOUSE_SNOWFLAKE_WRITER=merge to go on with it, or name a new schema and fill that from the feed "
            "or the archive; nothing was changed"
        )
    known = append_migrations()[-1].version
    if int(present) > known:
        raise ConfigurationError(
            f"the warehouse schema is version {int(present)} and this code knows versions up to {known}: deploy the "
            f"mdm-stream that migrated it, or a later one. {lost_by_going_back(session, known)}"
        )
    return int(present)


def _pending(session: Session) -> list[Migration]:
    present = append_version(session) if has_versions(session) else 0
    return [migration for migration in append_migrations() if migration.version > present]


def _wanted(there: _Made, wanted: FoldSettings) -> FoldSettings:
    if wanted.lag_s is not None:
        return wanted
    return there.settings if there.version else FoldSettings(LAG_S, wanted.warehouse)


def _make_fold(session: Session, wanted: FoldSettings) -> FoldSettings:
    there, version = _fold_version(session), len(load_migrations())
    settings = _wanted(there, wanted)
    statements = fold_statements(session.dialect, settings)
    digest = digest_of([sql for _, sql in statements])
    if (there.version, there.digest) == (version, digest):
        return settings
    if there.version > version:
        raise ConfigurationError(
            f"the views of the warehouse are of version {there.version} and this code makes version {version}: "
            "deploy the mdm-stream that made them, or a later one"
        )
    kinds = dict(session.execute(_SELECT_KINDS, step="list the tables"))
    policies = policy_clauses(session)
    _check_kind_may_change(there, settings, policies)
    with session.transaction():
        for name, sql in fold_statements(session.dialect, settings, policies):
            _drop_other_kind(session, name, kinds.get(name), dynamic=_DYNAMIC in sql)
            session.execute(sql, step=f"make {name}")
        session.execute(_DELETE_FOLD_VERSION, (version,), step="note the fold")
        noted = (version, digest, settings.lag_s, settings.warehouse)
        session.execute(_INSERT_FOLD_VERSION, noted, step="note the fold")
    return settings


def _check_kind_may_change(there: _Made, settings: FoldSettings, policies: PolicyClauses) -> None:
    """Refuse to make views of dynamic tables, or the other way, while row access policies are on them.

    ``golden_event`` has another policy in each case, and one that looks up a table shuts incremental refreshes out.
    """
    if there.version and policies.row_access and bool(there.settings.lag_s) != bool(settings.lag_s):
        raise ConfigurationError(
            "the schema has the option row-access, which differs between a fold of dynamic tables and one of views: "
            "run mdm-stream warehouse option remove row-access, change the lag with mdm-stream warehouse migrate, and "
            "apply the option again; nothing was changed"
        )


def _drop_other_kind(session: Session, name: str, kind: str | None, *, dynamic: bool) -> None:
    """Drop a view whose name a dynamic table is to have, or the other way; neither has rows that are nowhere else."""
    if kind is not None and (kind == "VIEW") == dynamic:
        session.execute(f"DROP {'VIEW' if dynamic else 'DYNAMIC TABLE'} {name}", step=f"make {name}")


def _fold_version(session: Session) -> _Made:
    rows = session.execute(_SELECT_FOLD_VERSION, step="read fold_version")
    if not rows:
        return _Made(0, "", VIEWS)
    version, digest, lag_s, warehouse = rows[0]
    return _Made(int(version), str(digest), FoldSettings(int(lag_s), warehouse))


def _view(dialect: Dialect, name: str, select: str) -> str:
    return f"CREATE OR REPLACE VIEW {name} {dialect.view_options} AS\n{select.strip()}"


def fold_columns(dialect: Dialect, select: str) -> list[tuple[str, str]]:
    """Return name and type of each column of a fold, in order."""
    listed = re.sub(r"\([^()]*\)", "", select.strip().removeprefix("SELECT").partition("\nFROM")[0])
    names = [item.split()[-1] for item in listed.split(",")]
    kinds = dict(EVENT_COLUMNS) | _FOLD_ONLY
    return [(name, str(getattr(dialect, kinds[name]))) for name in names]


_FOLD_ONLY: dict[str, ColumnType] = {
    "applied_at": "timestamp", "batch_id": "text", "golden_values": "json", "manifest": "json", "payload": "json",
    "other_record_id": "text", "other_source": "text", "positions": "json", "provenance": "json", "reasons": "json",
}  # fmt: skip


def _dynamic_table(dialect: Dialect, name: str, select: str, settings: FoldSettings, policies: PolicyClauses) -> str:
    if dialect.name != "snowflake":
        raise ConfigurationError("only Snowflake has dynamic tables: keep the folded tables as views (a lag of 0)")
    if not settings.warehouse:
        raise ConfigurationError(
            "dynamic tables need a warehouse that refreshes them: set MDM_WAREHOUSE_SNOWFLAKE_WAREHOUSE, or "
            "MDM_WAREHOUSE_SNOWFLAKE_LAG_S=0 for views"
        )
    quoted = '"' + settings.warehouse.replace('"', '""') + '"'
    warehouse = settings.warehouse if _NAME.fullmatch(settings.warehouse) else quoted
    columns = fold_columns(dialect, select)
    return (
        f"CREATE OR REPLACE {_DYNAMIC} {name}{policies.columns(columns)} TARGET_LAG = '{settings.lag_s} seconds' "
        f"WAREHOUSE = {warehouse} REFRESH_MODE = INCREMENTAL DATA_RETENTION_TIME_IN_DAYS = 0 COPY GRANTS"
        f"{policies.rows(columns)} AS\n"
        f"{select.strip()}"
    )
