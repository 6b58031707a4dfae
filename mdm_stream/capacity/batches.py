"""How a day's events become batches: the shape of the day, and what one batch takes. Pure.

The rate over the day is ``mean x exp(k cos(t)) / I0(k)``, with the peak at 14:00: it is never negative, has the day's
mean, and ``k`` is such that its peak is ``peak_to_mean`` times that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import cos, exp, log, pi

from mdm_stream.capacity.tables import MeasuredTable
from mdm_stream.capacity.workload import DAY_S

PEAK_S = 14 * 3_600
PAYLOAD_BYTES_MAX = 6 * 1024 * 1024
ENVELOPE_BYTES = 512
"""An invocation carries 6 MB, with the records in base64 and so much beside each
(:mod:`mdm_stream.local.event_source.mapping`)."""
_POINTS, _HALVINGS, _K_MAX = 288, 60, 2_000.0
"""Enough for a peak of a hundred times the mean."""
_ROUNDS = 40


@lru_cache(maxsize=64)
def day_shape(peak_to_mean: float) -> tuple[float, ...]:
    """Return the rate in each minute of a day, by the day's mean: their mean is 1."""
    low, high = 0.0, _K_MAX
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if 1 / _mean_by_peak(middle) < peak_to_mean else (low, middle)
    heights = [exp(low * (cos(2 * pi * ((n + 0.5) * 60 - PEAK_S) / DAY_S) - 1)) for n in range(DAY_S // 60)]
    mean = sum(heights) / len(heights)
    return tuple(height / mean for height in heights)


def cpu_s(measured: MeasuredTable, events: float) -> float:
    """Return the CPU seconds of a batch: ``events x cpu_ms_an_event``, between two sizes by the logarithm of the size.

    Beyond the largest measured size an event takes what it takes there.
    """
    sizes = list(measured.cpu_ms_by_batch.items())
    if events <= sizes[0][0]:
        return max(events, 0.0) * sizes[0][1] / 1_000
    for (below, ms_below), (above, ms_above) in pairwise(sizes):
        if events <= above:
            share = log(events / below) / log(above / below)
            return events * (ms_below + share * (ms_above - ms_below)) / 1_000
    return events * sizes[-1][1] / 1_000


def events_a_batch_max(batch_size: int, event_bytes: int) -> int:
    """Return how many events a batch may have: the batch size, or what fits into an invocation's 6 MB."""
    return max(1, min(batch_size, PAYLOAD_BYTES_MAX // ((event_bytes + 2) // 3 * 4 + ENVELOPE_BYTES)))


def lane_rate_max(measured: MeasuredTable, batch_max: int) -> float:
    """Return the events a second that one lane works off with full batches, one after the other:

    ``batch / (cpu_s(batch) + io_wait_s + poll_s)``.
    """
    return batch_max / (cpu_s(measured, batch_max) + measured["io_wait_s_a_batch"] + measured["poll_s_a_batch"])


@dataclass(frozen=True, slots=True)
class BatchCycle:
    """One batch after the other in a lane: ``cycle_s`` from one to the next, ``events`` in each, ``billed_s`` of it."""

    cycle_s: float
    events: float
    billed_s: float


def cycle_of(measured: MeasuredTable, rate: float, batch_max: int, window_s: float) -> BatchCycle:
    """Return what batches are like in a lane to which ``rate`` events a second come.

    A batch is worked for ``d = cpu + io_wait`` and polled for ``p``; the next one's window begins when its first event
    is there, and ends with the window or with a full batch::

        cycle  = d + p + exp(-rate (d + p)) / rate + min(window, max(0, batch_max / rate - (d + p)))
        events = min(batch_max, rate x cycle)
    """
    poll_s = measured["poll_s_a_batch"]
    events = min(batch_max, max(1.0, rate * window_s))
    cycle_s = billed_s = 0.0
    for _ in range(_ROUNDS):
        billed_s = cpu_s(measured, events) + measured["io_wait_s_a_batch"]
        busy_s = billed_s + poll_s
        waited_s = exp(-min(700.0, rate * busy_s)) / rate
        cycle_s = busy_s + waited_s + min(window_s, max(0.0, batch_max / rate - busy_s))
        following = min(float(batch_max), max(1.0, rate * cycle_s))
        if abs(following - events) < 1e-9 * events:
            break
        events = following
    return BatchCycle(cycle_s, events, billed_s)


def _mean_by_peak(k: float) -> float:
    """Return ``I0(k) / exp(k)``, by the mean of points over a day: exact to many digits for a smooth period."""
    return sum(exp(k * (cos(2 * pi * n / _POINTS) - 1)) for n in range(_POINTS)) / _POINTS
