"""A day of the busiest lane, simulated batch by batch: arrivals, windows, work, failures, an outage at the peak.

Deterministic for a seed. Events arrive as a Poisson process whose rate has the shape of the day
(:func:`mdm_stream.capacity.batches.day_shape`), counted in ticks of a tenth of a second. A lane does one batch at a
time, in order: a batch begins once the one before it is done, closes with its window or when it is full, and takes
what :func:`mdm_stream.capacity.batches.cpu_s` says and the time that it waits. One that fails is delivered again after
a pause, doubled from 0.1 s to 10 s, for ever. Lanes do not share work, so the busiest one has the latencies of the day.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np

from mdm_stream.capacity.batches import PEAK_S, cpu_s, day_shape
from mdm_stream.capacity.sizing import Sizing
from mdm_stream.capacity.tables import MeasuredTable
from mdm_stream.capacity.workload import DAY_S, Workload
from mdm_stream.errors import ConfigurationError

TICK_S = 0.1
TICKS = int(DAY_S / TICK_S)
BACKOFF_S_MIN, BACKOFF_S_MAX = 0.1, 10.0
LATENCY_S_MAX = 2 * DAY_S
"""A lane that has not caught up a day after the day is one that never does."""
_NEVER = "the busiest lane never catches up with its day: more shards, lanes or larger batches are needed"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong: the share of batches that fail once more, and how long the cache is away from the peak on."""

    failed_share: float = 0.001
    outage_s: float = 60.0

    def __post_init__(self) -> None:
        """Refuse a day that never ends; ``ConfigurationError`` names the figure."""
        if not (0 <= self.failed_share <= 0.9 and 0 <= self.outage_s <= DAY_S / 4):
            raise ConfigurationError("out of range: failed_share: 0 to 0.9; outage_s: 0 to 21,600")


@dataclass(frozen=True, slots=True)
class DayOutcome:
    """What the busiest lane's day was like. Latencies are from arrival on the stream to golden change, in seconds.

    ``backlog_max`` are the most events that waited at the end of a batch; ``caught_up_s`` is from the end of the outage
    until no more than a batch waited. ``busy_share`` is the share of the day that the lane worked.
    """

    events: int
    batches: int
    failed: int
    busy_share: float
    latency_s_p50: float
    latency_s_p95: float
    latency_s_p99: float
    latency_s_max: float
    backlog_max: int
    caught_up_s: float


class _Lane:
    """One lane: what arrived until when, and what became of it. Questions are asked in the order of time."""

    def __init__(self, rate: float, peak_to_mean: float, random: np.random.Generator) -> None:
        shape = day_shape(peak_to_mean)
        self.counts = random.poisson(rate * TICK_S * np.repeat(np.asarray(shape), TICKS // len(shape)))
        # A list answers for single ticks several times as fast as an array does.
        self.arrived: list[int] = np.cumsum(self.counts).tolist()
        self.events = self.arrived[-1]
        self.latencies = np.zeros(int(LATENCY_S_MAX / TICK_S) + 1, dtype=np.int64)
        self._passed = 0

    def tick_of(self, event: int) -> int:
        """Return the tick in which an event arrives that is not done yet."""
        return bisect_right(self.arrived, event, self._passed)

    def arrived_by(self, at_s: float) -> int:
        """Return how many events are there at a time."""
        tick = int(at_s / TICK_S) - 1
        return 0 if tick < 0 else self.arrived[min(tick, TICKS - 1)]

    def finish(self, done: int, count: int, at_s: float) -> None:
        """Count the latencies of the next ``count`` events after ``done``, which are done at a time."""
        first, last = self.tick_of(done), self.tick_of(done + count - 1)
        most = int(at_s / TICK_S) - first
        if most >= len(self.latencies):
            raise ConfigurationError(_NEVER)
        if first == last:
            self.latencies[most] += count
        else:
            least = most - (last - first)
            self.latencies[least + 1 : most] += self.counts[first + 1 : last][::-1]
            self.latencies[most] += self.arrived[first] - done
            self.latencies[least] += done + count - self.arrived[last - 1]
        self._passed = last

    def latency_s(self, share: float) -> float:
        """Return the latency that a share of the events does not exceed."""
        if not self.events:
            return 0.0
        upto: Any = np.cumsum(self.latencies)
        return round(float(int(upto.searchsorted(share * self.events)) * TICK_S), 1)


def simulate_day(
    load: Workload, size: Sizing, lanes: int, measured: MeasuredTable, seed: int = 1, trouble: Trouble | None = None
) -> DayOutcome:
    """Return what the day of the busiest of ``lanes`` is like; ``ConfigurationError`` if it never catches up."""
    trouble = trouble or Trouble()
    random = np.random.default_rng(seed)
    rate = load.mean_rate / lanes * (load.skew if lanes > 1 else 1.0)
    if rate > size.lane_rate_max * (1 - trouble.failed_share):
        raise ConfigurationError(_NEVER)
    lane = _Lane(rate, load.peak_to_mean, random)
    wait_s, poll_s = measured["io_wait_s_a_batch"], measured["poll_s_a_batch"]
    works_s = [wait_s + cpu_s(measured, count) for count in range(size.batch_max + 1)]
    back_s = PEAK_S + trouble.outage_s
    free_s = busy_s = caught_up_s = 0.0
    done = batches = failed = backlog_max = 0
    while done < lane.events:
        begin_s = max(free_s, (lane.tick_of(done) + 1) * TICK_S)
        close_s = begin_s
        if lane.arrived_by(begin_s) - done < size.batch_max:
            full = done + size.batch_max - 1
            full_s = (lane.tick_of(full) + 1) * TICK_S if full < lane.events else float("inf")
            close_s = min(begin_s + size.window_s, full_s)
        count = max(1, min(size.batch_max, lane.arrived_by(close_s) - done))
        end_s, attempts = close_s + works_s[count], 1
        while PEAK_S <= end_s < back_s or random.random() < trouble.failed_share:
            pause_s = min(BACKOFF_S_MAX, BACKOFF_S_MIN * 2 ** min(attempts - 1, 10))
            end_s += pause_s + works_s[count]
            attempts += 1
        busy_s += attempts * works_s[count]
        lane.finish(done, count, end_s)
        done += count
        batches, failed = batches + 1, failed + attempts - 1
        free_s = end_s + poll_s
        backlog = lane.arrived_by(end_s) - done
        backlog_max = max(backlog_max, backlog)
        if end_s >= back_s and not caught_up_s and backlog <= size.batch_max:
            caught_up_s = end_s - back_s
    return DayOutcome(
        events=lane.events,
        batches=batches,
        failed=failed,
        busy_share=round(busy_s / max(DAY_S, free_s), 4),
        latency_s_p50=lane.latency_s(0.5),
        latency_s_p95=lane.latency_s(0.95),
        latency_s_p99=lane.latency_s(0.99),
        latency_s_max=lane.latency_s(1.0),
        backlog_max=backlog_max,
        caught_up_s=round(caught_up_s, 1) if trouble.outage_s else 0.0,
    )
