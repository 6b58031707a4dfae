"""The simulated day: the same for one seed, true to the formulas, and worse by what goes wrong."""

from __future__ import annotations

import pytest

from mdm_stream.capacity.day import DayOutcome, Trouble, simulate_day
from mdm_stream.capacity.sizing import Sizing, sizing
from mdm_stream.capacity.tables import measured_table, price_table
from mdm_stream.capacity.workload import Footprint, Workload
from mdm_stream.errors import ConfigurationError

MEASURED, PRICES = measured_table(), price_table()
CALM = Trouble(failed_share=0.0, outage_s=0.0)


def sized(load: Workload, **chosen: float) -> Sizing:
    """Return the size for a volume."""
    return sizing(load, Footprint(**chosen), MEASURED, PRICES)  # type: ignore[arg-type]


def day(load: Workload, trouble: Trouble = CALM, seed: int = 1, **chosen: float) -> DayOutcome:
    """Simulate a day."""
    size = sized(load, **chosen)
    return simulate_day(load, size, size.changes.shards, MEASURED, seed, trouble)


def test_a_seed_gives_one_day() -> None:
    """The same seed gives the same figures, another one other arrivals."""
    load = Workload(100_000)
    assert day(load, Trouble()) == day(load, Trouble())
    assert day(load, Trouble(), seed=2) != day(load, Trouble())


@pytest.mark.parametrize("events_per_day", [20_000, 1_000_000, 30_000_000])
def test_the_day_has_the_batches_of_the_formula(events_per_day: int) -> None:
    """Simulated batches are within a twentieth of those that objects, invocations and dollars are reckoned with."""
    load = Workload(events_per_day, skew=1.0)
    size = sized(load)
    outcome = day(load)
    assert outcome.events == pytest.approx(events_per_day / size.changes.shards, rel=0.02)
    assert outcome.batches * size.changes.shards == pytest.approx(size.batches, rel=0.05)
    assert outcome.failed == 0
    assert outcome.caught_up_s == 0


def test_latencies_are_in_order_and_at_least_those_of_the_window() -> None:
    """A quiet lane's event waits for the window and its work, at most for a batch before it besides."""
    outcome = day(Workload(100_000))
    assert outcome.latency_s_p50 <= outcome.latency_s_p95 <= outcome.latency_s_p99 <= outcome.latency_s_max
    assert 0.5 <= outcome.latency_s_p50 <= 1.3
    assert outcome.latency_s_max <= 2.5
    assert day(Workload(100_000), window_s=5.0).latency_s_p95 > 4


def test_an_outage_is_waited_for_and_caught_up_with() -> None:
    """What arrives while the cache is away waits as long, nothing is lost, and a longer outage takes longer."""
    load = Workload(10_000_000)
    calm, short, long = day(load), day(load, Trouble(0.0, 60.0)), day(load, Trouble(0.0, 300.0))
    assert calm.events == short.events == long.events
    assert 60 <= short.latency_s_max <= 80
    assert 300 <= long.latency_s_max <= 330
    assert calm.backlog_max < short.backlog_max < long.backlog_max
    assert 0 < short.caught_up_s < long.caught_up_s
    assert short.failed > 0


def test_failures_cost_time() -> None:
    """Batches that fail are done again, and the lane works more."""
    load = Workload(1_000_000)
    calm, shaken = day(load), day(load, Trouble(failed_share=0.2, outage_s=0.0))
    assert shaken.failed > 0.15 * shaken.batches
    assert shaken.busy_share > calm.busy_share
    assert shaken.latency_s_p99 > calm.latency_s_p99


def test_a_lane_with_too_much_never_catches_up() -> None:
    """One shard for a thousand times its work is an error that says what is needed, and no endless loop."""
    with pytest.raises(ConfigurationError, match="more shards"):
        day(Workload(1_000_000_000), change_shards=1)
    with pytest.raises(ConfigurationError, match="out of range"):
        Trouble(failed_share=1.0)
