"""How many golden changes a second a DuckDB file takes, from the feed's bytes to the commit, with read copies."""

from __future__ import annotations

import time
from pathlib import Path

from golden_feed import golden_feed
from show import Show

from mdm_stream.warehouse import DuckDbWarehouse, WarehouseConsumer
from mdm_stream.warehouse.duckdb.read_copy import READ_COPY_AGE_S

CHANGES = 100_000
GOLDEN_IDS = 40_000
BATCH = 5_000
RUNS = 3
CHANGES_PER_S_MIN = 10_000


def figures(show: Show, scratch: Path) -> None:
    """Apply the same feed to a new file a few times; the best run counts, for a machine that does other things too."""
    feed = golden_feed(CHANGES, GOLDEN_IDS)
    show.fact("feed", f"{CHANGES:,} changes of {GOLDEN_IDS:,} golden records, {len(feed[0].raw):,} bytes each")
    rates, cpu_us, wrong = [], [], 0
    for run in range(RUNS):
        warehouse = DuckDbWarehouse(scratch / f"run-{run}.duckdb", copy_age_s=READ_COPY_AGE_S)
        consumer = WarehouseConsumer(warehouse, idle_close_s=60)
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        for start in range(0, CHANGES, BATCH):
            wrong += consumer.apply_records(feed[start : start + BATCH]).error is not None
        rates.append(CHANGES / (time.perf_counter() - began_s))
        cpu_us.append((time.process_time() - began_cpu_s) / CHANGES * 1e6)
        [(rows, ids)] = warehouse.query("SELECT COUNT(*), COUNT(DISTINCT golden_id) FROM golden_history")
        [(records,)] = warehouse.query("SELECT COUNT(*) FROM current_golden_record")
        wrong += rows != CHANGES or records != ids
        warehouse.close()
    show.fact("every run, changes/s", ", ".join(f"{rate:,.0f}" for rate in rates))
    show.fact("time of all processors a change, best run", f"{min(cpu_us):,.0f} us")
    show.figure(f"golden changes/s at batches of {BATCH:,}, parsing included", f"{max(rates):,.0f}",
                floor=f"{CHANGES_PER_S_MIN:,}", holds=max(rates) >= CHANGES_PER_S_MIN)  # fmt: skip
    show.figure("batches that failed, or tables with other rows than the feed", wrong, floor="0", holds=wrong == 0)
