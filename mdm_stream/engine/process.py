"""What a process that runs engines sets once, at its start."""

from __future__ import annotations

import gc

COLLECTION_THRESHOLD = 100_000
"""Net new containers before the garbage collector looks for cycles (Python's own default is 700 or 2,000).

A batch makes hundreds of thousands of containers and no cycles, and the record cache keeps many of them alive: at the
default threshold a third of the CPU time went into looking them all through.
"""


def settle_garbage_collector() -> None:
    """Take what was loaded so far out of the collector's sight, and make it look less often. Idempotent.

    What is garbage by then stays, some 3 MB of it: to look for it would take 40 ms of each cold start.
    """
    gc.freeze()
    gc.set_threshold(COLLECTION_THRESHOLD, 20, 100)
