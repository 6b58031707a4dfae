"""What batches ask of the indexes, and how much waits in them: information for metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from mdm_stream.errors import MdmError
from mdm_stream.index.port import Index, IndexDepths
from mdm_stream.resolve.report import StreamReport

DEPTHS_AGAIN_S = 15.0
"""Seconds after which a process under load asks again how much waits: one call a domain."""


class IndexWatch:
    """Measures the indexes of a resolver, by domain."""

    def __init__(self, indexes: Mapping[str, Index], clock_s: Callable[[], float] = time.monotonic) -> None:
        """Take the indexes, and a clock that never goes back."""
        self._indexes = indexes
        self._clock_s = clock_s
        self._asked_s: float | None = None

    @contextmanager
    def asked(self, report: StreamReport) -> Iterator[None]:
        """Note with a report what is asked of the indexes inside."""
        commands, bytes_written = self._totals()
        try:
            yield
        finally:
            now = self._totals()
            report.commands, report.bytes_written = now[0] - commands, now[1] - bytes_written

    def depths(self, has_time: Callable[[], bool], *, at_once: bool = False) -> dict[str, IndexDepths]:
        """Return how much waits in each index that can be read, if it is time to ask, or ``at_once``.

        ``has_time`` tells before each call whether there is time for one.
        """
        found: dict[str, IndexDepths] = {}
        now_s = self._clock_s()
        if not at_once and self._asked_s is not None and now_s - self._asked_s < DEPTHS_AGAIN_S:
            return found
        self._asked_s = now_s
        for domain, index in self._indexes.items():
            if not has_time():
                break
            with suppress(MdmError):  # the batch or tick says what keeps the index from being read
                found[domain] = index.depths()
        return found

    def _totals(self) -> tuple[int, int]:
        counters = [index.counters for index in self._indexes.values()]
        return sum(each.commands for each in counters), sum(each.bytes_written for each in counters)
