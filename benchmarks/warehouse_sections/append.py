"""Appending to Snowflake: changes a second and statements a batch through the real connector, and equal tables.

The server is fakesnow, in this process: it shows what the writer and the protocol cost, and the convergence; what
Snowflake itself takes, its locks and its dynamic tables, it cannot show. Messages are parsed before the clock starts.
"""

from __future__ import annotations

import itertools
import random
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local_snowflake import local_snowflake
from show import Show

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from feed_messages import contents, erase, origins, retire, upsert  # noqa: E402

from mdm_stream.contracts.golden import FeedEnvelope  # noqa: E402
from mdm_stream.errors import TransientError  # noqa: E402
from mdm_stream.warehouse import DuckDbWarehouse, SnowflakeWarehouse  # noqa: E402
from mdm_stream.warehouse.append import VIEWS, Writer  # noqa: E402
from mdm_stream.warehouse.snowflake.append import SnowflakeEventSession  # noqa: E402

BATCH = 5_000
BATCHES = 6
CHANGES_PER_S_MIN = 10_000
STATEMENTS_MAX = 3
WRITERS = 4
SEED = 7


def figures(show: Show, scratch: Path) -> None:
    """Write to schemas of a server."""
    del scratch  # the server keeps its tables in memory
    with local_snowflake() as arguments:
        _speed(show, arguments)
        _equality(show, arguments)


def _speed(show: Show, arguments: dict[str, Any]) -> None:
    for writer, batches in (("append", BATCHES), ("merge", 2)):
        took_s, cpu_s, statements = _apply(arguments, writer, batches)
        changes_per_s = BATCH / min(took_s)
        what = f"{writer}, batches of {BATCH:,}"
        slowest = f"{changes_per_s:,.0f}, slowest {BATCH / max(took_s):,.0f}, a second of CPU {BATCH / min(cpu_s):,.0f}"
        if writer == "append":
            show.figure(f"{what}, changes a second", slowest, floor=f"{CHANGES_PER_S_MIN:,}",
                        holds=changes_per_s >= CHANGES_PER_S_MIN)  # fmt: skip
            show.figure(f"{what}, statements a batch", max(statements), floor=f"at most {STATEMENTS_MAX}",
                        holds=max(statements) <= STATEMENTS_MAX)  # fmt: skip
        else:
            show.fact(f"{what}, changes a second, for comparison", slowest)
            show.fact(f"{what}, statements a batch, for comparison", max(statements))


def _apply(arguments: dict[str, Any], writer: Writer, batches: int) -> tuple[list[float], list[float], list[int]]:
    """Apply so many batches after a first one; return seconds, those of CPU, and statements of each."""
    warehouse = SnowflakeWarehouse({**arguments, "schema": f"speed_{writer}"}, writer=writer, fold=VIEWS)
    sent, took_s, cpu_s, statements = itertools.count(), list[float](), list[float](), list[int]()
    real = SnowflakeEventSession._run  # noqa: SLF001 - where every statement passes

    def counting(*positional: Any, **named: Any) -> list[tuple[Any, ...]]:
        next(sent)
        return real(*positional, **named)

    SnowflakeEventSession._run = counting  # type: ignore[method-assign]  # noqa: SLF001
    try:
        for number in range(batches + 1):
            batch = [_golden(number * BATCH + n) for n in range(1, BATCH + 1)]
            began, began_s, began_cpu_s = next(sent), time.perf_counter(), time.process_time()
            warehouse.apply(batch)
            took_s.append(time.perf_counter() - began_s)
            cpu_s.append(time.process_time() - began_cpu_s)
            statements.append(next(sent) - began - 1)
    finally:
        SnowflakeEventSession._run = real  # type: ignore[method-assign]  # noqa: SLF001
        warehouse.close()
    return took_s[1:], cpu_s[1:], statements[1:]


def _equality(show: Show, arguments: dict[str, Any]) -> None:
    feed = changing_feed(2_000)
    merged = DuckDbWarehouse(":memory:")
    merged.apply(feed)
    expected = contents(merged)
    order = random.Random(SEED).sample([*feed, *feed], 2 * len(feed))
    batches = [order[start : start + 200] for start in range(0, len(order), 200)]
    given = {**arguments, "schema": "equality"}
    reader = SnowflakeWarehouse(given, writer="append")
    reader.query("SELECT 1")
    threads = [threading.Thread(target=_deliver, args=(given, batches[number::WRITERS])) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = contents(reader)
    wrong = sum(len(set(map(repr, found[table])) ^ set(map(repr, rows))) for table, rows in expected.items())
    wrong += sum(abs(len(found[table]) - len(rows)) for table, rows in expected.items())
    rows = sum(map(len, expected.values()))
    show.figure(
        f"{len(feed):,} messages twice, shuffled, by {WRITERS} writers: rows of {rows:,} unlike the merge writer's",
        wrong, floor="0", holds=wrong == 0,
    )  # fmt: skip
    left = reader.mentions("person", "crm", "7")
    show.figure("tables with a value of an erased record", len(left), floor="0", holds=not left)
    reader.close()
    merged.close()


def _deliver(arguments: dict[str, Any], batches: Sequence[list[FeedEnvelope]]) -> None:
    warehouse = SnowflakeWarehouse(arguments, writer="append")
    for batch in batches:
        for _ in range(100):
            try:
                warehouse.apply(batch)
            except TransientError:
                # Two writers rewrote rows of one record at once: DuckDB refuses the second, which delivers again.
                continue
            break
    warehouse.close()


def _golden(number: int) -> FeedEnvelope:
    one, other = f"crm/{number}", f"erp/{number}"
    return upsert(
        number,
        f"g{number * 7919 % 100_000:031d}",
        [one, other],
        values={"name": f"Name {number}", "email": f"{number}@example.org", "city": "Köln", "phone": f"+49{number}"},
        provenance={"name": origins(one), "email": origins(other), "city": origins(one), "phone": origins(other)},
    )


def changing_feed(messages: int) -> list[FeedEnvelope]:
    """Golden records that change often, retire, and of whose records every fiftieth is erased."""
    feed = []
    for number in range(1, messages + 1):
        record, golden_id = f"crm/{number % 300}", f"g{number % 200}"
        if number % 50 == 7:
            feed.append(erase(number, record))
        elif number % 17 == 0:
            feed.append(retire(number, golden_id, removed=[record]))
        else:
            feed.append(upsert(number, golden_id, [record], values={"name": f"name {number}"},
                               provenance={"name": origins(record)}))  # fmt: skip
    return feed
