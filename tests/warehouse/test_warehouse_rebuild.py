"""A warehouse that was dropped is filled anew from a snapshot of the feed and the stream's tail: equal tables."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from feed_messages import clear, contents, erase, loaded, match, record, rejected, retire, review, upsert
from feed_snapshots import ListedStream, take
from feed_strategies import feeds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from killed_writers import named

from mdm_stream.aws.read_shards import RecordsGoneError
from mdm_stream.contracts.golden import FeedEnvelope
from mdm_stream.errors import MdmError, TerminalError, TransientError
from mdm_stream.feed import snapshot_fold
from mdm_stream.feed.snapshot_store import FeedSnapshots, OvertakenError
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.rebuild import warehouse_fill
from mdm_stream.rebuild.warehouse_fill import WarehouseFill, require_empty
from mdm_stream.warehouse import DuckDbWarehouse
from mdm_stream.warehouse.warehouse import SqlWarehouse

pytestmark = pytest.mark.long

STATE_TABLES = ("golden_record", "crosswalk", "erased_record", "quarantined_event", "file_loads")
"""What a snapshot of the newest messages gives; the others are history."""


FEED: list[FeedEnvelope] = [
    named(1, "g1", "crm/1", "erp/2"),
    named(2, "g2", "crm/2"),
    erase(3, "crm/1"),
    upsert(4, "g1", ["erp/2"], removed=["crm/1"]),
    named(5, "g3", "crm/1", "crm/3"),
    retire(6, "g2", merged_into="g3", anchor="crm/2"),
    named(7, "g1", "erp/2", "web/4"),
    upsert(8, "g1", ["erp/2"], removed=["web/4"]),
    named(9, "g1", "erp/2"),
    rejected("q1"),
    rejected("q1", minute=3, received_from="api"),
    loaded("b" * 32, 1, "received"),
    loaded("b" * 32, 2, "done", ended_at="2026-03-01T12:05:00Z"),
    named(1, "g1", "crm/1", "web/5", epoch=2),
    erase(2, "crm/2", epoch=2),
    erase(3, "crm/2", epoch=2),
    record(4, "crm/1", {"name": "erased before"}, epoch=2),
    record(5, "erp/2", {"name": "of erp/2"}, epoch=2),
    record(6, "erp/2", {"name": "of erp/2, later"}, epoch=2),
    match(7, "crm/2", "erp/2", epoch=2),
    match(8, "crm/2", "erp/2", status="gone", epoch=2),
    review(9, "erp/2", "web/5", epoch=2),
]


def compared(warehouse: SqlWarehouse) -> dict[str, list[tuple[Any, ...]]]:
    """Every table; of ``contribution``, which finds rows to erase from, not the records of which all is erased."""
    found = contents(warehouse)
    erased = {row[:3] for row in found["erased_record"]}
    named_by_steward = {(domain, "steward", f"{source}/{record_id}") for domain, source, record_id in erased}
    found["contribution"] = [row for row in found["contribution"] if row[:3] not in erased | named_by_steward]
    return found


def original(feed: list[FeedEnvelope]) -> dict[str, list[tuple[Any, ...]]]:
    """What the ordinary consumer makes of a feed."""
    warehouse = DuckDbWarehouse(":memory:")
    if feed:
        warehouse.apply(feed)
    found = compared(warehouse)
    warehouse.close()
    return found


def fill(warehouse: SqlWarehouse, store: FolderObjects, stream: Any, kind: Any = "history") -> WarehouseFill:
    """Fill a warehouse from a snapshot and the tail."""
    filling = WarehouseFill(warehouse, follow=lambda _: b"")
    manifest = filling.apply_snapshot(FeedSnapshots(store), kind)
    filling.apply_tail(stream, dict(manifest.marks))
    return filling


@pytest.mark.parametrize("split", [len(FEED), 9, 2, 1])
def test_the_tables_are_equal(warehouse: SqlWarehouse, tmp_path: Path, split: int) -> None:
    """Both kinds of schema on both databases, with erasures before the snapshot and after it."""
    store, stream = FolderObjects(tmp_path), ListedStream(*FEED[:split])
    take(store, stream)
    stream.put(*FEED[split:])
    stream.forget(max(0, split - 1))
    require_empty(warehouse)
    filling = fill(warehouse, store, stream)
    assert filling.filled.messages == len(FEED)
    assert compared(warehouse) == original(FEED)
    assert warehouse.mentions("person", "crm", "1") == warehouse.mentions("person", "crm", "2") == []


@pytest.mark.parametrize("split", [len(FEED), 9])
def test_the_newest_messages_give_the_state(warehouse: SqlWarehouse, tmp_path: Path, split: int) -> None:
    """Golden records, crosswalk, redirects, erasures, reports and loads are equal; the history is shorter."""
    store, stream = FolderObjects(tmp_path), ListedStream(*FEED[:split])
    taken = take(store, stream, "newest").manifest.messages
    stream.put(*FEED[split:])
    fill(warehouse, store, stream, "newest")
    found, expected = contents(warehouse), original(FEED)
    assert {table: found[table] for table in STATE_TABLES} == {table: expected[table] for table in STATE_TABLES}
    assert taken < split


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(feed=feeds(), split=st.integers(0, 30), kind=st.sampled_from(("history", "newest")))
def test_any_feed_is_rebuilt(
    tmp_path_factory: pytest.TempPathFactory, feed: list[FeedEnvelope], split: int, kind: Any
) -> None:
    """Epochs, domains, lists with many origins, stewards' values, clocks that step back."""
    store, stream = FolderObjects(tmp_path_factory.mktemp("store")), ListedStream(*feed[:split], *feed[:1])
    take(store, stream, kind)
    stream.put(*feed[split:])
    if not stream.records_held:
        return
    warehouse = DuckDbWarehouse(":memory:")
    fill(warehouse, store, stream, kind)
    found, expected = compared(warehouse), original(feed)
    warehouse.close()
    tables = STATE_TABLES if kind == "newest" else tuple(expected)
    assert {table: found[table] for table in tables} == {table: expected[table] for table in tables}


class KilledError(TransientError):
    """The process was killed here."""


def test_killed_anywhere_it_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After any batch: what is there is refused unless asked for, and completed then."""
    monkeypatch.setattr(warehouse_fill, "MESSAGES_PER_BATCH", 2)
    store, stream = FolderObjects(tmp_path / "store"), ListedStream(*FEED[:9])
    take(store, stream)
    stream.put(*FEED[9:])
    expected, warehouse = original(FEED), DuckDbWarehouse(tmp_path / "warehouse.duckdb")

    class Killed(DuckDbWarehouse):
        def __init__(self, at: int) -> None:
            super().__init__(tmp_path / "warehouse.duckdb")
            self.left = at

        def apply(self, messages: Any) -> Any:
            """Apply, unless killed before or after."""
            self.left -= 1
            if self.left < 0:
                raise KilledError("killed")
            return super().apply(messages)

    for place in itertools.count():
        killed = Killed(place)
        try:
            fill(killed, store, stream)
        except KilledError:
            pass
        else:
            break
        finally:
            killed.close()
        if place:
            with pytest.raises(TerminalError, match="--into-existing"):
                require_empty(warehouse)
        fill(warehouse, store, stream)
        assert compared(warehouse) == expected
        clear(warehouse)
        warehouse.close()
    assert place >= len(FEED) // 2


def test_a_snapshot_that_is_replaced_meanwhile_is_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer one is published, with an erasure that rewrites every part, while the one before is read."""
    monkeypatch.setattr(snapshot_fold, "SEQUENCES_PER_GROUP", 1)
    many = [named(number, f"g{number % 7}", "crm/1", f"crm/{number}") for number in range(1, 31)]
    store, stream = FolderObjects(tmp_path), ListedStream(*many)
    take(store, stream)
    warehouse = DuckDbWarehouse(":memory:")
    last, generations = erase(31, "crm/1"), []

    class Meanwhile(WarehouseFill):
        def apply(self, messages: Any) -> None:
            """Apply, while another run takes the next snapshot."""
            super().apply(messages)
            if len(stream.records_held) == len(many):
                stream.put(last)
                generations.append(take(store, stream).manifest.generation)

    manifest = Meanwhile(warehouse, follow=lambda _: b"").apply_snapshot(FeedSnapshots(store), "history")
    found, expected = compared(warehouse), original([*many, last])
    warehouse.close()
    assert [manifest.generation] == generations
    assert found == expected


def test_without_a_snapshot_nothing_is_done(duckdb_warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    """Also where the first run was killed before it published one."""
    with pytest.raises(TerminalError, match="feed snapshot"):
        fill(duckdb_warehouse, FolderObjects(tmp_path), ListedStream())
    with pytest.raises(MdmError):
        take(FolderObjects(tmp_path), _Failing())
    with pytest.raises(TerminalError, match="feed snapshot"):
        fill(duckdb_warehouse, FolderObjects(tmp_path), ListedStream())


def test_a_tail_with_a_gap_is_told(duckdb_warehouse: DuckDbWarehouse, tmp_path: Path) -> None:
    """Nothing says then that no message is missing: another snapshot does."""
    stream = ListedStream(*FEED[:2])
    take(FolderObjects(tmp_path), stream)
    stream.put(*FEED[2:])
    stream.forget(3)
    with pytest.raises(RecordsGoneError, match="feed snapshot"):
        fill(duckdb_warehouse, FolderObjects(tmp_path), stream)


class _Failing:
    def records(self, marks: Any = None) -> Any:
        """Fail."""
        raise OvertakenError("the stream does not answer")
