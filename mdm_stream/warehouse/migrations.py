"""Versioned DDL: the numbered ``.sql`` files beside this module, each applied once and in order.

Every file is written to be repeatable (IF NOT EXISTS, OR REPLACE), because Snowflake commits DDL statement by
statement and two consumers may start at the same time: a file that was applied in part, or twice, ends the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from mdm_stream.errors import ConfigurationError
from mdm_stream.warehouse.faults import MissingTableError
from mdm_stream.warehouse.session import Session

APPEND_VERSIONS_FROM = 1001
"""Versions of schemas of the append kind (see ``append.schema``) begin here."""

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

_CREATE_SCHEMA_VERSION = """
CREATE $table IF NOT EXISTS schema_version (version $integer NOT NULL, name $text NOT NULL) $table_options
"""
_INSERT_VERSION = """
INSERT INTO schema_version (version, name)
SELECT m.version, m.name FROM (SELECT CAST(? AS $integer) AS version, CAST(? AS $text) AS name) AS m
WHERE NOT EXISTS (SELECT 1 FROM schema_version AS t WHERE t.version = m.version)
"""
_SELECT_VERSION = "SELECT COALESCE(MAX(version), 0) FROM schema_version"
_SELECT_LATER = "SELECT version, name FROM schema_version WHERE version > ? ORDER BY version"


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file, split into its statements, with dialect placeholders."""

    version: int
    name: str
    statements: tuple[str, ...]


@cache
def load_migrations() -> tuple[Migration, ...]:
    """Return every migration in order. A gap or a repeated number in the files is a ``ValueError``."""
    found: list[Migration] = []
    for file in resources.files("mdm_stream.warehouse").iterdir():
        match = _FILE_NAME.fullmatch(file.name)
        if match:
            found.append(Migration(int(match[1]), match[2], split_statements(file.read_text(encoding="utf-8"))))
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError("migration files must be numbered 0001, 0002, ... without a gap")
    return tuple(found)


def split_statements(sql: str) -> tuple[str, ...]:
    """Return the statements of a file: comments removed, each ended by a semicolon at the end of a line."""
    lines = [line.split("--", 1)[0].rstrip() for line in sql.splitlines()]
    return tuple(part.strip() for part in re.split(r";\n", "\n".join(lines) + "\n") if part.strip())


def pending(session: Session) -> tuple[Migration, ...]:
    """Return the migrations that the database lacks, in order, without writing.

    Raises ``ConfigurationError`` when the database is newer than this code, and says what going back would lose.
    """
    try:
        present = _schema_version(session)
    except MissingTableError:  # a role that may not see schema_version is refused by what comes next
        present = 0
    return load_migrations()[present:]


def migrate(session: Session) -> tuple[Migration, ...]:
    """Bring the schema up to the version of this code; return what was applied. Needs no right to create if nothing is.

    Raises ``ConfigurationError`` when the database is newer than this code.
    """
    applied = pending(session)
    for migration in applied:
        step = f"migration {migration.version:04d}_{migration.name}"
        with session.transaction():
            for statement in rendered(session, migration):
                session.execute(statement, step=step)
            parameters = (migration.version, migration.name)
            session.execute(session.dialect.render(_INSERT_VERSION), parameters, step=step)
    return applied


def rendered(session: Session, migration: Migration) -> tuple[str, ...]:
    """Return the statements of a migration as this database gets them; the first one makes ``schema_version`` too."""
    own = (_CREATE_SCHEMA_VERSION.strip(),) if migration.version == 1 else ()
    return tuple(session.dialect.render(statement).rstrip() for statement in (*own, *migration.statements))


def check_schema(session: Session) -> None:
    """Check, without writing, that a reader of this version understands the schema."""
    present = _schema_version(session)
    known = len(load_migrations())
    if present < known:
        raise ConfigurationError(
            f"the warehouse schema is version {present} and this code reads version {known}: "
            "start the warehouse consumer of this version once, which migrates it"
        )


def lost_by_going_back(session: Session, known: int) -> str:
    """Return a sentence that names the migrations of a schema that are later than version ``known``."""
    rows = session.execute(_SELECT_LATER, (known,), step="read schema_version")
    later = ", ".join(f"{int(version):04d}_{name}" for version, name in rows)
    return f"Going back would lose what these have added: {later}"


def _schema_version(session: Session) -> int:
    present = int(session.execute(_SELECT_VERSION, step="read schema_version")[0][0])
    known = len(load_migrations())
    if present >= APPEND_VERSIONS_FROM:
        raise ConfigurationError(
            f"the warehouse schema is version {present}, made by the append writer, and the merge writer cannot add to "
            "it: set MDM_WAREHOUSE_SNOWFLAKE_WRITER=append, or name another schema; nothing was changed"
        )
    if present > known:
        raise ConfigurationError(
            f"the warehouse schema is version {present} and this code knows versions up to {known}: deploy the "
            f"mdm-stream that migrated it, or a later one. {lost_by_going_back(session, known)}"
        )
    return present
