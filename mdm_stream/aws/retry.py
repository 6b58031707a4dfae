"""How long to wait before a call is tried again: exponential backoff with full jitter.

The formula is that of Amazon's architecture blog (Exponential Backoff And Jitter, 2015): a random time up to a ceiling
that doubles with each attempt, so that clients that failed together do not come back together.
"""

from __future__ import annotations

import random
from collections.abc import Callable

_DOUBLINGS_MAX = 30
"""Bounded only so that the power stays a number of ordinary size: every ceiling is reached long before."""


def ceiling_of(attempt: int, base: float, longest: float) -> float:
    """Return the longest wait after ``attempt`` failed calls (from 0), in the unit of ``base`` and ``longest``."""
    return min(longest, base * 2.0 ** min(attempt, _DOUBLINGS_MAX))


def full_jitter(attempt: int, base: float, longest: float, draw: Callable[[], float] = random.random) -> float:
    """Return a random wait up to the ceiling; ``draw`` gives numbers in 0..1."""
    return draw() * ceiling_of(attempt, base, longest)
