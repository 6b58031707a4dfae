"""Compare the oracle with reference and engine over many random histories. ``make oracle``.

Prints what was compared and each difference with the seed that shows it. Exit code 0 if there was none, else 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # where the tests' own modules lie

from oracle.oracle_engine import Compared, compare

LINES_A_HISTORY_MAX = 5
"""So many differences of one history are shown: the first says most."""
HISTORIES_SHOWN_MAX = 20
CHUNK = 25
"""Histories that a process takes at a time."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print what came of it, and return the exit code."""
    options = _options(arguments)
    seeds = range(options.seed, options.seed + options.histories)
    started_s = time.monotonic()
    with ProcessPoolExecutor(options.processes) as pool:
        found = list(pool.map(compare_one, seeds, chunksize=CHUNK))
    wrong = [each for each in found if each.differences]
    for each in wrong[:HISTORIES_SHOWN_MAX]:
        _say(f"DIFFERENCE in history {each.seed}; again: make oracle HISTORIES=1 ARGS='--seed {each.seed}'")
        for line in each.differences[:LINES_A_HISTORY_MAX]:
            _say(f"  {line}")
    _say(
        f"{len(found):,} histories (seeds {seeds.start} to {seeds.stop - 1}), {sum(e.events for e in found):,} events, "
        f"{sum(e.golden for e in found):,} golden records, {sum(e.review for e in found):,} review items, "
        f"{sum(e.refused for e in found):,} of them for refused links, in {time.monotonic() - started_s:.0f} s: "
        f"{len(wrong):,} with a difference"
    )
    return 1 if wrong else 0


def compare_one(seed: int) -> Compared:
    """Compare one history; that an implementation fails is a difference like any other."""
    try:
        return compare(seed)
    except Exception:  # noqa: BLE001 - whatever it is, it is shown with its seed
        return Compared(seed, 0, 0, 0, 0, (traceback.format_exc(),))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make oracle", description=__doc__)
    parser.add_argument("--histories", type=int, default=5000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the first of their seeds (default: %(default)s)")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="how many at a time (default: cores)"
    )
    return parser.parse_args(arguments)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
