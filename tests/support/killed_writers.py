"""Writers of a warehouse whose process is killed between two statements, and ways to deliver a feed to several.

On DuckDB each statement commits by itself, as on Snowflake: so what stands between two statements is in the file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from feed_messages import contents, erase, loaded, match, origins, record, rejected, retire, review, upsert

from mdm_stream.contracts.golden import FeedEnvelope
from mdm_stream.errors import TransientError
from mdm_stream.warehouse import DuckDbWarehouse
from mdm_stream.warehouse.append import AppendLayout
from mdm_stream.warehouse.duckdb.append import DuckDbEventSession
from mdm_stream.warehouse.snowflake.append import SnowflakeEventSession
from mdm_stream.warehouse.warehouse import SqlWarehouse

ATTEMPTS_MAX = 50
"""Of one batch. Writers that erase from the same rows at once are refused by DuckDB, and deliver again."""

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
    record(8, "crm/1", {"name": f"{MARKER} itself"}),
    record(9, "crm/3", {"name": "of crm/3"}),
    match(10, "crm/1", "crm/3"),
    review(11, "crm/3", "web/5"),
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


def deliver(
    batches: Sequence[list[FeedEnvelope]], open_writer: Callable[[Kill], SqlWarehouse], kills: Sequence[int]
) -> None:
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


def by_writers(
    count: int, batches: Sequence[list[FeedEnvelope]], work: Callable[[Sequence[list[FeedEnvelope]]], None]
) -> None:
    """Share the batches out to so many writers at once; raise what one of them raised."""
    faults: list[BaseException] = []

    def one(share: Sequence[list[FeedEnvelope]]) -> None:
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


def merge_warehouse(connect: Callable[[], Any]) -> SqlWarehouse:
    """One process's warehouse of the merge kind."""
    return SqlWarehouse(connect)
