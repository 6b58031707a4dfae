"""A batch: how many statements it takes, what one message can do to the others, and what it leaves in staging."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from feed_messages import erase, loaded, rejected, upsert

from mdm_stream.contracts.golden import FeedEnvelope
from mdm_stream.decode import Delivery
from mdm_stream.errors import MdmError, RejectedEventError
from mdm_stream.warehouse import DuckDbWarehouse, SnowflakeWarehouse, WarehouseConsumer, statements
from mdm_stream.warehouse.duckdb.session import DuckDbSession
from mdm_stream.warehouse.snowflake.session import SnowflakeSession
from mdm_stream.warehouse.warehouse import SqlWarehouse

pytestmark = pytest.mark.long

INTEGER_MAX = 2**63 - 1
FIRST, LAST = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"
STATEMENTS_OF_CHANGES = {DuckDbWarehouse: 10, SnowflakeWarehouse: 11}
"""Begin and commit are statements of DuckDB; upload, copy and two TRUNCATE are some of Snowflake."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that are run, by step."""
    seen: list[str] = []
    execute, run = DuckDbSession.execute, SnowflakeSession._run

    def on_duckdb(session: Any, sql: str, parameters: Sequence[object] = (), *, step: str) -> Any:
        seen.append(step)
        return execute(session, sql, parameters, step=step)

    def on_snowflake(session: Any, step: str, sql: str, parameters: Any = None, **options: Any) -> Any:
        seen.append(step)
        return run(session, step, sql, parameters, **options)

    monkeypatch.setattr(DuckDbSession, "execute", on_duckdb)
    monkeypatch.setattr(SnowflakeSession, "_run", on_snowflake)
    return seen


def batch(size: int, first: int = 1, **where: Any) -> list[FeedEnvelope]:
    """So many golden records of two members each."""
    return [upsert(n, f"g{n}", [f"crm/{n}", f"erp/{n}"], **where) for n in range(first, first + size)]


def statements_of(warehouse: SqlWarehouse, run: list[str], messages: list[FeedEnvelope]) -> int:
    """How many statements applying these takes."""
    run.clear()
    warehouse.apply(messages)
    return len(run)


def test_a_batch_takes_as_many_statements_whatever_its_size(each_warehouse: SqlWarehouse, run: list[str]) -> None:
    """Whether one record is named or 1,200; also where something was erased, in another domain or in this one."""
    each_warehouse.query("SELECT 1")
    few = statements_of(each_warehouse, run, batch(1))
    assert few == STATEMENTS_OF_CHANGES[type(each_warehouse)]
    assert statements_of(each_warehouse, run, batch(600, 2)) == few
    each_warehouse.apply([erase(1, "crm/x", domain="org")])
    assert statements_of(each_warehouse, run, batch(1, 1_000)) == few
    each_warehouse.apply([erase(2_000, "crm/x")])
    more = statements_of(each_warehouse, run, batch(1, 3_000))
    assert few < more <= few + 8
    assert statements_of(each_warehouse, run, batch(600, 4_000)) <= more + 1  # the clearing of what was staged before
    assert each_warehouse.query("SELECT COUNT(*) FROM golden_history") == [(1 + 600 + 1 + 1 + 1 + 1 + 600,)]


def test_the_ends_of_the_calendar_and_of_the_integers(each_warehouse: SqlWarehouse) -> None:
    """The first and the last microsecond that RFC 3339 can write, and the greatest integers, are kept as they are."""
    assert each_warehouse.apply(
        [
            upsert(1, "g1", ["crm/1"], committed_at=FIRST),
            upsert(INTEGER_MAX, "g2", ["crm/2"], epoch=INTEGER_MAX, committed_at=LAST),
            erase(2, "crm/3", committed_at="0001-01-01T23:59:00+23:59"),
            loaded("0" * 32, INTEGER_MAX, "done", rows=INTEGER_MAX, accepted=INTEGER_MAX),
        ]
    )
    assert each_warehouse.position("person") == (INTEGER_MAX, INTEGER_MAX)
    times = each_warehouse.query("SELECT golden_id, CAST(committed_at AS VARCHAR) FROM golden_record ORDER BY 1")
    assert [(golden_id, text.replace("T", " ")[:26]) for golden_id, text in times] == [
        ("g1", "0001-01-01 00:00:00"),
        ("g2", "9999-12-31 23:59:59.999999"),
    ]
    assert each_warehouse.query("SELECT revision, row_count FROM file_loads") == [(INTEGER_MAX, INTEGER_MAX)]
    assert each_warehouse.query("SELECT COUNT(*) FROM erased_record") == [(1,)]


def changed(message: FeedEnvelope, **data: Any) -> bytes:
    """A message with other data, as it may come from the stream."""
    document = message.model_dump(mode="json")
    document["data"] |= data
    if {"epoch", "sequence"} & data.keys():
        document["id"] = "{domain}/{epoch}/{sequence}".format(**document["data"])
    document["time"] = data.get("committed_at", document["time"])
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("message", "data"),
    [
        (upsert(2, "g2", ["crm/2"]), {"committed_at": "0001-01-01T00:00:00+23:59"}),
        (upsert(2, "g2", ["crm/2"]), {"committed_at": "9999-12-31T23:59:59-00:01"}),
        (upsert(2, "g2", ["crm/2"]), {"sequence": 2**63}),
        (upsert(2, "g2", ["crm/2"]), {"sequence": 2**64 + 1}),
        (upsert(2, "g2", ["crm/2"]), {"epoch": 2**63}),
        (upsert(2, "g2", ["crm/2"]), {"rules_version": 2**63}),
        (erase(2, "crm/2"), {"sequence": 10**30}),
        (erase(2, "crm/2"), {"committed_at": "0001-01-01T00:00:00+00:01"}),
        (rejected("q1"), {"raw_bytes": 2**63}),
        (rejected("q1"), {"quarantined_at": "0001-01-01T00:00:00+00:01"}),
        (loaded("0" * 32, 2, "done"), {"revision": 2**63}),
        (loaded("0" * 32, 2, "done"), {"rows": 2**63, "accepted": 2**63}),
        (loaded("0" * 32, 2, "done"), {"ended_at": "9999-12-31T23:59:59-23:59"}),
    ],
)
def test_what_no_column_can_hold_is_the_fault_of_its_message(
    duckdb_warehouse: DuckDbWarehouse, message: FeedEnvelope, data: dict[str, Any]
) -> None:
    """It is reported and the rest of its batch is applied."""
    consumer = WarehouseConsumer(duckdb_warehouse, idle_close_s=1)
    raws = [raw_of(upsert(1, "g1", ["crm/1"])), changed(message, **data), raw_of(upsert(3, "g3", ["crm/3"]))]
    outcome = consumer.apply_records([Delivery(raw, str(n), n, f"golden:{n}") for n, raw in enumerate(raws)])
    assert (outcome.records_applied, outcome.first_failed) == (2, 1)
    assert isinstance(outcome.error, RejectedEventError)
    assert duckdb_warehouse.query("SELECT golden_id FROM golden_record ORDER BY 1") == [("g1",), ("g3",)]


@pytest.mark.parametrize("statement", ["MERGE_CONTRIBUTION", "MERGE_CROSSWALK", "SELECT_STAGED_ERASED"])
def test_a_failed_batch_leaves_nothing_staged(
    each_warehouse: SqlWarehouse, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """Wherever it fails: what was staged has values of records, and an erasure does not look there."""
    each_warehouse.apply(batch(1))
    with monkeypatch.context() as broken:
        broken.setattr(statements, statement, "SELECT no_such_column FROM staged_row")
        with pytest.raises(MdmError):
            each_warehouse.apply(batch(3, 2))
    _nothing_is_staged(each_warehouse)
    each_warehouse.apply(batch(3, 2))
    assert each_warehouse.query("SELECT COUNT(*) FROM golden_record") == [(4,)]


@pytest.mark.parametrize("step", ["copy the staged file", "stage"])
def test_a_failed_upload_leaves_nothing_staged(
    snowflake_warehouse: Any, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Neither lines nor the file itself, which lies in the stage of the table until it is copied."""
    warehouse = snowflake_warehouse(f"failed_upload_{len(step)}")
    warehouse.apply(batch(1))
    real, removed = SnowflakeSession._run, []

    def failing(session: Any, now: str, sql: str, parameters: Any = None, **options: Any) -> Any:
        if now == step:
            raise MdmError("injected")
        if now == "remove the staged file":
            removed.append(sql)
        return real(session, now, sql, parameters, **options)

    with monkeypatch.context() as broken:
        broken.setattr(SnowflakeSession, "_run", failing)
        with pytest.raises(MdmError, match="injected"):
            warehouse.apply(batch(3, 2))
    assert bool(removed) == (step == "copy the staged file")
    _nothing_is_staged(warehouse)


def test_a_session_that_cannot_be_cleared_is_not_kept(
    each_warehouse: SqlWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Staging tables are temporary: with their session they are gone."""
    each_warehouse.query("SELECT 1")
    session = each_warehouse._session

    def failing(*_: Any, **__: Any) -> Any:
        raise MdmError("injected")

    monkeypatch.setattr(statements, "MERGE_CROSSWALK", "SELECT no_such_column FROM staged_row")
    monkeypatch.setattr(type(session), "clear_staging", failing)
    with pytest.raises(MdmError):
        each_warehouse.apply(batch(1))
    assert each_warehouse._session is None


def _nothing_is_staged(warehouse: SqlWarehouse) -> None:
    tables = ["staged_row"] + ["staged_line"] * isinstance(warehouse, SnowflakeWarehouse)
    assert warehouse._session is not None
    for table in tables:
        assert warehouse.query(f"SELECT COUNT(*) FROM {table}") == [(0,)]


def raw_of(message: FeedEnvelope) -> bytes:
    """A message as it comes from the stream."""
    return message.model_dump_json().encode()
