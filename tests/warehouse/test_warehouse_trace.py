"""What a trace asks of a warehouse, of either kind and on either database."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from feed_messages import erase, rejected, retire, upsert

from mdm_stream.contracts.golden import Provenance
from mdm_stream.trace import in_warehouse
from mdm_stream.trace.in_warehouse import WarehouseTrace
from mdm_stream.warehouse import SnowflakeWarehouse
from mdm_stream.warehouse.faults import MissingTableError
from mdm_stream.warehouse.warehouse import SqlWarehouse

AT = "2026-03-01T12:10:00Z"


def of(ref: str, version: int) -> dict[str, list[Provenance]]:
    """Return the provenance of one value."""
    source, record_id = ref.split("/")
    told = {"version": version, "event_time": "2026-03-01T11:00:00.000000Z", "strategy": "newest"}
    return {"name": [Provenance.model_validate({"source": source, "record_id": record_id, **told})]}


def test_the_change_log_is_read_by_record_and_by_commit(warehouse: SqlWarehouse) -> None:
    """Golden ids of records, their changes in the order of the feed, rows of the current table, and one commit."""
    warehouse.apply(
        [
            upsert(1, "g1", ["crm/1"], provenance=of("crm/1", 7)),
            upsert(2, "g2", ["erp/2"]),
            upsert(3, "g1", ["crm/1", "erp/2"], committed_at=AT, provenance=of("crm/1", 7)),
            retire(4, "g2", merged_into="g1", anchor="erp/2", committed_at=AT),
            upsert(5, "g9", ["web/1"], domain="organisation"),
            rejected("0" * 32),
        ]
    )
    trace = WarehouseTrace(warehouse, "person")
    assert trace.golden_ids(["erp/2", "crm/none"]) == {"g1", "g2"}
    assert trace.golden_ids([]) == set()
    history = trace.history(["g1", "g2", "g9"])
    assert [(each.golden_id, each.sequence, each.status) for each in history.changes] == [
        ("g1", 1, "live"), ("g2", 2, "live"), ("g1", 3, "live"), ("g2", 4, "retired")
    ]  # fmt: skip
    assert history.is_whole
    assert history.changes[0].written == {"crm/1": frozenset({("name", 7)})}
    assert (history.changes[3].merged_into, history.changes[3].anchor) == ("g1", "erp/2")
    assert {(row.key, row.sequence, row.status) for row in history.rows} == {("g1", 3, "live"), ("g2", 4, "retired")}
    assert [each.sequence for each in trace.of_commit(history.changes[3])] == [3, 4]
    assert all(each.applied_us is not None for each in history.changes)
    (report,) = trace.reports(letter_id="0" * 32)
    assert (report.kind, report.reasons[0].code) == ("report", "json.invalid")
    assert trace.erasure("crm/1") is None
    warehouse.apply([erase(6, "crm/1")])
    erasure = trace.erasure("crm/1")
    assert erasure is not None
    assert (erasure.status, erasure.sequence) == ("erased", 6)


def test_a_long_history_is_read_in_pages_and_ends(
    duckdb_warehouse: SqlWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more is read than may be, the newest first, and it is said."""
    monkeypatch.setattr(in_warehouse, "ROWS_PER_PAGE", 2)
    duckdb_warehouse.apply([upsert(sequence, "g1", ["crm/1"]) for sequence in range(1, 8)])
    trace = WarehouseTrace(duckdb_warehouse, "person")
    assert [each.sequence for each in trace.history(["g1"]).changes] == list(range(1, 8))
    monkeypatch.setattr(in_warehouse, "CHANGES_MAX", 3)
    history = trace.history(["g1"])
    assert ([each.sequence for each in history.changes], history.is_whole) == ([4, 5, 6, 7], False)


def test_a_schema_is_not_migrated_by_a_reader(
    snowflake_warehouse: Callable[..., SnowflakeWarehouse], snowflake_server: dict[str, str]
) -> None:
    """What only reads makes no table: it says that there is none of versions, or that the role may not see it."""
    del snowflake_warehouse
    arguments = {**snowflake_server, "database": "mdm", "schema": "read_only"}
    reader = SnowflakeWarehouse(arguments, writer="merge", read_only=True)
    with pytest.raises(MissingTableError, match="schema_version"):
        reader.query("SELECT 1")
