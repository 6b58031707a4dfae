"""The bill of each environment as Terraform sizes it, beside the one that the load model chooses for the same volume.

Both are of one code, :mod:`mdm_stream.capacity`: what is compared is whether the sizes of the environments' files are
those that the model takes them for, hold the volume, and are not much more than it asks for.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from show import Show
from trees import ROOT

sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from terraform_environments import configured_sizes  # noqa: E402 - beside the tests

from mdm_stream.capacity.capacity_plan import FORMULAS, CapacityPlan, plan_capacity  # noqa: E402
from mdm_stream.capacity.environments import ENVIRONMENTS, EnvironmentSize  # noqa: E402
from mdm_stream.capacity.tables import measured_table, price_table  # noqa: E402

COST_FACTOR_MAX = 1.5
"""How much more an environment may cost than the least that holds its volume, at the same replicas and zones."""


def figures(show: Show, scratch: Path) -> None:
    """Compare sizes and dollars of every environment."""
    del scratch
    show.fact("formula", FORMULAS["dollars a month"])
    for name, each in ENVIRONMENTS.items():
        sizes = configured_sizes(name)
        budget = sizes.pop("budget_usd")
        differ = [size for size, value in sizes.items() if value != getattr(each.footprint, size)]
        same = not differ and budget == each.budget_usd
        show.figure(f"{name}: sizes that the model has otherwise", ", ".join(differ) or 0, floor="0", holds=same)
        has, least = _plans(each)
        _table(show, name, has, least)
        _sizes(show, name, has, least)


def _plans(each: EnvironmentSize) -> tuple[CapacityPlan, CapacityPlan]:
    """Return the plan as the environment is, and with the shards and nodes that the model chooses."""
    free = replace(each.footprint, change_shards=None, golden_shards=None, node_type=None, cache_shards=None)
    measured, prices = measured_table(), price_table()
    return plan_capacity(each.load, each.footprint, measured, prices), plan_capacity(each.load, free, measured, prices)


def _table(show: Show, name: str, has: CapacityPlan, least: CapacityPlan) -> None:
    title = f"{name} at {has.load.events_per_day:,} events a day"
    show.fact(f"{title:<32}", f"{'as sized':>10} {'as chosen':>10}  US dollars a month")
    bills = has.usd_by_group(), least.usd_by_group()
    for group in sorted({*bills[0], *bills[1]}):
        show.fact(f"{group:<32}", f"{bills[0].get(group, 0.0):>10,.2f} {bills[1].get(group, 0.0):>10,.2f}")
    show.fact(f"{'sum':<32}", f"{has.usd_a_month:>10,.2f} {least.usd_a_month:>10,.2f}")
    factor = has.usd_a_month / least.usd_a_month
    show.figure(
        f"{name}: dollars as sized by those as chosen",
        f"{factor:.2f}",
        floor=f"1 to {COST_FACTOR_MAX:g}",
        holds=0.995 <= factor <= COST_FACTOR_MAX,
    )


def _sizes(show: Show, name: str, has: CapacityPlan, least: CapacityPlan) -> None:
    ours, chosen = has.size, least.size
    for what, mine, asked in (
        ("shards of the change stream", ours.changes.shards, chosen.changes.needed),
        ("shards of the golden stream", ours.golden.shards, chosen.golden.needed),
        ("memory of the cache, GB", _gigabytes(has), _gigabytes(least)),
    ):
        show.figure(f"{name}: {what}", f"{mine:.3g}", floor=f"{asked:.3g}, as the model chooses", holds=mine >= asked)
    show.figure(f"{name}: keeps up", ours.keeps_up, floor="True", holds=ours.keeps_up)


def _gigabytes(plan: CapacityPlan) -> float:
    return plan.size.cache.shards * plan.size.cache.node.memory_bytes / 1e9
