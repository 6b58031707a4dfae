"""However a feed is appended, by whomever and however often, the folded tables are those that the merge writer makes.

The real connector speaks to fakesnow's server; see ``fakesnow_copy`` for what that is taught. It shows the protocol,
the statements and the convergence, and nothing about Snowflake's locks.
"""

from __future__ import annotations

import itertools
import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from feed_messages import clear, contents, erase, rejected
from feed_strategies import deliveries
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from killed_writers import (
    FEED,
    MARKER,
    Kill,
    KilledDuckDbSession,
    KilledError,
    append_warehouse,
    by_writers,
    deliver,
    merged,
    named,
    snowflake_session,
)

from mdm_stream.warehouse.warehouse import SqlWarehouse

pytestmark = pytest.mark.long

_schemas = itertools.count()


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(case=deliveries(), kills=st.lists(st.integers(8, 40), max_size=6), writers=st.sampled_from((1, 4)))
def test_any_delivery_through_the_connector_gives_the_merged_tables(
    snowflake_server: dict[str, Any], case: Any, kills: list[int], writers: int
) -> None:
    """Any prefix, order, repetition and split, by one process or four, killed anywhere: equal in every column."""
    feed, batches = case
    arguments = {**snowflake_server, "database": "mdm", "schema": f"equivalence_{next(_schemas)}"}

    def open_writer(kill: Kill) -> SqlWarehouse:
        return append_warehouse(lambda: snowflake_session(arguments, kill))

    reader = open_writer(Kill(None))
    reader.query("SELECT 1")
    by_writers(writers, batches, lambda share: deliver(share, open_writer, kills))
    assert contents(reader) == merged(feed)
    reader.close()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(case=deliveries(), kills=st.lists(st.integers(0, 40), max_size=12), writers=st.sampled_from((1, 4)))
def test_any_delivery_on_duckdb_gives_the_merged_tables(
    tmp_path_factory: pytest.TempPathFactory, case: Any, kills: list[int], writers: int
) -> None:
    """The same with the same statements but for the load, many more times."""
    feed, batches = case
    path = tmp_path_factory.mktemp("append") / "warehouse.duckdb"
    reader = append_warehouse(lambda: KilledDuckDbSession(path, Kill(None)))
    reader.query("SELECT 1")

    def open_writer(kill: Kill) -> SqlWarehouse:
        return append_warehouse(lambda: KilledDuckDbSession(path, kill))

    by_writers(writers, batches, lambda share: deliver(share, open_writer, kills))
    assert contents(reader) == merged(feed)
    reader.close()


def test_a_kill_between_any_two_statements_changes_nothing(tmp_path: Path) -> None:
    """Every place of every batch in turn, and the messages then delivered in other batches than before the kill."""
    path = tmp_path / "warehouse.duckdb"
    reader = append_warehouse(lambda: KilledDuckDbSession(path, Kill(None)))
    reader.query("SELECT 1")
    expected = merged(FEED)
    killed_at = 0
    for place in itertools.count():
        clear(reader)
        writer = append_warehouse(lambda place=place: KilledDuckDbSession(path, Kill(place)))
        try:
            writer.apply(FEED[:5])
            writer.apply(FEED[5:])
        except KilledError:
            killed_at += 1
        else:
            break
        finally:
            writer.close()
        shuffled = random.Random(place).sample(FEED, len(FEED))
        again = append_warehouse(lambda: KilledDuckDbSession(path, Kill(None)))
        again.apply(shuffled[:4])
        again.apply(shuffled[4:])
        again.close()
        assert contents(reader) == expected, place
        assert reader.mentions("person", "crm", "1") == reader.mentions("person", "erp", "2") == []
        assert reader.search([f"{MARKER} crm/1", f"{MARKER} erp/2"]) == []
    assert killed_at > 30
    reader.close()


@pytest.mark.parametrize("place", range(0, 40, 3))
def test_a_value_and_its_erasure_by_two_writers_at_once(tmp_path: Path, place: int) -> None:
    """Wherever among the statements of a batch another writer erases a record that it names, no value stays."""
    path = tmp_path / "warehouse.duckdb"
    keeper = append_warehouse(lambda: KilledDuckDbSession(path, Kill(None)))
    keeper.apply([named(1, "g1", "crm/1", "erp/2")])

    def erase_meanwhile() -> None:
        beside = append_warehouse(lambda: KilledDuckDbSession(path, Kill(None)))
        beside.apply([erase(5, "crm/1")])
        beside.close()

    class Meanwhile(Kill):
        def __call__(self) -> None:
            try:
                super().__call__()
            except KilledError:
                erase_meanwhile()

    kill = Meanwhile(None)
    writer = append_warehouse(lambda: KilledDuckDbSession(path, kill))
    writer.query("SELECT 1")
    kill.left = place
    writer.apply([named(2, "g1", "crm/1", "erp/2"), erase(4, "erp/2")])
    if kill.left is not None:  # the batch was over before
        erase_meanwhile()
    assert keeper.search([MARKER]) == []
    assert sorted(keeper.erased("person")) == ["crm/1", "erp/2"]
    for warehouse in (writer, keeper):
        warehouse.close()


def test_values_that_a_killed_writer_loaded_unknowing_go_with_the_redelivery(tmp_path: Path) -> None:
    """Another writer erases, this one loads values unknowing and is killed; the next has another batch."""
    path = tmp_path / "warehouse.duckdb"
    kill = Kill(None)

    class CutOff(KilledDuckDbSession):
        def load_events(self, *batch: Any) -> None:
            super().load_events(*batch)
            kill.left = 0
            kill()

    unknowing = append_warehouse(lambda: CutOff(path, Kill(None)))
    unknowing.query("SELECT 1")
    open_writer = partial(append_warehouse, lambda: KilledDuckDbSession(path, Kill(None)))
    first = open_writer()
    first.apply([erase(2, "crm/1")])
    first.close()
    with pytest.raises(KilledError):
        unknowing.apply([named(1, "g1", "crm/1")])
    assert unknowing.search([MARKER]) == ["golden_event"]
    unknowing.close()
    again = open_writer()
    again.apply([named(1, "g1", "crm/1"), rejected("q1")])
    assert again.search([MARKER]) == []
    again.close()
