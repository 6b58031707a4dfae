"""The tables of ``docs/operate/capacity.md``, which ``mdm-stream capacity --markdown`` writes and a test compares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mdm_stream.capacity.capacity_plan import FORMULAS, CapacityPlan, plan_capacity
from mdm_stream.capacity.day import Trouble
from mdm_stream.capacity.environments import ENVIRONMENTS
from mdm_stream.capacity.tables import MeasuredTable, PriceTable, default_measured, default_prices
from mdm_stream.capacity.workload import Footprint, Workload

VOLUMES = (100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
SIZE_HEADINGS = (
    "events a day",
    "peak a second",
    "records",
    "change, golden shards",
    "batches a day",
    "concurrency",
    "slots of a domain",
    "cache shards",
    "archive GB a year",
    "Snowflake credits a day",
    "USD a month",
)
DAY_HEADINGS = ("events a day", "lanes", "batches", "busy", "p50", "p95", "p99", "longest", "backlog", "caught up")


def plans(measured: MeasuredTable, prices: PriceTable, trouble: Trouble | None = None) -> list[CapacityPlan]:
    """Return the plan of each of ``VOLUMES`` with everything else as it is by default."""
    return [plan_capacity(Workload(each), Footprint(), measured, prices, trouble=trouble) for each in VOLUMES]


def size_rows(found: Iterable[CapacityPlan]) -> list[tuple[str, ...]]:
    """Return a row a volume: how large everything is."""
    return [
        (
            f"{plan.load.events_per_day:,}",
            f"{plan.load.peak_rate:,.0f}",
            f"{plan.load.records_held:,.0f}",
            f"{plan.size.changes.shards}, {plan.size.golden.shards}",
            f"{plan.size.batches:,.0f}",
            f"{plan.size.concurrency:,}",
            f"{plan.size.cache.slots_a_domain:,}",
            f"{plan.size.cache.shards} x {plan.size.cache.node.name.removeprefix('cache.')}",
            f"{plan.size.archive_bytes * plan.load.days_held / 1e9:,.0f}",
            "" if plan.size.warehouse is None else f"{plan.size.warehouse.credits_a_day:,.1f}"
            + ("" if plan.size.warehouse_lag_s == plan.load.lag_s else f" (lag {plan.size.warehouse_lag_s:,} s)"),
            f"{plan.usd_a_month:,.0f}",
        )
        for plan in found
    ]  # fmt: skip


def day_rows(found: Iterable[CapacityPlan]) -> list[tuple[str, ...]]:
    """Return a row a volume: the simulated day of the busiest lane."""
    return [
        (
            f"{plan.load.events_per_day:,}",
            f"{plan.size.changes.shards * plan.chosen.parallelization_factor}",
            f"{plan.day.batches:,}",
            f"{plan.day.busy_share:.0%}",
            f"{plan.day.latency_s_p50} s",
            f"{plan.day.latency_s_p95} s",
            f"{plan.day.latency_s_p99} s",
            f"{plan.day.latency_s_max} s",
            f"{plan.day.backlog_max:,}",
            f"{plan.day.caught_up_s} s",
        )
        for plan in found
        if plan.day is not None
    ]


def cost_rows(found: Sequence[CapacityPlan]) -> list[tuple[str, ...]]:
    """Return a row an item of the bill with US dollars a month in each plan, and the sum."""
    bills = [plan.usd_by_group() for plan in found]
    groups = sorted({group for bill in bills for group in bill})
    rows = [(group, *(f"{bill.get(group, 0.0):,.0f}" for bill in bills)) for group in groups]
    return [*rows, ("sum", *(f"{plan.usd_a_month:,.0f}" for plan in found))]


def environment_rows(measured: MeasuredTable, prices: PriceTable) -> list[tuple[str, ...]]:
    """Return a row an item of the bill for each environment, as it is by default and with every part; then budgets."""
    found = [
        plan_capacity(each.load, footprint, measured, prices)
        for each in ENVIRONMENTS.values()
        for footprint in (each.footprint, each.whole())
    ]
    budgets = [f"{each.budget_usd:,.0f}" for each in ENVIRONMENTS.values() for _ in range(2)]
    events = [f"{each.load.events_per_day:,}" for each in ENVIRONMENTS.values() for _ in range(2)]
    return [("events a day", *events), *cost_rows(found), ("budget that warns", *budgets)]


def environment_headings() -> tuple[str, ...]:
    """Return the headings of ``environment_rows``."""
    return ("USD a month", *(title for name in ENVIRONMENTS for title in (name, f"{name}, every part")))


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as Markdown."""
    lines = [f"| {' | '.join(headings)} |", "|" + "---|" * len(headings)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def page_tables(measured: MeasuredTable, prices: PriceTable) -> dict[str, str]:
    """Return the page's tables by what they show; the days are simulated, which takes some seconds."""
    found = plans(measured, prices, Trouble())
    volumes = ("USD a month", *(f"{plan.load.events_per_day:,}" for plan in found))
    inputs, listed = default_measured()["inputs"], default_prices()
    return {
        "sizes": markdown(SIZE_HEADINGS, size_rows(found)),
        "days": markdown(DAY_HEADINGS, day_rows(found)),
        "costs": markdown(volumes, cost_rows(found)),
        "environments": markdown(environment_headings(), environment_rows(measured, prices)),
        "formulas": markdown(("what", "how"), ((what, f"`{how}`") for what, how in FORMULAS.items())),
        "measured": markdown(
            ("input", "default", "what it is"),
            ((f"`{name}`", _shown(each["value"]), each["what"]) for name, each in inputs.items()),
        ),
        "prices": markdown(
            ("price", "USD", "for each"),
            ((f"`{name}`", plain_price(each["usd"]), each["unit"]) for name, each in listed["usd"].items()),
        ),
    }


def plain_price(usd: float) -> str:
    """Return a price without an exponent, and without zeros at its end."""
    return f"{usd:.10f}".rstrip("0").rstrip(".")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{ms:g} at {size}" for size, ms in value.items())
    return f"{value:,}"
