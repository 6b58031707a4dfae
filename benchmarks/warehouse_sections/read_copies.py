"""Whether the local warehouse can be read at any time: many opens by several processes while a writer never rests."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing.synchronize import Event
from pathlib import Path

from golden_feed import golden_feed
from show import Show

from mdm_stream.decode import Delivery
from mdm_stream.errors import MdmError
from mdm_stream.warehouse import DuckDbWarehouse, WarehouseConsumer
from mdm_stream.warehouse.duckdb.read_copy import READ_COPY_AGE_S, read_copy_path
from mdm_stream.warehouse.duckdb.tables import open_tables

OPENS = 500
READERS = 4
PAUSE_S = 0.15
CHANGES = 20_000
GOLDEN_IDS = 8_000
BATCH = 1_000

_CONSISTENT = """
WITH newest AS (SELECT MAX(epoch) AS epoch FROM golden_history),
marks AS (
    SELECT 'history' AS place, epoch, MAX(sequence) AS sequence FROM golden_history GROUP BY epoch
    UNION ALL SELECT 'rows', epoch, COUNT(*) FROM golden_history GROUP BY epoch
    UNION ALL SELECT 'records', epoch, MAX(sequence) FROM golden_record GROUP BY epoch
    UNION ALL SELECT 'crosswalk', epoch, MAX(sequence) FROM crosswalk GROUP BY epoch
    UNION ALL SELECT 'told', epoch, sequence FROM read_copy
)
SELECT COUNT(*), COUNT(DISTINCT sequence), MAX(epoch) * 1000000 + MAX(sequence) FROM marks JOIN newest USING (epoch)
"""


def figures(show: Show, scratch: Path) -> None:
    """Let one process write as fast as it can, and others open the read copy and compare its tables."""
    path = scratch / "warehouse.duckdb"
    context = multiprocessing.get_context("spawn")
    stop, told = context.Event(), context.Queue()
    writer = context.Process(target=_write, args=(path, stop, told))
    writer.start()
    while not read_copy_path(path).exists():
        time.sleep(0.1)
    readers = [context.Process(target=_read, args=(path, OPENS // READERS, told)) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    answers = [told.get(timeout=600) for _ in readers]
    stop.set()
    changes_per_s = told.get(timeout=120)
    for process in (writer, *readers):
        process.join()
    opened = [answer for several in answers for answer in several]
    ages_s = [age_s for age_s, _, _ in opened]
    show.fact("the writer meanwhile", f"{changes_per_s:,.0f} changes/s, file {path.stat().st_size / 1e6:,.0f} MB")
    show.figure(f"read-only opens that succeeded, of {OPENS} by {READERS} processes", len(opened), floor=str(OPENS),
                holds=len(opened) == OPENS)  # fmt: skip
    whole = sum(is_whole for _, is_whole, _ in opened)
    show.figure("of these, tables that agree on one sequence", whole, floor=str(OPENS), holds=whole == OPENS)
    states = len({state for _, _, state in opened})
    show.figure("states seen", states, floor="2", holds=states >= 2)
    show.fact(f"age of the copy when opened, at a setting of {READ_COPY_AGE_S:g} s",
              f"median {statistics.median(ages_s):.1f} s, greatest {max(ages_s):.1f} s")  # fmt: skip


def _write(path: Path, stop: Event, told: multiprocessing.Queue[float]) -> None:
    feed = golden_feed(CHANGES, GOLDEN_IDS)
    warehouse = DuckDbWarehouse(path, copy_age_s=READ_COPY_AGE_S)
    consumer = WarehouseConsumer(warehouse, idle_close_s=60)
    epoch, applied, began_s = 0, 0, time.perf_counter()
    while not stop.is_set():
        epoch += 1
        for start in range(0, CHANGES, BATCH):
            outcome = consumer.apply_records([_of_epoch(each, epoch) for each in feed[start : start + BATCH]])
            if outcome.error is not None:
                raise outcome.error
            applied += outcome.records_applied
            if stop.is_set():
                break
    told.put(applied / (time.perf_counter() - began_s))
    warehouse.close()


def _of_epoch(delivery: Delivery, epoch: int) -> Delivery:
    raw = delivery.raw.replace(b'"epoch":1,', f'"epoch":{epoch},'.encode())
    return Delivery.unplaced(raw.replace(b'"id":"person/1/', f'"id":"person/{epoch}/'.encode()))


def _read(path: Path, opens: int, told: multiprocessing.Queue[list[tuple[float, bool, int]]]) -> None:
    answers = []
    for _ in range(opens):
        with suppress(MdmError), open_tables(path) as tables:
            as_of = tables.as_of()
            age_s = (datetime.now(UTC) - as_of.taken_at).total_seconds()
            [(places, sequences, state)] = tables.execute(_CONSISTENT).fetchall()
            answers.append((age_s, as_of.is_copy and (places, sequences) == (5, 1), state))
        time.sleep(PAUSE_S)
    told.put(answers)
