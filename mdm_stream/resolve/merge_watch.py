"""Watches how fast golden records merge. It raises an alarm, and never changes what comes out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

WINDOW_S = 60.0


class MergeWatch:
    """Counts the merges of one domain in this process over the last minute. ``now_s`` is a monotonic clock."""

    def __init__(self, merges_per_minute_max: int, now_s: Callable[[], float]) -> None:
        self._limit = merges_per_minute_max
        self._now_s = now_s
        self._counts: deque[tuple[float, int]] = deque()
        self._sum = 0

    def note(self, merges: int) -> bool:
        """Add a batch's merges; return whether the last minute has more than it may, until ``calm`` was called."""
        now_s = self._now_s()
        if merges:
            self._counts.append((now_s, merges))
            self._sum += merges
        while self._counts and self._counts[0][0] <= now_s - WINDOW_S:
            self._sum -= self._counts.popleft()[1]
        return self._sum > self._limit

    def calm(self) -> None:
        """Begin counting anew: the storm has been told."""
        self._counts.clear()
        self._sum = 0
