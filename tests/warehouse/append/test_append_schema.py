"""The schema of the append kind: its statements in Snowflake's dialect, and how dynamic tables come and go.

No local server has dynamic tables. Their statements are parsed in Snowflake's dialect, their SELECTs are those of the
views that other tests fold, and what is sent for which settings is shown by a session that notes it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from mdm_stream.errors import ConfigurationError
from mdm_stream.warehouse import WarehouseSettings
from mdm_stream.warehouse.append import VIEWS, AppendLayout, FoldSettings, erasure, layout, schema
from mdm_stream.warehouse.append.fold import FOLDS
from mdm_stream.warehouse.append.schema import (
    LAG_S,
    append_migrations,
    check_append_schema,
    fold_statements,
    migrate_append,
    render,
)
from mdm_stream.warehouse.dialect import DUCKDB, SNOWFLAKE
from mdm_stream.warehouse.duckdb.append import DuckDbEventSession
from mdm_stream.warehouse.snowflake.append import CREATE_STAGE

HOURLY = FoldSettings(3_600, "FOLD_WH")


def _statements() -> Iterator[tuple[str, str]]:
    for migration in append_migrations():
        for number, statement in enumerate(migration.statements):
            yield f"{migration.version}.{number}", render(SNOWFLAKE, statement)
    for settings in (VIEWS, HOURLY):
        for name, sql in fold_statements(SNOWFLAKE, settings):
            yield f"{name} at {settings.lag_s}", sql
    yield "stage", CREATE_STAGE
    for module, names in (
        (layout, ("_SELECT_KNOWN", "_COUNT_ERASED", "_SELECT_ERASED_OF_BATCH", "_SELECT_LEAST")),
        (schema, ("_SELECT_SCHEMA_VERSION", "_SELECT_VERSIONS", "_SELECT_FOLD_VERSION", "_SELECT_KINDS")),
        (erasure, ("_REDACT", "_SELECT_TABLES")),
    ):
        for name in names:
            yield name, SNOWFLAKE.render(getattr(module, name))
    for name in ("select_published", "select_erased", "select_position"):
        yield name, getattr(AppendLayout, name)
    yield "select_events_of", SNOWFLAKE.render(erasure.select_events_of(3))
    for table, sql in erasure._PROVENANCE_OF.items():
        yield f"provenance of {table}", SNOWFLAKE.render(sql)


@pytest.mark.parametrize("sql", [pytest.param(sql, id=name) for name, sql in _statements()])
def test_every_statement_is_of_snowflakes_dialect(sql: str) -> None:
    """It parses as what it begins with, and not as a command that the parser does not know."""
    sqlglot = pytest.importorskip("sqlglot", reason="sqlglot comes with fakesnow (extra: dev)")
    parsed = sqlglot.parse_one(sql, read="snowflake")
    assert type(parsed).__name__.upper() == sql.split(maxsplit=1)[0]


def test_a_fold_is_the_same_text_on_both_databases() -> None:
    """Only how JSON is read differs, and what a view is made with."""
    for name, select in FOLDS.items():
        for dialect in (DUCKDB, SNOWFLAKE):
            text = dialect.render(select).strip()
            assert dict(fold_statements(dialect, VIEWS))[f"fresh_{name}"].endswith(f"AS\n{text}")
        dynamic = dict(fold_statements(SNOWFLAKE, HOURLY))[name]
        assert dynamic.endswith(f"AS\n{text}")
        assert "TARGET_LAG = '3600 seconds' WAREHOUSE = FOLD_WH REFRESH_MODE = INCREMENTAL" in dynamic


def test_the_name_of_a_warehouse_is_quoted_where_it_must_be() -> None:
    """A name of other characters cannot end the statement that it is part of."""
    odd = FoldSettings(60, 'my "wh"; DROP TABLE golden_event')
    assert 'WAREHOUSE = "my ""wh""; DROP TABLE golden_event" ' in dict(fold_statements(SNOWFLAKE, odd))["crosswalk"]


class Noting:
    """A session of Snowflake's dialect over a DuckDB one: it runs what is no dynamic table, and notes everything.

    A dynamic table is made as a table with its rows, which is what it is for whoever looks for its kind.
    """

    dialect = SNOWFLAKE

    def __init__(self) -> None:
        self.inner = DuckDbEventSession(":memory:", read_only=False, lock_wait_ms=0)
        self.sent: list[str] = []

    def execute(self, sql: str, parameters: Sequence[object] = (), *, step: str) -> list[tuple[Any, ...]]:
        """Note the statement, and run it as DuckDB would have it."""
        self.sent.append(sql)
        if sql.startswith("ALTER DYNAMIC TABLE"):
            return []
        name, _, select = sql.partition(" AS\n")
        if "DYNAMIC TABLE" in name:
            words = name.split()
            sql = f"DROP TABLE {words[3]}" if words[0] == "DROP" else f"CREATE OR REPLACE TABLE {words[6]} AS {select}"
        for snowflakes in ("TRANSIENT ", SNOWFLAKE.table_options, "CHANGE_TRACKING = TRUE"):
            sql = sql.replace(snowflakes, "")
        sql = sql.replace("VARIANT", "JSON").replace("TIMESTAMP_NTZ", "TIMESTAMP").replace("NUMBER(19, 0)", "BIGINT")
        if view := re.match(r"CREATE OR REPLACE VIEW (\w+)", sql):
            sql = dict(fold_statements(DUCKDB, VIEWS))[view[1]]
        return self.inner.execute(sql, parameters, step=step)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Each statement commits by itself."""
        yield


def made(session: Noting, settings: FoldSettings) -> tuple[FoldSettings, list[str]]:
    """Migrate; return the settings that count, and how the statements begin that were sent for golden_record."""
    session.sent.clear()
    counts = migrate_append(session, settings)  # type: ignore[arg-type]
    about = [sql for sql in session.sent if re.search(r"(VIEW|TABLE) golden_record\b", sql.split(" AS\n")[0])]
    return counts, [" ".join(sql.split()[:4]) for sql in about]


VIEW, DYNAMIC = "CREATE OR REPLACE VIEW", "CREATE OR REPLACE TRANSIENT"


def test_a_lag_is_changed_by_the_setting_alone() -> None:
    """From views to dynamic tables, to another lag and back; what is not said stays, and nothing is made twice."""
    session = Noting()
    assert made(session, VIEWS) == (VIEWS, [VIEW])
    assert made(session, FoldSettings(None, "OTHER_WH")) == (VIEWS, [])
    assert made(session, HOURLY) == (HOURLY, ["DROP VIEW golden_record", DYNAMIC])
    assert made(session, FoldSettings(None, None)) == (HOURLY, [])
    assert made(session, FoldSettings(60, "FOLD_WH")) == (FoldSettings(60, "FOLD_WH"), [DYNAMIC])
    assert made(session, VIEWS) == (VIEWS, ["DROP DYNAMIC TABLE golden_record", VIEW])
    check_append_schema(session)  # type: ignore[arg-type]


def test_a_change_of_lag_that_was_cut_off_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it stops, some tables are of the one kind and some of the other, and the next start makes them all."""
    for place in itertools.count():
        session, left = Noting(), place
        made(session, VIEWS)
        real = session.execute

        def cut_off(sql: str, parameters: Sequence[object] = (), *, step: str) -> list[tuple[Any, ...]]:
            nonlocal left
            left -= 1
            if left < 0:
                raise ConnectionError
            return real(sql, parameters, step=step)  # noqa: B023 - called within this turn

        with monkeypatch.context() as patched:
            patched.setattr(session, "execute", cut_off)
            try:
                migrate_append(session, HOURLY)  # type: ignore[arg-type]
            except ConnectionError:
                done = False
            else:
                done = True
        assert made(session, HOURLY)[0] == HOURLY
        kinds = dict(session.execute("SELECT table_name, table_type FROM information_schema.tables", step="test"))
        assert {kinds[name] for name in FOLDS} == {"BASE TABLE"}
        if done:
            break
    assert place > 2 * len(FOLDS)


def test_a_new_schema_has_the_lag_of_the_documentation() -> None:
    """Some minutes, refreshed by the warehouse that the writer uses; without one it says what to set."""
    session = Noting()
    assert made(session, FoldSettings(None, "WH"))[0] == FoldSettings(LAG_S, "WH")
    with pytest.raises(ConfigurationError, match="MDM_WAREHOUSE_SNOWFLAKE_LAG_S=0"):
        made(Noting(), FoldSettings())


def test_dynamic_tables_with_values_are_refreshed_after_an_erasure() -> None:
    """They would else hold erased values until their lag is over."""
    session = Noting()
    made(session, HOURLY)
    session.sent.clear()
    erasure.rewrite_events(session, {}, datetime(2026, 3, 1, tzinfo=UTC), lagging=True)  # type: ignore[arg-type]
    tables = ("golden_record", "golden_history", "evidence_history")
    assert session.sent == [f"ALTER DYNAMIC TABLE {table} REFRESH" for table in tables]


SETTINGS = {
    "MDM_WAREHOUSE_KIND": "snowflake",
    "MDM_WAREHOUSE_SNOWFLAKE_ACCOUNT": "org-account",
    "MDM_WAREHOUSE_SNOWFLAKE_USER": "mdm",
    "MDM_WAREHOUSE_SNOWFLAKE_DATABASE": "mdm",
    "MDM_WAREHOUSE_SNOWFLAKE_SCHEMA": "golden",
    "MDM_WAREHOUSE_SNOWFLAKE_PRIVATE_KEY_PATH": "k.pem",
}


def test_writer_and_lag_are_settings() -> None:
    """Left out, a schema stays what it is; a lag that Snowflake does not take names its variable."""
    unsaid = WarehouseSettings.from_environment(SETTINGS).snowflake
    assert unsaid is not None
    assert (unsaid.writer, unsaid.lag_s) == (None, None)
    said = {**SETTINGS, "MDM_WAREHOUSE_SNOWFLAKE_WRITER": "merge", "MDM_WAREHOUSE_SNOWFLAKE_LAG_S": "0"}
    read = WarehouseSettings.from_environment(said).snowflake
    assert read is not None
    assert (read.writer, read.lag_s) == ("merge", 0)
    for name, wrong in (("LAG_S", "30"), ("LAG_S", "-1"), ("WRITER", "insert")):
        variable = f"MDM_WAREHOUSE_SNOWFLAKE_{name}"
        with pytest.raises(ConfigurationError, match=variable):
            WarehouseSettings.from_environment({**SETTINGS, variable: wrong})
