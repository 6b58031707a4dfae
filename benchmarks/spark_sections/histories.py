"""Random small histories, by the reference and by Spark: updates, deletes, verdicts, overrides, erasures and limits.

Those under one rule set are resolved by one job: each is a world of its own, since a part of every blocking key says
which one a record is of. The engine is compared with the reference on histories of the same kind by ``make oracle``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from show import Show

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "support")]

from spark_worlds import differences, folded_rows, resolution_of, worlds  # noqa: E402

from mdm_stream.core.reference import resolve  # noqa: E402
from mdm_stream.reconcile.recompute import resolve_folded  # noqa: E402
from mdm_stream.reconcile.session import local_session  # noqa: E402
from mdm_stream.reconcile.workspace import Workspace  # noqa: E402

RULE_SETS = 20
HISTORIES_EACH = 25
TASKS = 4


def figures(show: Show, scratch: Path) -> None:
    """Resolve them all twice, and count what differs."""
    spark = local_session(2, scratch)
    spark.conf.set("spark.sql.shuffle.partitions", "2")
    events = golden = review = 0
    found: list[str] = []
    for rules_seed in range(RULE_SETS):
        first = rules_seed * HISTORIES_EACH
        world = worlds(rules_seed, range(first, first + HISTORIES_EACH))
        expected = resolve(world.rules, world.events)
        folded = spark.createDataFrame(folded_rows(world.events, TASKS, rules_seed), "ref string, state binary")
        workspace = Workspace(spark, str(scratch / f"rules-{rules_seed}"))
        state = resolution_of(resolve_folded(workspace, world.rules, folded))
        found += [f"rules {rules_seed}: {each}" for each in differences(expected, state)]
        events += len(world.events)
        golden += len(expected.golden)
        review += len(expected.review)
        workspace.remove()
    spark.stop()
    for each in found[:10]:
        show.fact("difference", each)
    show.fact("compared", f"{events:,} events, {golden:,} golden records, {review:,} review items")
    what = f"places that differ in {RULE_SETS * HISTORIES_EACH} histories under {RULE_SETS} rule sets"
    show.figure(what, len(found), floor="0", holds=not found and golden > 0 and review > 0)
