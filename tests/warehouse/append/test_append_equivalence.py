"""However a feed is appended, by whomever and however often, the folded tables are those that the merge writer makes.

The real connector speaks to fakesnow's server; see ``fakesnow_copy`` for what that is taught. It shows the protocol,
the statements and the convergence, and nothing about Snowflake's locks.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from feed_messages import clear, contents, erase, loaded, origins, rejected, retire, upsert
from feed_strategies import Delivery, deliveries
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdm_stream.contracts.golden import FeedEnvelope
from mdm_stream.errors import TransientError
from mdm_stream.warehouse import DuckDbWarehouse
from mdm_stream.warehouse.append import AppendLayout
from mdm_stream.warehouse.duckdb.append import DuckDbEventSession
from mdm_stream.warehouse.snowflake.append import SnowflakeEventSession
from mdm_stream.warehouse.warehouse import SqlWarehouse

ATTEMPTS_MAX = 50
"""Of one batch. Writers that erase from the same rows at once are refused by DuckDB, and deliver again."""

_schemas = itertools.count()

MARKER = "Wilhelmina"


def named(sequence: int, golden_id: str, *members: str, **where: Any) -> FeedEnvelope:
    """A golden record whose values come from its members, one each."""
    values = {f"from_{n}": f"{MARKER} {member}" for n, member in enumerate(members)}
    provenance = {f"from_{n}": origins(member) for n, member in enumerate(members)}
    return upsert(sequence, golden_id, members, values=values, provenance=provenance, **where)


FEED: list[FeedEnvelope] = [
    named(1, "g1", "crm/1", "erp/2"),
    named(2, "g2", "crm/2"),
    erase(3, "crm/1"),
    upsert(4, "g1", ["erp/2"], removed=["crm/1"]),
    named(5, "g3", "crm/1", "crm/3", epoch=1),
    retire(6, "g2", merged_into="g3", anchor="crm/2"),
    erase(7, "erp/2"),
    named(1, "g1", "crm/1", "web/5", epoch=2),
    rejected("q1"),
    loaded("b" * 32, 1, "done", ended_at="2026-03-01T12:05:00Z"),
]


class KilledError(TransientError):
    """The process was killed here."""


class Kill:
    """Kills a process before or after one of the statements that it sends; never, when ``at`` is None."""

    def __init__(self, at: int | None) -> None:
        self.left = at

    def __call__(self) -> None:
        """Called before and after each statement."""
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise KilledError("killed")


def snowflake_session(arguments: Mapping[str, Any], kill: Kill) -> SnowflakeEventSession:
    """A session through the real connector whose process may be killed between any two of its statements."""
    session = SnowflakeEventSession(arguments)
    real = session._run

    def run(step: str, sql: str, *more: Any, **options: Any) -> list[tuple[Any, ...]]:
        kill()
        rows = real(step, sql, *more, **options)
        kill()
        return rows

    session._run = run  # type: ignore[method-assign]
    return session


class KilledDuckDbSession(DuckDbEventSession):
    """A session that commits each statement by itself and whose process may be killed between any two of them."""

    def __init__(self, path: Path, kill: Kill) -> None:
        super().__init__(str(path), read_only=False, lock_wait_ms=5_000)
        self._kill = kill

    def execute(self, sql: str, parameters: Sequence[object] = (), *, step: str) -> list[tuple[Any, ...]]:
        """Run one statement, with a kill before or after it."""
        kill = getattr(self, "_kill", Kill(None))
        kill()
        rows = super().execute(sql, parameters, step=step)
        kill()
        return rows

    def transaction(self) -> Any:
        """None: each statement commits by itself, as on Snowflake."""
        return nullcontext()


def append_warehouse(connect: Callable[[], Any]) -> SqlWarehouse:
    """One process's warehouse, with its own session and what it remembers."""
    layout = AppendLayout()
    return SqlWarehouse(connect, layout_of=lambda _: layout)


def deliver(batches: Sequence[Delivery], open_writer: Callable[[Kill], SqlWarehouse], kills: Sequence[int]) -> None:
    """Apply each batch, and after a kill apply it again as a new process does."""
    pending = list(kills)
    writer = open_writer(Kill(pending.pop() if pending else None))
    for batch in batches:
        for attempt in range(ATTEMPTS_MAX):
            try:
                writer.apply(batch)
                break
            except TransientError:
                writer.close()
                if attempt == ATTEMPTS_MAX - 1:
                    raise
                writer = open_writer(Kill(pending.pop() if pending else None))
    writer.close()


def by_writers(count: int, batches: Sequence[Delivery], work: Callable[[Sequence[Delivery]], None]) -> None:
    """Share the batches out to so many writers at once; raise what one of them raised."""
    faults: list[BaseException] = []

    def one(share: Sequence[Delivery]) -> None:
        try:
            work(share)
        except BaseException as error:  # noqa: BLE001 - raised again below
            faults.append(error)

    threads = [threading.Thread(target=one, args=(batches[number::count],)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]


def merged(feed: Sequence[FeedEnvelope]) -> dict[str, list[tuple[Any, ...]]]:
    """What the merge writer makes of a feed on DuckDB."""
    warehouse = DuckDbWarehouse(":memory:")
    warehouse.apply(feed)
    found = contents(warehouse)
    warehouse.close()
    return found


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
