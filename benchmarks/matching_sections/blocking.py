"""Candidate pairs an event, and true pairs that keys find, as the store grows: the rules of the demo, as they are.

Each size is blocked by the batch path in a process of its own (``benchmarks/blocking_growth.py``), which is ended above
``LIMIT_BYTES``. ``MDM_BLOCKING_SIZES=10000,100000`` takes other sizes than ``SIZES``: a million people take some twenty
CPU minutes.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from histories import RULES_DEFAULT
from process_memory import MB, watched
from show import Show
from trees import ROOT

SIZES_VARIABLE = "MDM_BLOCKING_SIZES"
SIZES = (10_000, 100_000, 1_000_000)
LIMIT_BYTES = 6 * 1024 * MB
GROWTH_MAX = 2.0
FOUND_LESS_MAX = 0.005


def figures(show: Show, scratch: Path) -> None:
    """Block each size, and compare the last with the first."""
    sizes = [int(size) for size in os.environ.get(SIZES_VARIABLE, "").split(",") if size] or SIZES
    taken = [_blocked(show, scratch, size) for size in sizes]
    first, last = taken[0], taken[-1]
    times = last["candidates_a_record"] / first["candidates_a_record"]
    what = f"{first['people']:,} to {last['people']:,} people"
    show.figure(
        f"{what}: growth of candidate pairs an event",
        f"{times:.2f} times",
        floor=f"at most {GROWTH_MAX}",
        holds=times <= GROWTH_MAX,
    )
    less = first["found"] - last["found"]
    show.figure(
        f"{what}: share of true pairs that any key finds, less at the last",
        f"{less:.4f}",
        floor=f"at most {FOUND_LESS_MAX}",
        holds=less <= FOUND_LESS_MAX,
    )


def _blocked(show: Show, scratch: Path, people: int) -> dict[str, Any]:
    out = scratch / f"{people}.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "blocking_growth.py"), "--people", str(people)]
    command += ["--rules", str(RULES_DEFAULT), "--work", str(scratch / "parts"), "--out", str(out)]
    code, use = watched(command, limit_bytes=LIMIT_BYTES)
    if code:
        what = "more memory than it may have" if use.exceeded else f"exit code {code}"
        raise RuntimeError(f"blocking {people:,} people ended with {what}")
    found: dict[str, Any] = json.loads(out.read_text("utf-8"))[0]
    show.fact(
        f"{people:,} people, {found['records']:,} records",
        f"{found['pairs'] / found['records']:.2f} candidate pairs an event; "
        f"{found['keys_a_record']:.1f} keys a record, largest block at work {found['largest_open']}, "
        f"{found['closed_keys']:,} keys closed; "
        f"{found['found']:.4f} of {found['true_pairs']:,} true pairs found; "
        f"{sum(use.cpu_s.values()):.0f} s CPU, load {os.getloadavg()[0]:.1f}",
    )
    show.figure(
        f"{people:,} people: peak memory of all processes",
        f"{use.total // MB:,} MB",
        floor=f"at most {LIMIT_BYTES // MB:,} MB",
        holds=not use.exceeded,
    )
    return found
