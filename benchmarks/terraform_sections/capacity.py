"""The load model: its inputs measured here, its laws by volume, and the bill of each environment beside its budget."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from show import Show

from mdm_stream.capacity.capacity_plan import plan_capacity
from mdm_stream.capacity.day import Trouble
from mdm_stream.capacity.environments import ENVIRONMENTS
from mdm_stream.capacity.page import VOLUMES
from mdm_stream.capacity.tables import measured_table, price_table
from mdm_stream.capacity.workload import Footprint, Workload

sys.path.append(str(Path(__file__).resolve().parents[1]))

from capacity import FACTOR_MAX, compared, measure

SECONDS_MAX = 180
P99_OVER_WINDOW_S_MAX = 2.0
"""A quiet day's 99th percentile beyond the batching window: what batches take, and a few that fail once."""


def figures(show: Show, scratch: Path) -> None:
    """Measure the inputs, then plan by the defaults."""
    began_s = time.process_time()
    found = measure(scratch)
    cpu_s = time.process_time() - began_s
    show.fact(
        "load of this machine", f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: others make CPU times longer"
    )
    for what, value in found.facts.items():
        show.fact(what, value)
    for each in compared(found.inputs):
        figure = f"{each.measured:,.3f}, the model has {each.default:,.3f}, ratio {each.ratio:.2f}"
        show.figure(each.name, figure, floor=f"within a factor {FACTOR_MAX:g}", holds=each.is_near)
    show.figure("measuring takes", f"{cpu_s:.0f} s of CPU", floor=f"{SECONDS_MAX} s", holds=cpu_s <= SECONDS_MAX)
    _volumes(show)
    _environments(show)


def _volumes(show: Show) -> None:
    measured, prices, dollars = measured_table(), price_table(), 0.0
    for volume in VOLUMES:
        plan = plan_capacity(Workload(volume), Footprint(), measured, prices, trouble=Trouble())
        day, size = plan.day, plan.size
        assert day is not None
        show.fact(
            f"{volume:,} events a day",
            f"{size.changes.shards} and {size.golden.shards} shards, {size.cache.shards} x {size.cache.node.name}, "
            f"p50 {day.latency_s_p50} s, longest {day.latency_s_max} s, caught up {day.caught_up_s} s after an outage, "
            f"{plan.usd_a_month:,.0f} dollars a month",
        )
        most_s = size.window_s + P99_OVER_WINDOW_S_MAX
        p99 = f"{day.latency_s_p99} s"
        show.figure(f"p99 of {volume:,} events a day", p99, floor=f"{most_s:g} s", holds=day.latency_s_p99 <= most_s)
        holds = size.keeps_up and plan.usd_a_month > dollars
        show.figure(f"{volume:,} keeps up, and costs more", size.keeps_up, floor="True", holds=holds)
        dollars = plan.usd_a_month


def _environments(show: Show) -> None:
    for name, each in ENVIRONMENTS.items():
        default, whole = (
            plan_capacity(each.load, footprint, measured_table(), price_table())
            for footprint in (each.footprint, each.whole())
        )
        shown = f"{default.usd_a_month:,.0f} dollars a month, {whole.usd_a_month:,.0f} with every part"
        show.figure(
            f"{name} at {each.load.events_per_day:,} events a day",
            shown,
            floor=f"its budget, {each.budget_usd:,.0f}",
            holds=default.usd_a_month <= each.budget_usd,
        )
