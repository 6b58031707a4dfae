"""A live switch of rules and the way back, while events stream in and a reader checks all the time.

``MDM_SPARK_SWITCH=PEOPLE,RATE`` takes another population and rate than ``PEOPLE`` and ``RATE_PER_S``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from show import Show

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "support")]

from switch_under_load import run  # noqa: E402

VARIABLE = "MDM_SPARK_SWITCH"
PEOPLE = 2_000
RATE_PER_S = 300
RATE_SHARE_MIN = 0.95


def figures(show: Show, scratch: Path) -> None:
    """Deploy, watch, and go back."""
    people, rate = (int(part) for part in os.environ.get(VARIABLE, f"{PEOPLE},{RATE_PER_S}").split(","))
    found = run(scratch, people=people, rate_per_s=rate)
    switched, actual = found.deployed["switched"], found.deployed["actual"]
    show.figure("events published a second, over the whole switch", f"{found.rate_per_s:.0f}", floor=f"{rate}",
                holds=found.rate_per_s >= RATE_SHARE_MIN * rate)  # fmt: skip
    show.figure("events that were lost", found.lost, floor="0", holds=not found.lost)
    show.figure(
        "ends that are not F under the new rules, and after the way back under the old ones",
        f"{found.there or 'none'}, {found.back or 'none'}", floor="none (index, feed and warehouse)",
        holds=not found.there and not found.back,
    )  # fmt: skip
    watched = found.watched
    show.figure(f"checks of {watched.checks:,} that found neither the one state nor the other", len(watched.mixtures),
                floor="0", holds=watched.checks > 0 and not watched.mixtures)  # fmt: skip
    show.figure("states in the order in which the reader saw them", ", ".join(watched.states),
                floor="old, new, old", holds=watched.states == ["old", "new", "old"])  # fmt: skip
    clusters = {kind: each["before"] for kind, each in actual["clusters"].items() if each["before"]}
    show.figure("forecast equals actual", found.deployed["as_forecast"], floor="True",
                holds=found.deployed["as_forecast"] and set(clusters) != {"unchanged"})  # fmt: skip
    show.fact("old clusters by what became of them", clusters)
    show.fact("records left out, which changed meanwhile, with those beside them", found.deployed["left_out"])
    show.fact(
        "writers were held", f"{switched['held_s']:.1f} s, and {found.rolled_back['held_s']:.1f} s on the way back"
    )
    told = [switched["told"], found.rolled_back["told"]]
    show.figure("messages of the feed that are marked as the one wave of a switch, there and back",
                ", ".join(f"{marked:,}" for marked, _ in found.waves), floor=", ".join(f"{count:,}" for count in told),
                holds=found.waves == [(count, count) for count in told])  # fmt: skip
