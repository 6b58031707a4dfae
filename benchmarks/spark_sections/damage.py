"""Damage to the live side, each way at a family of its own: the report names it, a repair mends it, a run says so.

Index, archive and warehouse are written as the consumers do, on a Redis server and DuckDB, and damaged behind them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from show import Show

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "support")]

from reconcile_world import NAMED, ReconcileWorld, history  # noqa: E402

from mdm_stream.local.servers.redis import RedisServer  # noqa: E402
from mdm_stream.reconcile.session import local_session  # noqa: E402

WAYS_MIN = 10


def figures(show: Show, scratch: Path) -> None:
    """Damage, compare, repair, and compare again."""
    spark = local_session(2, scratch / "spark", "1g")
    spark.conf.set("spark.sql.shuffle.partitions", "2")
    try:
        with RedisServer() as server, server.client() as client:
            world = ReconcileWorld(spark, client, scratch)
            try:
                _figures(show, world)
            finally:
                world.warehouse.close()
    finally:
        spark.stop()


def _figures(show: Show, world: ReconcileWorld) -> None:
    for events in history():
        world.deliver(events)
    expected, resolved, listed = world.expect()
    before = sum(world.compare(expected, listed).drift.values())
    show.figure("differences before any damage", before, floor="0", holds=not before)
    for how in NAMED:
        world.damage(how)
    found = world.compare(expected, listed)
    done = world.repair(found, expected, listed)
    after = world.compare(expected, listed)
    for how, kinds in NAMED.items():
        named = ", ".join(f"{found.drift.get(kind, 0)} {kind}" for kind in sorted(kinds))
        left = sum(after.drift.get(kind, 0) for kind in kinds)
        show.figure(f"{how}: named, and left after the repair", f"{named}; {left}", floor="named; 0",
                    holds=kinds <= found.drift.keys() and not left)  # fmt: skip
    show.figure("ways of damage", len(NAMED), floor=f"at least {WAYS_MIN}", holds=len(NAMED) >= WAYS_MIN)
    show.fact("repaired", f"{done.records} records in {done.rewrites} rewrites, {done.told} changes told")
    failed = len(done.failed) + done.left + sum(done.rebuild.values())
    show.figure("differences that the repair left or could not mend", failed, floor="0", holds=not failed)
    drift = sum(after.drift.values())
    show.figure("differences in the run after the repair", drift, floor="0", holds=not drift)
    is_f = world.index.snapshot() == resolved
    show.figure("the index after the repair", "equals F" if is_f else "differs from F", floor="equals F", holds=is_f)
