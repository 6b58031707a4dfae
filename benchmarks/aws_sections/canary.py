"""The canary: a personal value by every path of both runtimes, and everything that they wrote searched for it.

What is searched, and what may hold the value by design, is said in ``tests/support/canary_world.py``.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from show import Show

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "support"))

from canary_journey import journey  # noqa: E402
from canary_values import FORMS, Search  # noqa: E402
from canary_world import BY_DESIGN  # noqa: E402

FINDS_SHOWN_MAX = 10


def figures(show: Show, scratch: Path) -> None:
    """Go the journey, and show where the value was found."""
    folder = scratch / "canary"
    folder.mkdir()
    world = journey(folder)
    for runtime, paths in world.paths.items():
        kinds = Counter(path.partition(":")[0].partition(" while ")[0] for path in paths)
        show.fact(f"{runtime}: paths", f"{len(paths)} ({', '.join(f'{n} {kind}' for kind, n in kinds.items())})")
    show.fact("forms sought", sum(map(len, FORMS.values())))
    show.fact("bytes searched", f"{sum(world.search.bytes_by_place.values()):,}")
    show.fact("segments of traces", world.traces.segments)
    show.fact("invocations that ended with an error, shard processes that ended", f"{world.errors}, {world.ends}")
    show.fact("held by design", ", ".join(place for place in BY_DESIGN if world.held.get(place)))
    finds = world.search.finds
    for find in finds[:FINDS_SHOWN_MAX]:
        show.fact("found", find)
    show.figure("places that hold the value", sorted({find.place for find in finds}) or "none", floor="none",
                holds=not finds)  # fmt: skip
    control = Search()
    control.look("log", "control", next(iter(FORMS["email"])))
    show.figure("control, a planted value", f"{len(control.finds)} found", floor="1", holds=len(control.finds) == 1)
