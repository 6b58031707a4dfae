"""A warehouse that was dropped is filled anew: from a snapshot of the feed and the stream's tail, and from the archive.

One feed is that of a generated population with erasures, resolved by the engine: its tables are compared. The other is
for speed alone. The streams are lists that forget, so what is measured is the snapshots' and the warehouse's own time.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

from golden_feed import golden_feed
from show import Show

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from feed_messages import contents  # noqa: E402
from feed_snapshots import ListedStream, take  # noqa: E402
from killed_store import KilledStore, StoreKilledError  # noqa: E402

from mdm_stream.archive import Archive  # noqa: E402
from mdm_stream.archive.rows import rows_of  # noqa: E402
from mdm_stream.contracts.change import encode_event  # noqa: E402
from mdm_stream.contracts.golden import parse_envelope  # noqa: E402
from mdm_stream.core.model import ChangeEvent, EraseEvent  # noqa: E402
from mdm_stream.core.ruleset import Ruleset  # noqa: E402
from mdm_stream.decode import Decoder, Delivery  # noqa: E402
from mdm_stream.engine.batch import Engine  # noqa: E402
from mdm_stream.feed.envelope import change_message  # noqa: E402
from mdm_stream.feed.snapshot_store import FeedSnapshots  # noqa: E402
from mdm_stream.index.memory import MemoryIndex  # noqa: E402
from mdm_stream.objects.folder import FolderObjects  # noqa: E402
from mdm_stream.rebuild.warehouse_fill import WarehouseFill  # noqa: E402
from mdm_stream.rebuild.warehouse_from_archive import ArchiveReplay  # noqa: E402
from mdm_stream.rules import load_ruleset  # noqa: E402
from mdm_stream.simulate import generate  # noqa: E402
from mdm_stream.warehouse import DuckDbWarehouse  # noqa: E402

RULES = ROOT / "examples" / "rules" / "demo.yaml"
ARRIVAL_US = 1_830_000_000_000_000
PEOPLE = 1_500
POPULATION_SEED = 7
ERASED_EVERY = 40
BATCH = 200
RUNS = 5
"""Snapshots that are taken of the feed, each after the stream has forgotten what the one before read."""
MESSAGES = 60_000
MESSAGES_PER_S_MIN = 5_000
FILL_PER_S_MIN = 5_000
MEMORY_MB_MAX = 400
KILLS = 25
STATE = ("golden_record", "crosswalk", "erased_record", "quarantined_event", "file_loads")
LIVE = (
    "SELECT domain, golden_id, golden_values, provenance, member_count FROM golden_record WHERE status = 'live'",
    "SELECT domain, source, record_id, golden_id FROM crosswalk WHERE golden_id IS NOT NULL",
    "SELECT domain, source, record_id, golden_id FROM erased_record",
)
Rows = dict[str, list[tuple[Any, ...]]]


def figures(show: Show, scratch: Path) -> None:
    """Fill warehouses from everything, compare, and measure."""
    rules = load_ruleset(RULES)
    archive = Archive(FolderObjects(scratch / "archive"))
    messages = _resolved(rules, archive)
    show.fact("messages of the population's feed", f"{len(messages):,}")
    expected = _tables(messages)
    _from_snapshots(show, scratch, messages, expected)
    _killed(show, scratch, messages, expected)
    _from_archive(show, rules, archive, messages)
    _speed(show, scratch)


def _resolved(rules: Ruleset, archive: Archive) -> list[bytes]:
    """Resolve a population as the consumer does, archive it, and return what the feed says."""
    index, messages = MemoryIndex(rules), list[bytes]()
    engine = Engine(rules, index)
    for batch in _batches(rules):
        events = [event for _, said in batch for event in said]
        if engine.process(events).failed:
            raise AssertionError("the engine failed")
        rows = [row for delivery, said in batch for row in rows_of(rules.domain, said, delivery)]
        archive.append(rules.domain, rows, index.position())
        messages += _published(index)
    engine.drain()
    messages += _published(index)
    archive.append(rules.domain, [], index.position())
    return messages


def _published(index: MemoryIndex) -> Iterator[bytes]:
    while entries := index.read(1_000):
        yield from (change_message(entry)[1] for entry in entries)
        index.acknowledge(entries)


def _batches(rules: Ruleset) -> Iterator[list[tuple[Delivery, Sequence[ChangeEvent]]]]:
    """Yield deliveries with what they say; now and then one erases a record."""
    decoder, batch = Decoder({rules.domain: rules}), list[tuple[Delivery, Sequence[ChangeEvent]]]()
    for number, generated in enumerate(generate(PEOPLE, POPULATION_SEED).events(), start=1):
        delivery = Delivery(generated.raw, f"{2 * number:064d}", ARRIVAL_US + number, "changes/1")
        events = decoder.decode(delivery)
        if not events:
            continue
        batch.append((delivery, events))
        if number % ERASED_EVERY == 0:
            erasure = EraseEvent(rules.domain, events[0].refs[0], ARRIVAL_US + number)
            raw = encode_event(erasure)
            batch.append((Delivery(raw, f"{2 * number + 1:064d}", ARRIVAL_US + number, "changes/1"), [erasure]))
        if len(batch) >= BATCH:
            yield batch
            batch = []
    yield batch


def _tables(messages: Sequence[bytes]) -> Rows:
    with closing(DuckDbWarehouse(":memory:")) as warehouse:
        for start in range(0, len(messages), 5_000):
            warehouse.apply([parse_envelope(raw) for raw in messages[start : start + 5_000]])
        return contents(warehouse)


def _unlike(found: Rows, expected: Rows, tables: Sequence[str]) -> int:
    return sum(len(set(map(repr, found[table])) ^ set(map(repr, expected[table]))) for table in tables)


def _from_snapshots(show: Show, scratch: Path, messages: Sequence[bytes], expected: Rows) -> None:
    for kind, tables in (("history", tuple(expected)), ("newest", STATE)):
        store, stream = FolderObjects(scratch / kind), ListedStream()
        share = -(-len(messages) // (RUNS + 1))
        for run in range(RUNS):
            # Duplicates of what was there before, as after a crash of the publisher.
            stream.put(*messages[max(0, run * share - 20) : (run + 1) * share])
            kept = take(store, stream, kind).manifest.messages  # type: ignore[arg-type]
            stream.forget(len(stream.records_held) - 1)
        stream.put(*messages[RUNS * share :])
        with closing(DuckDbWarehouse(":memory:")) as warehouse:
            _fill(warehouse, store, stream, kind)
            wrong = _unlike(contents(warehouse), expected, tables)
        rows = sum(len(expected[table]) for table in tables)
        show.figure(f"{kind}: {RUNS} snapshots and the tail, rows of {rows:,} unlike those that were dropped", wrong,
                    floor="0", holds=wrong == 0)  # fmt: skip
        show.fact(f"{kind}: messages in the snapshot, of {RUNS * share:,}", f"{kept:,}")
        size_bytes = sum(each.size_bytes for each in store.list(""))
        show.fact(f"{kind}: bytes a message in the store", f"{size_bytes / kept:,.0f}")


def _fill(warehouse: DuckDbWarehouse, store: FolderObjects, stream: ListedStream, kind: Any) -> None:
    fill = WarehouseFill(warehouse, follow=lambda _: b"")
    manifest = fill.apply_snapshot(FeedSnapshots(store), kind)
    fill.apply_tail(stream, dict(manifest.marks))  # type: ignore[arg-type]


def _killed(show: Show, scratch: Path, messages: Sequence[bytes], expected: Rows) -> None:
    """Kill each run of a snapshot at another place, and go on."""
    path, stream = scratch / "killed", ListedStream()
    share = -(-len(messages) // KILLS)
    killed = 0
    for number in range(KILLS):
        stream.put(*messages[number * share : (number + 1) * share])
        try:
            take(KilledStore(path, number % 9), stream)
        except StoreKilledError:
            killed += 1
    manifest = take(FolderObjects(path), stream).manifest
    with closing(DuckDbWarehouse(":memory:")) as warehouse:
        _fill(warehouse, FolderObjects(path), stream, "history")
        wrong = _unlike(contents(warehouse), expected, tuple(expected))
    orphans = sum("/parts/" in each.name for each in FolderObjects(path).list("")) - len(manifest.parts)
    show.figure(
        f"{killed} of {KILLS} runs killed: rows unlike those that were dropped", wrong, floor="0", holds=not wrong
    )
    show.figure("parts that no manifest names afterwards", orphans, floor="0", holds=orphans == 0)


def _from_archive(show: Show, rules: Ruleset, archive: Archive, messages: Sequence[bytes]) -> None:
    with closing(DuckDbWarehouse(":memory:")) as dropped, closing(DuckDbWarehouse(":memory:")) as rebuilt:
        for start in range(0, len(messages), 5_000):
            dropped.apply([parse_envelope(raw) for raw in messages[start : start + 5_000]])
        began_s = time.perf_counter()
        fill = WarehouseFill(rebuilt, follow=lambda _: b"")
        fill.apply(ArchiveReplay(rules, archive).messages())
        took_s = time.perf_counter() - began_s
        wrong = sum(len(set(map(repr, dropped.query(sql))) ^ set(map(repr, rebuilt.query(sql)))) for sql in LIVE)
        rows = sum(len(dropped.query(sql)) for sql in LIVE)
        show.figure(f"archive: live rows of {rows:,} unlike those that were dropped", wrong, floor="0", holds=not wrong)
        below = rebuilt.position(rules.domain) <= dropped.position(rules.domain)
        show.figure("archive: the feed's next message is newer than all of it", below, floor="True", holds=below)
        show.fact("archive: time to resolve and apply it", f"{took_s:.1f} s")


def _speed(show: Show, scratch: Path) -> None:
    context = multiprocessing.get_context("spawn")
    told: Queue[tuple[float, float, float, float]] = context.Queue()
    process = context.Process(target=_measured, args=(scratch / "speed", told))
    process.start()
    take_s, cpu_s, again_s, memory_mb = told.get(timeout=600)
    process.join()
    per_s = MESSAGES / cpu_s
    show.fact(f"snapshot of {MESSAGES:,} messages of 2 KB, messages a second", f"{MESSAGES / take_s:,.0f}")
    show.figure("the same, messages a second of CPU", f"{per_s:,.0f}",
                floor=f"{MESSAGES_PER_S_MIN:,}", holds=per_s >= MESSAGES_PER_S_MIN)  # fmt: skip
    show.figure("memory that taking it added, at its peak", f"{memory_mb:,.0f} MB", floor=f"at most {MEMORY_MB_MAX} MB",
                holds=memory_mb <= MEMORY_MB_MAX)  # fmt: skip
    show.fact("the next one, with 1,000 new messages", f"{again_s:.2f} s")
    with closing(DuckDbWarehouse(scratch / "speed.duckdb")) as warehouse:
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        fill = WarehouseFill(warehouse, follow=lambda _: b"")
        fill.apply_snapshot(FeedSnapshots(FolderObjects(scratch / "speed")), "history")
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    per_s = (MESSAGES + 1_000) / cpu_s
    show.fact("applied to a DuckDB file, messages a second", f"{(MESSAGES + 1_000) / took_s:,.0f}")
    show.figure("the same, messages a second of CPU", f"{per_s:,.0f}", floor=f"{FILL_PER_S_MIN:,}",
                holds=per_s >= FILL_PER_S_MIN)  # fmt: skip


def _measured(path: Path, told: Queue[tuple[float, float, float, float]]) -> None:
    stream = ListedStream(*(each.raw for each in golden_feed(MESSAGES, MESSAGES // 4)))
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    take(FolderObjects(path), stream)
    take_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    memory_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    stream.put(*(each.raw for each in golden_feed(1_000, 400, first=MESSAGES + 1)))
    began_s = time.perf_counter()
    take(FolderObjects(path), stream)
    told.put((take_s, cpu_s, time.perf_counter() - began_s, memory_mb))
