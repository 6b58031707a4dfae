"""What the ways of writing to Snowflake cost: a model of few named constants, pure, and an estimate by nature.

A virtual warehouse costs for each second that it runs, and it runs on for ``AUTO_SUSPEND_S`` after its last statement.
So what counts is how often it is woken, far more than how much it does: a batch a minute keeps it awake all day.

Every golden id is a hash, so the rows that a batch changes lie in nearly all micro-partitions of a table, and a MERGE
writes all of these anew. An append writes what is new; the fold into present tables is then paid once a lag, and not
once a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

DAY_S = 86_400
CREDITS_AN_HOUR: Mapping[str, int] = MappingProxyType({"X-SMALL": 1, "SMALL": 2, "MEDIUM": 4, "LARGE": 8})
"""Of a virtual warehouse, by its size. Snowflake's page on credits; each size does twice the work of the one before."""
RESUMED_S_MIN = 60
"""A warehouse that is resumed is charged a minute at least. The same page."""
AUTO_SUSPEND_S = 60
"""How long it runs on after its last statement: the shortest setting that is worth it, given the minimum."""
USD_A_CREDIT: Mapping[str, float] = MappingProxyType({"standard": 2.0, "enterprise": 3.0, "business-critical": 4.0})
"""On demand, AWS, US East. List prices differ by region and contract."""
USD_A_TB_MONTH = 23.0
"""Storage with capacity bought ahead, US; 40 on demand."""

MERGE_BATCH_S = 60.0
"""Estimate: the 13 statements of a batch on an X-Small, six of them MERGEs of some 8 s, before any rewriting."""
COPY_BATCH_S = 3.0
"""Estimate: PUT, COPY of one file and a line in the ledger."""
REFRESH_S = 10.0
"""Estimate: what a refresh of the dynamic tables takes before any rewriting."""
REWRITE_BYTES_S = 100_000_000
"""Estimate: compressed bytes that an X-Small reads, joins and writes anew a second."""
GOLDEN_RECORD_BYTES = 1_000
"""Of a golden record with provenance, compressed."""
MERGED_BYTES = 1_150
"""The same with its rows of crosswalk and contribution, which a MERGE a batch writes anew too."""
CHANGE_BYTES_RAW, CHANGE_BYTES_STORED = 2_000, 600
"""Of a golden change on the feed, and of its row in the history, compressed. One golden change an event is assumed."""
STREAMING_CREDITS_AN_HOUR = 0.01
"""Of one client of Snowpipe Streaming that is open. Serverless table of Snowflake's consumption table (classic)."""
STREAMING_CREDITS_A_GB = 0.03
"""Estimate: moving what was streamed into the table's own files."""
FOLD_LAG_S_MIN = 60
"""The shortest target lag of a dynamic table."""
BATCH_WINDOW_S_MAX = 300
"""The longest batching window of a Kinesis event source."""
RETENTION_DAYS = 1
"""Days that replaced micro-partitions are kept and paid for."""

MERGE, COPY, STREAMING = "MERGE a batch", "COPY and dynamic tables", "Snowpipe Streaming and dynamic tables"
GB = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Volume:
    """What is asked: change events a day, how old what is read may be (seconds), golden records that are held."""

    events_per_day: int
    lag_s: int
    records: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one way costs on a warehouse of one size. ``busy_s`` of each ``cycle_s`` is spent on work."""

    path: str
    size: str
    cycle_s: float
    busy_s: float
    credits_a_day: float
    storage_gb: float

    @property
    def keeps_up(self) -> bool:
        """Tell whether the work of a cycle is done before the next begins."""
        return self.busy_s <= self.cycle_s

    def usd_a_month(self, edition: str) -> float:
        """Return the price of 30 days at list prices, with the storage after a year."""
        return 30 * self.credits_a_day * USD_A_CREDIT[edition] + self.storage_gb / 1_000 * USD_A_TB_MONTH


def estimates(volume: Volume, size: str = "X-SMALL") -> tuple[Estimate, Estimate, Estimate]:
    """Return the estimate of each way of writing, on a warehouse of one size."""
    speed = CREDITS_AN_HOUR[size]
    batch_s = min(volume.lag_s, BATCH_WINDOW_S_MAX)
    fold_s = max(volume.lag_s, FOLD_LAG_S_MIN)
    fold_busy_s = REFRESH_S + volume.records * GOLDEN_RECORD_BYTES / REWRITE_BYTES_S / speed
    merge_busy_s = MERGE_BATCH_S + volume.records * MERGED_BYTES / REWRITE_BYTES_S / speed
    streamed = 24 * STREAMING_CREDITS_AN_HOUR
    streamed += volume.events_per_day * CHANGE_BYTES_RAW / GB * STREAMING_CREDITS_A_GB
    # The writer's own cycle is that of the fold where it may be: then both wake the warehouse together.
    copies = fold_s / batch_s if volume.lag_s > BATCH_WINDOW_S_MAX else 1.0
    copy_busy_s = COPY_BATCH_S * copies + fold_busy_s
    wakes = copies if copies > 1 else 1.0
    return (
        _estimate(MERGE, size, volume, batch_s, merge_busy_s, 1.0, MERGED_BYTES, 0.0),
        _estimate(COPY, size, volume, fold_s, copy_busy_s, wakes, GOLDEN_RECORD_BYTES, 0.0),
        _estimate(STREAMING, size, volume, fold_s, fold_busy_s, 1.0, GOLDEN_RECORD_BYTES, streamed),
    )


def recommended(volume: Volume) -> dict[str, str]:
    """Return the settings that fit a volume: how to write, how long to batch, which lag and size the fold has."""
    fold_s = max(volume.lag_s, FOLD_LAG_S_MIN)
    _, copy, streaming = estimates(volume)
    cheaper = streaming if streaming.credits_a_day < copy.credits_a_day else copy
    writer = STREAMING if volume.lag_s < FOLD_LAG_S_MIN else cheaper.path
    # Half of the lag is for the refresh, so that one that is slow does not make the next late.
    at = 2 if writer is STREAMING else 1
    sizes = [size for size in CREDITS_AN_HOUR if estimates(volume, size)[at].busy_s <= fold_s / 2]
    below = "; read the view of the fold" if fold_s > volume.lag_s else ""
    return {
        "writer": writer,
        "batching window": f"{min(volume.lag_s, BATCH_WINDOW_S_MAX)} s",
        "target lag of the dynamic tables": f"{fold_s} s{below}",
        "size of the virtual warehouse": sizes[0] if sizes else "LARGE, which does not keep up: allow a longer lag",
        "auto-suspend": f"{AUTO_SUSPEND_S} s",
    }


def document(volume: Volume, edition: str) -> dict[str, Any]:
    """Return everything as JSON data: what was asked, each estimate, and the settings that fit."""
    return {
        "events_per_day": volume.events_per_day,
        "lag_s": volume.lag_s,
        "records": volume.records,
        "edition": edition,
        "ways": [
            {
                "way": each.path,
                "size": each.size,
                "credits_a_day": round(each.credits_a_day, 2),
                "storage_gb_after_a_year": round(each.storage_gb, 1),
                "usd_a_month": round(each.usd_a_month(edition), 2),
                "keeps_up": each.keeps_up,
            }
            for each in estimates(volume)
        ],
        "recommended": recommended(volume),
    }


def table() -> str:
    """Return the table of the page on cost: credits a day by volume, lag and way."""
    lines = [f"| events a day | golden records | lag | {MERGE} | {COPY} | {STREAMING} | size that fits |"]
    lines.append("|---|---|---|---|---|---|---|")
    for events, records in ((100_000, 1_000_000), (1_000_000, 1_000_000), (10_000_000, 10_000_000)):
        for lag_s in (30, 60, 300, 900, 3_600):
            volume = Volume(events, lag_s, records)
            cells = [f"{e.credits_a_day:.1f}" + ("" if e.keeps_up else ", too slow") for e in estimates(volume)]
            size = recommended(volume)["size of the virtual warehouse"].split(",")[0]
            lines.append(f"| {events:,} | {records:,} | {lag_s:,} s | {' | '.join(cells)} | {size} |")
    return "\n".join(lines)


def _estimate(
    path: str, size: str, volume: Volume, cycle_s: float, busy_s: float, wakes: float, rewritten: int, beside: float
) -> Estimate:
    """Return an estimate: a cycle wakes the warehouse ``wakes`` times, and ``beside`` are credits of no warehouse."""
    on_s = min(cycle_s, max(RESUMED_S_MIN * wakes, busy_s + AUTO_SUSPEND_S * wakes))
    credits_a_day = 24 * CREDITS_AN_HOUR[size] * on_s / cycle_s + beside
    old_bytes = RETENTION_DAYS * DAY_S / cycle_s * volume.records * rewritten
    stored_bytes = volume.records * rewritten + 365 * volume.events_per_day * CHANGE_BYTES_STORED + old_bytes
    return Estimate(path, size, cycle_s, busy_s, credits_a_day, stored_bytes / GB)
