"""The append writer on Snowflake: how many statements a batch takes, which, and what is left of a failed one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from feed_messages import contents, erase, loaded, origins, rejected, retire, upsert

from mdm_stream.contracts.golden import FeedEnvelope
from mdm_stream.errors import ConfigurationError, MdmError, TransientError
from mdm_stream.warehouse import DuckDbWarehouse, SnowflakeWarehouse
from mdm_stream.warehouse.append import layout as append_layout
from mdm_stream.warehouse.append.events import EVENT_COLUMNS, event_file
from mdm_stream.warehouse.rows import STAGED_COLUMNS
from mdm_stream.warehouse.snowflake.append import SnowflakeEventSession, copy_statement, put_statement

pytestmark = pytest.mark.long

Make = Callable[..., SnowflakeWarehouse]
FEED: list[FeedEnvelope] = [
    upsert(1, "g1", ["crm/1"], values={"name": 'O\'Brien\n"Zoë" 🙂', "none": None}),
    upsert(2, "g1", ["crm/1", "erp/1"], values={"name": "Zoë"}, provenance={"name": origins("web/a/b")}),
    upsert(3, "g2", ["crm/2"]),
    retire(4, "g2", merged_into="g1", anchor="crm/2"),
    upsert(5, "g1", ["crm/1", "crm/2"], removed=["erp/1"]),
    upsert(1, "g1", ["crm/1"], epoch=2),
    upsert(1, "g1", ["crm/1"], domain="org"),
    rejected("q1", minute=2),
    rejected("q1", minute=1, received_from="api"),
    loaded("a" * 32, 2, "done", ended_at="2026-03-01T12:05:00Z"),
]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that reach Snowflake, as they are sent."""
    statements: list[str] = []
    real = SnowflakeEventSession._run

    def noting(session: Any, step: str, sql: str, *arguments: Any, **options: Any) -> list[tuple[Any, ...]]:
        statements.append(sql)
        return real(session, step, sql, *arguments, **options)

    monkeypatch.setattr(SnowflakeEventSession, "_run", noting)
    return statements


def test_a_batch_takes_three_statements(snowflake_warehouse: Make, sent: list[str]) -> None:
    """Upload, load, look for erasures, at ten messages and at thousands. No value is part of a statement."""
    warehouse = snowflake_warehouse("three_statements", "append")
    warehouse.query("SELECT 1")
    for batch in (FEED, [upsert(n, f"g{n}", [f"crm/{n}"]) for n in range(10, 3_000)]):
        sent.clear()
        warehouse.apply(batch)
        assert [sql.split(maxsplit=1)[0] for sql in sent] == ["PUT", "COPY", "SELECT"]
        assert not any("Zoë" in sql or "crm" in sql for sql in sent)


def test_a_batch_without_positions_looks_for_no_erasure(snowflake_warehouse: Make, sent: list[str]) -> None:
    """Reports and manifests hold no values of records."""
    warehouse = snowflake_warehouse("two_statements", "append")
    warehouse.query("SELECT 1")
    sent.clear()
    warehouse.apply(FEED[7:])
    assert [sql.split(maxsplit=1)[0] for sql in sent] == ["PUT", "COPY"]


def test_no_statement_of_the_path_locks_or_rewrites(snowflake_warehouse: Make, sent: list[str]) -> None:
    """Without an erasure no row of the table is changed, and no statement waits for another writer's."""
    warehouse = snowflake_warehouse("no_locks", "append")
    warehouse.query("SELECT 1")
    sent.clear()
    for batch in (FEED, FEED[::-1], FEED):
        warehouse.apply(batch)
    assert not {sql.split(maxsplit=1)[0] for sql in sent} & {"MERGE", "UPDATE", "DELETE", "BEGIN"}


def test_the_ledger_has_a_row_for_each_batch(snowflake_warehouse: Make) -> None:
    """Which messages, from which position to which, when; one row, however often the batch was loaded."""
    warehouse = snowflake_warehouse("ledger", "append")
    warehouse.apply(FEED)
    warehouse.close()
    warehouse.apply(FEED)
    [(batch_id, rows, positions)] = warehouse.query("SELECT batch_id, row_count, positions FROM applied_batch")
    assert (batch_id, rows) == (event_file(FEED, {}).batch_id, len(FEED))
    assert positions == '{"org":{"first":[1,1],"last":[1,1]},"person":{"first":[1,1],"last":[2,1]}}'


def test_a_session_that_loads_a_batch_twice_adds_its_rows_once(snowflake_warehouse: Make) -> None:
    """COPY passes over a file of the same name; nothing depends on it, as the fold of repetitions shows elsewhere."""
    warehouse = snowflake_warehouse("twice", "append")
    for _ in range(3):
        warehouse.apply(FEED)
    assert warehouse.query("SELECT COUNT(*) FROM golden_event") == [(len(FEED) + 1,)]


def test_both_kinds_hold_the_same_rows(snowflake_warehouse: Make, duckdb_warehouse: DuckDbWarehouse) -> None:
    """Tables and readers' views, times of reports and manifests among them."""
    duckdb_warehouse.apply([*FEED, erase(6, "web/a/b")])
    warehouse = snowflake_warehouse("same_rows", "append")
    for batch in ([erase(6, "web/a/b")], FEED[5:], FEED[:5], FEED[3:]):
        warehouse.apply(batch)
    assert contents(warehouse) == contents(duckdb_warehouse)
    for columns, view in (
        ("domain, golden_id, epoch, sequence", "current_golden_record"),
        ("domain, source, record_id, golden_id", "current_crosswalk"),
        ("domain, golden_id, leads_to", "golden_redirect"),
        ("domain, golden_id, epoch, sequence, valid_from, valid_to", "golden_record_as_of"),
        ("domain, epoch, rules_version, first_sequence, last_sequence", "golden_epoch"),
    ):
        query = f"SELECT {columns} FROM {view} ORDER BY 1, 2, 3, 4"
        query = query.replace(", 4", "") if view == "golden_redirect" else query
        assert warehouse.query(query) == duckdb_warehouse.query(query)


@pytest.mark.parametrize("failing", ["PUT", "COPY"])
def test_a_batch_that_failed_leaves_no_file(
    snowflake_warehouse: Make, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """Values that were uploaded and not loaded are removed from the stage of the session, which a retry fills anew."""
    warehouse = snowflake_warehouse(f"failed_{failing.lower()}", "append")
    warehouse.query("SELECT 1")
    sent: list[str] = []
    real = SnowflakeEventSession._run

    def cut_off(session: Any, step: str, sql: str, *arguments: Any, **options: Any) -> list[tuple[Any, ...]]:
        sent.append(sql)
        if sql.startswith(failing):
            raise TransientError("cut off")
        return [] if sql.startswith("REMOVE") else real(session, step, sql, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(SnowflakeEventSession, "_run", cut_off)
        with pytest.raises(TransientError, match="cut off"):
            warehouse.apply(FEED)
    assert sent[-1] == f"REMOVE @golden_event_file/{event_file(FEED, {}).batch_id}.ndjson.gz"
    warehouse.apply(FEED)
    assert warehouse.position("person") == (2, 1)


def test_a_file_that_is_not_there_is_an_error(snowflake_warehouse: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load that finds no file must not count as one that loaded it."""
    warehouse = snowflake_warehouse("no_file", "append")
    monkeypatch.setattr("mdm_stream.warehouse.snowflake.append.put_statement", lambda _: "SELECT 1")
    with pytest.raises(MdmError):
        warehouse.apply(FEED)
    assert warehouse.position("person") == (0, 0)


def test_the_kind_of_a_schema_is_kept(snowflake_warehouse: Make) -> None:
    """A new schema is of the append kind, one that is there stays what it is, and the other writer is refused."""
    for writer, other, way_out in (("merge", "append", "WRITER=merge"), ("append", "merge", "WRITER=append")):
        schema = f"made_by_{writer}"
        snowflake_warehouse(schema, writer).apply(FEED)
        refused = snowflake_warehouse(schema, other)
        with pytest.raises(ConfigurationError, match=way_out):
            refused.apply(FEED)
        unsaid = snowflake_warehouse(schema, None)
        unsaid.apply([upsert(9, "g9", ["crm/9"], epoch=2)])
        assert snowflake_warehouse(schema, writer).position("person") == (2, 9)
    unsaid = snowflake_warehouse("made_by_default", None)
    unsaid.apply(FEED)
    assert unsaid.query("SELECT COUNT(*) > 0 FROM golden_event") == [(True,)]


def test_a_newer_schema_is_refused(snowflake_warehouse: Make) -> None:
    """A schema or views from the future stop this code before it writes."""
    for schema, statement, message in (
        (
            "newer",
            "INSERT INTO schema_version SELECT 1099, 'from_the_future'",
            r"version 1099 .*: 1099_from_the_future",
        ),
        ("newer_views", "UPDATE fold_version SET version = 99", "version 99"),
    ):
        warehouse = snowflake_warehouse(schema, "append")
        warehouse.query(statement)
        warehouse.close()
        with pytest.raises(ConfigurationError, match=message):
            warehouse.apply(FEED)


def test_a_new_session_makes_the_views_no_second_time(snowflake_warehouse: Make, sent: list[str]) -> None:
    """Logging in again runs no DDL but for the session's own tables and stage, so grants and plans stay."""
    warehouse = snowflake_warehouse("kept_views", "append")
    warehouse.apply(FEED[:1])
    warehouse.close()
    sent.clear()
    warehouse.apply(FEED[1:2])
    assert not [sql for sql in sent if "VIEW" in sql.split("\n")[0] and sql.startswith("CREATE")]


def test_what_a_writer_remembers_is_bounded(append_duckdb_warehouse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Erased records beyond the bound are found after the batch is loaded, and their values go all the same."""
    monkeypatch.setattr(append_layout, "ERASED_KNOWN_MAX", 1)
    append_duckdb_warehouse.apply([erase(1, "crm/1"), erase(2, "crm/2")])
    append_duckdb_warehouse._layout._known.clear()
    named = {"values": {"name": "Wilhelmina"}, "provenance": {"name": origins("crm/1")}}
    append_duckdb_warehouse.apply([upsert(3, "g1", ["crm/1"], **named)])
    assert append_duckdb_warehouse.search(["Wilhelmina"]) == []


def test_the_fields_of_a_line_are_those_of_a_staged_row() -> None:
    """A column that staged rows get must be given to golden_event too, by a migration, or be of no use there."""
    of_no_use = {"held_digest"}
    staged = [column for column in STAGED_COLUMNS if column[0] not in of_no_use]
    assert [*staged, ("contributors", "json")] == list(EVENT_COLUMNS)


def test_the_name_of_a_batch_is_made_of_its_content() -> None:
    """The same messages with the same erased records give the same bytes; what is taken out gives others."""
    named = [upsert(1, "g1", ["crm/1"], values={"name": "x"}, provenance={"name": origins("crm/1")})]
    assert event_file(named, {}) == event_file(named, {})
    assert event_file(named, {"person": {("crm", "1")}}).batch_id != event_file(named, {}).batch_id
    assert event_file(named, {"org": {("crm", "1")}}).batch_id == event_file(named, {}).batch_id


def _of_a_batch() -> Sequence[str]:
    return put_statement("0" * 32), copy_statement("0" * 32, datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize("sql", _of_a_batch(), ids=["put", "copy"])
def test_the_statements_of_a_batch_are_snowflakes(sql: str) -> None:
    """They parse in Snowflake's dialect as what they are."""
    sqlglot = pytest.importorskip("sqlglot", reason="sqlglot comes with fakesnow (extra: dev)")
    assert type(sqlglot.parse_one(sql, read="snowflake")).__name__ == sql.split(maxsplit=1)[0].title()
