"""What a consumer knows of held and excluded sources: the marks beside the archive, as of a moment ago."""

from __future__ import annotations

import time
from collections.abc import Callable

from mdm_stream.archive import Archive, SourceMarks
from mdm_stream.index.port import Binding

MARKS_AGE_S_MAX = 2.0
"""A batch rests on marks that are no older when it begins: so much later than the command does a hold begin. Two
listings each two seconds are some 90,000 requests a day and process, half a dollar."""


class SourceWatch:
    """Reads the marks of a domain when they are old, or when they were read before the index was bound anew.

    The second makes exclusions exact: a rebuild that applies one reads it before its epoch goes live, so a consumer
    that was bound to that epoch before it read the marks has them too. What it commits goes to that epoch alone.
    """

    def __init__(self, archive: Archive, now_s: Callable[[], float] = time.monotonic) -> None:
        """Take the archive, and a clock that never goes back."""
        self._archive = archive
        self._now_s = now_s
        self._known: dict[str, tuple[float, Binding, SourceMarks]] = {}

    def marks(self, domain: str, binding: Binding) -> SourceMarks:
        """Return the marks of a domain, to which the index is bound so. Raises what the archive's store meets."""
        known, now_s = self._known.get(domain), self._now_s()
        if known is not None and known[1] == binding and now_s - known[0] < MARKS_AGE_S_MAX:
            return known[2]
        marks = self._archive.sources(domain).read()
        self._known[domain] = (now_s, binding, marks)
        return marks
