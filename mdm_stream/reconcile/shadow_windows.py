"""When the windows of a shadow end, and waiting for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mdm_stream.reconcile.shadow import RulesShadow, ShadowWindow

POLL_S = 10.0
"""Between two readings of the archive while a window is open."""


@dataclass(frozen=True, slots=True)
class ShadowTimes:
    """How long a shadow runs, in microseconds: ``past_us`` before its start are windows too, ``for_us`` after it.

    ``None``: until it is stopped. A window ends ``every_us``, at whole multiples since 1970, so that hours are hours of
    the clock. ``settle_us`` after its end it is closed: what was committed is archived by then.
    """

    every_us: int
    for_us: int | None
    past_us: int
    settle_us: int


def shadow_windows(
    shadow: RulesShadow, times: ShadowTimes, now_us: Callable[[], int], wait: Callable[[float], bool]
) -> Iterator[ShadowWindow]:
    """Yield each window once it is closed, the last one at the end of the time asked for, or when ``wait`` says so.

    ``wait`` is called with seconds, and returns whether to stop: then the window that is open is closed at once.
    """
    start_us = now_us()
    from_us = start_us - times.past_us
    end_us = None if times.for_us is None else start_us + times.for_us
    shadow.begin(from_us - from_us % times.every_us if times.past_us else from_us)
    is_stopped = False
    while not is_stopped and (end_us is None or shadow.closed_us < end_us):
        to_us = shadow.closed_us - shadow.closed_us % times.every_us + times.every_us
        to_us = to_us if end_us is None else min(to_us, end_us)
        while not is_stopped and (left_us := to_us + times.settle_us - now_us()) > 0:
            shadow.take()
            is_stopped = wait(min(POLL_S, left_us / 1_000_000))
        shadow.take()
        yield shadow.close(min(to_us, max(now_us(), shadow.closed_us)) if is_stopped else to_us)
