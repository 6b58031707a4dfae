"""The schema comes up once, in order, and never backwards."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mdm_stream.errors import ConfigurationError, TerminalError, TransientError
from mdm_stream.warehouse import DuckDbWarehouse
from mdm_stream.warehouse.dialect import DUCKDB, SNOWFLAKE
from mdm_stream.warehouse.duckdb.session import DuckDbSession
from mdm_stream.warehouse.migrations import load_migrations, migrate, pending, split_statements


@pytest.fixture
def session() -> DuckDbSession:
    """An empty database."""
    return DuckDbSession(":memory:", read_only=False, lock_wait_ms=0)


def test_a_new_database_gets_every_migration_in_order(session: DuckDbSession) -> None:
    """After the first start schema_version lists each file once, and a second start adds nothing."""
    migrate(session)
    migrate(session)
    versions = session.execute("SELECT version, name FROM schema_version ORDER BY version", step="test")
    assert versions == [(m.version, m.name) for m in load_migrations()]


def test_a_migration_that_was_cut_off_is_finished_by_the_next_start(session: DuckDbSession) -> None:
    """Statements may be applied twice: where DDL commits by itself, a crash leaves a part of a file."""
    migrate(session)
    session.execute("DELETE FROM schema_version WHERE version > 0", step="test")
    session.execute("DROP VIEW golden_record_as_of", step="test")
    migrate(session)
    assert session.execute("SELECT * FROM golden_record_as_of", step="test") == []


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """Code that is older than the schema says which versions are meant, and writes nothing."""
    path = tmp_path / "warehouse.duckdb"
    writer = DuckDbWarehouse(path)
    writer.query("INSERT INTO schema_version VALUES (99, 'from_the_future')")
    writer.close()
    for warehouse in (DuckDbWarehouse(path), DuckDbWarehouse(path, read_only=True)):
        with pytest.raises(ConfigurationError, match=r"version 99 .* up to \d+"):
            warehouse.query("SELECT 1")


def test_a_reader_does_not_migrate(tmp_path: Path) -> None:
    """A read-only warehouse of an older schema says what to start."""
    path = tmp_path / "warehouse.duckdb"
    writer = DuckDbWarehouse(path)
    writer.query("DELETE FROM schema_version WHERE version > 1")
    writer.close()
    with pytest.raises(ConfigurationError, match="start the warehouse consumer"):
        DuckDbWarehouse(path, read_only=True).query("SELECT 1")


def test_a_failed_migration_leaves_no_version_behind(session: DuckDbSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file counts as applied only with its last statement, and the next start takes it up again."""
    real = session.execute

    def failing(sql: str, parameters: tuple[object, ...] = (), *, step: str) -> list[tuple[object, ...]]:
        if "VIEW golden_record_as_of" in sql:
            raise TransientError("cut off")
        return real(sql, parameters, step=step)

    monkeypatch.setattr(session, "execute", failing)
    with pytest.raises(TransientError):
        migrate(session)
    monkeypatch.undo()
    assert session.execute("SELECT MAX(version) FROM schema_version", step="test") == [(1,)]
    migrate(session)
    assert session.execute("SELECT MAX(version) FROM schema_version", step="test") == [(len(load_migrations()),)]


def test_comments_and_blank_statements_are_dropped() -> None:
    """A statement ends at a semicolon that ends a line; comments never reach the database."""
    assert split_statements("-- a;\nSELECT 1; -- b\n\nSELECT\n 2;\n;\n") == ("SELECT 1", "SELECT\n 2")


@pytest.mark.parametrize("dialect", [DUCKDB, SNOWFLAKE])
def test_every_placeholder_is_known_to_each_dialect(dialect: object) -> None:
    """No migration holds a placeholder that would reach a database unrendered."""
    for migration in load_migrations():
        for statement in migration.statements:
            assert re.search(r"\$[a-z{]", dialect.render(statement)) is None


def test_an_up_to_date_schema_is_opened_without_a_right_to_create(session: DuckDbSession, monkeypatch: Any) -> None:
    """A writer whose schema the migration role has brought up creates nothing."""
    migrate(session)
    ran: list[str] = []
    real = session.execute

    def noting(sql: str, parameters: tuple[object, ...] = (), *, step: str) -> list[tuple[object, ...]]:
        ran.append(sql)
        return real(sql, parameters, step=step)

    monkeypatch.setattr(session, "execute", noting)
    assert migrate(session) == ()
    assert ran == ["SELECT COALESCE(MAX(version), 0) FROM schema_version"]


def test_a_fault_is_not_taken_for_an_empty_database(session: DuckDbSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a virtual warehouse nothing can be read: that does not mean that every migration is lacking."""

    def failing(_sql: str, _parameters: tuple[object, ...] = (), *, step: str) -> list[tuple[object, ...]]:
        raise TerminalError(f"Snowflake, {step}: no active warehouse")

    monkeypatch.setattr(session, "execute", failing)
    with pytest.raises(TerminalError, match="read schema_version: no active warehouse"):
        pending(session)
