"""Whatever way the feed is delivered, and wherever a writer is killed, the tables are the same: both kinds of schema.

On DuckDB, and through the real connector on fakesnow's server. Random prefixes of a feed, some of it twice, in any
order of batches; then a kill before or after each statement of two batches, and what was delivered is delivered anew.
On DuckDB also a real SIGKILL. fakesnow has no locks, and one process writes a DuckDB file: there four writers of the
merge kind take turns, batch by batch, while four of the append kind write at once.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_snowflake import local_snowflake
from show import Show

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from feed_messages import clear, contents  # noqa: E402
from killed_writers import (  # noqa: E402
    FEED,
    Kill,
    KilledDuckDbSession,
    KilledError,
    append_warehouse,
    by_writers,
    deliver,
    merge_warehouse,
    merged,
    snowflake_session,
)

from mdm_stream.contracts.golden import FeedEnvelope, RecordErased  # noqa: E402
from mdm_stream.warehouse.warehouse import SqlWarehouse  # noqa: E402
from warehouse_sections.append import changing_feed  # noqa: E402

MESSAGES = 200
CASES = {"duckdb": 4, "fakesnow": 1}
KILL_EVERY = {("duckdb", "merge"): 3, ("duckdb", "append"): 1, ("fakesnow", "merge"): 19, ("fakesnow", "append"): 5}
"""Each so-manieth place is tried, which are odd so that some are before a statement and some after one: through a
server a statement takes ten times as long, and the merge kind has many. Tests try every place on DuckDB."""
SIGKILLS = 8
STATEMENTS_MAX = 3
SEED = 5

_Open = Callable[[Kill], SqlWarehouse]


@dataclass(frozen=True, slots=True)
class _Place:
    """One kind of schema on one database: how a process opens it."""

    database: str
    kind: str
    open_writer: _Open

    @property
    def name(self) -> str:
        return f"{self.database}, {self.kind}"


def figures(show: Show, scratch: Path) -> None:
    """Show it of each kind on DuckDB first, whose children must not inherit a server's threads."""
    for kind in ("merge", "append"):
        place = _on_duckdb(kind, scratch / f"{kind}.duckdb")
        _sigkills(show, kind, scratch / f"sigkill-{kind}.duckdb")
        _show(show, place)
    with local_snowflake() as arguments:
        for kind in ("merge", "append"):
            _show(show, _on_fakesnow(kind, {**arguments, "schema": f"any_order_{kind}"}))


def _show(show: Show, place: _Place) -> None:
    reader = place.open_writer(Kill(None))
    reader.query("SELECT 1")
    _orders(show, place, reader)
    _kills(show, place, reader)
    _statements(show, place)
    reader.close()


def _orders(show: Show, place: _Place, reader: SqlWarehouse) -> None:
    chance, feed = random.Random(SEED), changing_feed(MESSAGES)
    delivered = wrong = 0
    for writers in (1, 4) * CASES[place.database]:
        prefix = feed[: chance.randint(MESSAGES // 4, MESSAGES)]
        batches = list(_batches(chance, [*prefix, *chance.choices(prefix, k=chance.randint(0, len(prefix)))]))
        clear(reader)
        if place.kind == "append":
            by_writers(writers, batches, lambda share: deliver(share, place.open_writer, ()))
        else:
            _in_turns(place, writers, batches, chance)
        delivered += len(batches)
        wrong += contents(reader) != merged(prefix)
    deliveries = 2 * CASES[place.database]
    show.figure(f"{place.name}: {deliveries} random deliveries in {delivered} batches, by one writer or four, whose "
                "tables differ", wrong, floor="0", holds=wrong == 0)  # fmt: skip


def _batches(chance: random.Random, messages: list[FeedEnvelope]) -> Iterator[list[FeedEnvelope]]:
    chance.shuffle(messages)
    while messages:
        taken = chance.randint(5, 60)
        yield messages[:taken]
        messages = messages[taken:]


def _in_turns(place: _Place, writers: int, batches: Sequence[list[FeedEnvelope]], chance: random.Random) -> None:
    """Let so many sessions, or one after the other where a file has one writer, apply a batch each."""
    if place.database == "duckdb":
        for share in (batches[number::writers] for number in range(writers)):
            deliver(share, place.open_writer, ())
        return
    opened = [place.open_writer(Kill(None)) for _ in range(writers)]
    for batch in batches:
        chance.choice(opened).apply(batch)
    for writer in opened:
        writer.close()


def _kills(show: Show, place: _Place, reader: SqlWarehouse) -> None:
    """Kill a writer at each place of two batches; a new one then has the messages in other batches."""
    expected, killed, wrong = merged(FEED), 0, list[int]()
    for at in itertools.count(0, KILL_EVERY[place.database, place.kind]):
        clear(reader)
        writer = place.open_writer(Kill(at))
        try:
            writer.apply(FEED[:5])
            writer.apply(FEED[5:])
            break
        except KilledError:
            killed += 1
        finally:
            with suppress(KilledError):
                writer.close()
        again = place.open_writer(Kill(None))
        shuffled = random.Random(at).sample(FEED, len(FEED))
        again.apply(shuffled[:4])
        again.apply(shuffled[4:])
        again.close()
        if contents(reader) != expected or reader.mentions("person", "crm", "1"):
            wrong.append(at)
    show.figure(f"{place.name}: kills before or after a statement of two batches, tables that differ after redelivery",
                f"{len(wrong)} of {killed}", floor="0 of at least 5", holds=not wrong and killed >= 5)  # fmt: skip


def _statements(show: Show, place: _Place) -> None:
    """Count the statements of batches that erase nothing, once the writer is at work."""
    feed = [message for message in changing_feed(MESSAGES) if not isinstance(message.data, RecordErased)]
    counting = Kill(10**9)
    writer = place.open_writer(counting)
    writer.apply(feed[:50])
    sent = []
    for start in (50, 100):
        before = counting.left or 0
        writer.apply(feed[start : start + 50])
        sent.append((before - (counting.left or 0)) // 2)
    writer.close()
    what = f"{place.name}: statements a batch"
    if place.kind == "append" and place.database == "fakesnow":
        show.figure(what, max(sent), floor=f"at most {STATEMENTS_MAX}", holds=max(sent) <= STATEMENTS_MAX)
    else:
        show.fact(what, max(sent))


def _sigkills(show: Show, kind: str, path: Path) -> None:
    """Let real processes die of SIGKILL at random statements, each taking up the file that the last one left."""
    place = _on_duckdb(kind, path)
    chance, context, died = random.Random(SEED), multiprocessing.get_context("fork"), 0
    expected, wrong = merged(FEED), 0
    for _ in range(SIGKILLS):
        child = context.Process(target=_die, args=(place.open_writer, chance.randint(20, 90)))
        child.start()
        child.join()
        died += child.exitcode == -signal.SIGKILL
        again = place.open_writer(Kill(None))
        again.apply(chance.sample(FEED, len(FEED)))
        wrong += contents(again) != expected
        clear(again)
        again.close()
    show.figure(f"{place.name}: processes that died of SIGKILL, tables that differ after redelivery",
                f"{wrong} of {died}", floor="0 of at least 5", holds=not wrong and died >= 5)  # fmt: skip


def _die(open_writer: _Open, at: int) -> None:
    """In a child: apply the feed until the statement at which this process ends without a word."""

    class Sigkill(Kill):
        def __call__(self) -> None:
            try:
                super().__call__()
            except KilledError:
                os.kill(os.getpid(), signal.SIGKILL)

    writer = open_writer(Sigkill(at))
    while True:
        writer.apply(FEED[:5])
        writer.apply(FEED[5:])


def _on_duckdb(kind: str, path: Path) -> _Place:
    make = merge_warehouse if kind == "merge" else append_warehouse
    return _Place("duckdb", kind, lambda kill: make(lambda: KilledDuckDbSession(path, kill)))


def _on_fakesnow(kind: str, arguments: dict[str, Any]) -> _Place:
    make = merge_warehouse if kind == "merge" else append_warehouse
    return _Place("fakesnow", kind, lambda kill: make(lambda: snowflake_session(arguments, kill)))
