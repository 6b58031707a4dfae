"""A plan: what was asked, the size, the simulated day and the bill, and its lines with the formula of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mdm_stream.capacity.costs import CostItem, monthly_costs
from mdm_stream.capacity.day import DayOutcome, Trouble, simulate_day
from mdm_stream.capacity.sizing import GB, Sizing, sizing
from mdm_stream.capacity.tables import MeasuredTable, PriceTable
from mdm_stream.capacity.workload import Footprint, Workload

FORMULAS = {
    "events a second, mean and peak": "events a day / 86,400; x peak_to_mean",
    "source records": "events a day x new_share x days_held",
    "shards of the change stream": "busiest = peak x skew; ceil(max(busiest / 1,000, busiest x event_bytes / 1 MB, busiest / lane rate) / 0.7)",  # noqa: E501
    "lane rate, events a second": "batch / (batch x cpu_ms(batch) + io_wait + poll)",
    "shards of the golden stream": "as above, of golden messages and their bytes",
    "batching window": "1 s up to 4 shards, 5 s beyond",
    "batches a day": "lanes x 86,400 / cycle; cycle = cpu + io_wait + poll + wait for an event + min(window, time to fill)",  # noqa: E501
    "events a batch": "events a day / batches a day",
    "Lambda invocations a day": "batches + writes of the warehouse consumer + ticks",
    "Lambda concurrency": "shards x parallelization factor + steward shards + 1 (tick); golden shards + 1 for the warehouse",  # noqa: E501
    "Lambda GB-seconds a day": "sum over batches of (cpu + io_wait) x memory",
    "slots of a domain": "ceil(max(peak / domains x redis_cpu_ms / 0.7 s, index / domains / 0.75 of the largest node))",
    "cache": "cheapest nodes that hold slots x (index / slots) and their work; x (1 + replicas)",
    "index, built twice": "records x redis_bytes_a_record x 2",
    "cache CPU and memory at the peak": "peak x redis_cpu_ms / shards; index / shards / 0.75 of a node",
    "archive objects a day": "batches x domains in a batch",
    "S3 PUTs a day": "archive objects + events a day x 0.0001 (quarantine)",
    "archive after days_held": "events a day x event_bytes x archive_share x days_held",
    "Snowflake": "warehouse-cost.md, at golden messages a day and records / records_a_golden_record",
    "Glue DPU-hours a day": "runs x (a run + records / 1,000,000 x a million records)",
    "KMS requests a day": "3 streams x 288 x 3 users + 0.01 x S3 requests (bucket keys)",
    "log bytes a day": "invocations x log_bytes_a_batch + events x log_bytes_an_event",
    "dollars a month": "30 days of each quantity x its price",
}
"""How each line of a plan comes about; the names in it are those of the options and of the table of measured inputs."""


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """Everything about one volume. ``day`` is that of the busiest lane, if it was simulated."""

    load: Workload
    chosen: Footprint
    size: Sizing
    costs: tuple[CostItem, ...]
    day: DayOutcome | None
    measured: MeasuredTable
    prices: PriceTable

    @property
    def usd_a_month(self) -> float:
        """US dollars of 30 days: the sum of all items."""
        return sum(item.usd for item in self.costs)

    def usd_by_group(self) -> dict[str, float]:
        """Return US dollars of 30 days by what is paid for."""
        groups: dict[str, float] = {}
        for item in self.costs:
            groups[item.group] = groups.get(item.group, 0.0) + item.usd
        return groups


def plan_capacity(
    load: Workload,
    chosen: Footprint,
    measured: MeasuredTable,
    prices: PriceTable,
    *,
    trouble: Trouble | None = None,
    seed: int = 1,
) -> CapacityPlan:
    """Return the plan for a volume; a day is simulated where its ``trouble`` is given. Pure, the same for one seed."""
    size = sizing(load, chosen, measured, prices)
    lanes = size.changes.shards * chosen.parallelization_factor
    day = simulate_day(load, size, lanes, measured, seed, trouble) if trouble is not None else None
    return CapacityPlan(load, chosen, size, monthly_costs(load, chosen, size, measured, prices), day, measured, prices)


def lines(plan: CapacityPlan) -> list[tuple[str, str, str]]:
    """Return what a plan says, a line a quantity: what, how much, and the formula."""
    size, load, cache = plan.size, plan.load, plan.size.cache
    values = {
        "events a second, mean and peak": f"{_short(load.mean_rate)}, {_short(load.peak_rate)}",
        "source records": f"{load.records_held:,.0f}",
        "shards of the change stream": f"{size.changes.shards:,} ({size.changes.because})",
        "lane rate, events a second": f"{size.lane_rate_max:,.0f} at best, {_short(size.lane_rate_peak)} at the peak",
        "shards of the golden stream": f"{size.golden.shards:,} ({size.golden.because})",
        "batching window": f"{size.window_s:g} s",
        "batches a day": f"{size.batches:,.0f}",
        "events a batch": f"{size.events_a_batch:,.1f}",
        "Lambda invocations a day": f"{size.invocations:,.0f}",
        "Lambda concurrency": f"{size.concurrency:,}",
        "Lambda GB-seconds a day": f"{size.gb_s:,.0f}",
        "slots of a domain": f"{cache.slots_a_domain:,}",
        "cache": f"{cache.shards:,} x {cache.node.name}, {cache.nodes:,} nodes",
        "index, built twice": f"{_short(cache.index_bytes / GB)} GB",
        "cache CPU and memory at the peak": f"{cache.cpu_share:.1%} of a core, {cache.memory_share:.0%}",
        "archive objects a day": f"{size.archive_objects:,.0f}",
        "S3 PUTs a day": f"{size.puts:,.0f}",
        "archive after days_held": f"{_short(size.archive_bytes * load.days_held / GB)} GB",
        "Snowflake": _snowflake(size),
        "Glue DPU-hours a day": f"{size.glue_dpu_hours:,.2f}",
        "KMS requests a day": f"{size.kms_requests:,.0f}",
        "log bytes a day": f"{size.log_bytes:,.0f}",
        "dollars a month": f"{plan.usd_a_month:,.0f}",
    }
    return [(what, values[what], formula) for what, formula in FORMULAS.items()]


def day_lines(day: DayOutcome) -> list[tuple[str, str]]:
    """Return what the simulated day of the busiest lane was like, a line a figure."""
    percentiles = f"{day.latency_s_p50} s, {day.latency_s_p95} s, {day.latency_s_p99} s"
    return [
        ("events", f"{day.events:,}"),
        ("batches, failed attempts", f"{day.batches:,}, {day.failed:,}"),
        ("time that it works", f"{day.busy_share:.1%}"),
        ("event to golden record, p50, p95, p99", percentiles),
        ("longest, through the outage", f"{day.latency_s_max} s"),
        ("greatest backlog", f"{day.backlog_max:,} events"),
        ("caught up after the outage", f"{day.caught_up_s} s"),
    ]


def document(plan: CapacityPlan) -> dict[str, Any]:
    """Return a plan as JSON data, with the tables that it rests on."""
    warehouse = plan.size.warehouse
    chosen = asdict(plan.chosen) | {"parts": sorted(plan.chosen.parts)}
    return {
        "workload": asdict(plan.load) | {"records_held": plan.load.records_held},
        "footprint": chosen,
        "sizing": asdict(plan.size)
        | {
            "keeps_up": plan.size.keeps_up,
            "warehouse": None if warehouse is None else asdict(warehouse),
        },
        "day": None if plan.day is None else asdict(plan.day),
        "usd_a_month": round(plan.usd_a_month, 2),
        "costs": [asdict(item) | {"usd": round(item.usd, 4)} for item in plan.costs],
        "measured": {
            "as_of": plan.measured.as_of,
            **plan.measured.values,
            "cpu_ms_an_event": {str(size): ms for size, ms in plan.measured.cpu_ms_by_batch.items()},
        },
        "prices": {"as_of": plan.prices.as_of, **plan.prices.usd},
    }


def warnings(plan: CapacityPlan) -> Sequence[str]:
    """Return what a reader has to know before building this: what does not keep up, and what has to be cut."""
    size, found = plan.size, []
    for name, stream in (("change", size.changes), ("golden", size.golden)):
        if stream.shards < stream.needed and not plan.chosen.on_demand:
            found.append(f"the {name} stream needs {stream.needed:,} shards at its peak, and has {stream.shards:,}")
    if size.cache.memory_share > 1:
        found.append("the index does not fit twice into the cache: a rebuild fails; take larger nodes")
    if size.cache.cpu_share > 1:
        found.append("the cache has more work than its nodes do: take more slots, or nodes that are not burstable")
    if size.cache.slots_a_domain > 1:
        found.append(
            f"a domain needs {size.cache.slots_a_domain:,} slots: cut it into as many domains, by something that "
            "blocks never cross, such as a country"
        )
    if size.warehouse is not None and size.warehouse_lag_s != plan.load.lag_s:
        found.append(f"no virtual warehouse keeps a lag of {plan.load.lag_s:,} s: {size.warehouse_lag_s:,} s is taken")
    return found


def _snowflake(size: Sizing) -> str:
    if size.warehouse is None:
        return "none"
    way = f"{size.warehouse.size}, {size.warehouse.path}"
    return f"{size.warehouse.credits_a_day:.1f} credits a day ({way}, lag {size.warehouse_lag_s:,} s)"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
