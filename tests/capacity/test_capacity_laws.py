"""The load model's laws: more never costs less, nothing is negative, the sum is the sum, and the peak is met."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm_stream.capacity.batches import cpu_s, cycle_of, day_shape, events_a_batch_max, lane_rate_max
from mdm_stream.capacity.capacity_plan import document, plan_capacity, warnings
from mdm_stream.capacity.costs import endpoints
from mdm_stream.capacity.environments import ENVIRONMENTS
from mdm_stream.capacity.page import VOLUMES
from mdm_stream.capacity.sizing import UTILISATION_MAX, sizing
from mdm_stream.capacity.tables import measured_table, price_table
from mdm_stream.capacity.workload import ALL_PARTS, Footprint, Workload
from mdm_stream.errors import ConfigurationError

MEASURED, PRICES = measured_table(), price_table()


def loads() -> st.SearchStrategy[Workload]:
    """Volumes of every size and shape."""
    return st.builds(
        Workload,
        events_per_day=st.integers(1, 10**9),
        peak_to_mean=st.floats(1, 20),
        skew=st.floats(1, 5),
        new_share=st.floats(0, 0.2),
        event_bytes=st.integers(1, 200_000),
        domains=st.integers(1, 40),
        days_held=st.integers(1, 1_000),
    )


def footprints() -> st.SearchStrategy[Footprint]:
    """Choices of every kind."""
    return st.builds(
        Footprint,
        batch_size=st.integers(1, 10_000),
        window_s=st.none() | st.floats(0, 300),
        parallelization_factor=st.integers(1, 10),
        retention_hours=st.integers(24, 8_760),
        on_demand=st.booleans(),
        replicas=st.integers(0, 5),
        parts=st.frozensets(st.sampled_from(sorted(ALL_PARTS))),
    )


def numbers(value: Any) -> list[float]:
    """Every number in a document."""
    if isinstance(value, dict):
        return [number for each in value.values() for number in numbers(each)]
    if isinstance(value, list):
        return [number for each in value for number in numbers(each)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


@settings(max_examples=60, deadline=None)
@given(loads(), footprints())
def test_nothing_is_negative_and_dollars_are_the_sum_of_the_items(load: Workload, chosen: Footprint) -> None:
    """Whatever is asked, the document holds no negative number, and the total is its items'."""
    plan = plan_capacity(load, chosen, MEASURED, PRICES)
    told = document(plan)
    assert min(numbers(told)) >= 0
    assert told["usd_a_month"] == pytest.approx(sum(item["usd"] for item in told["costs"]), abs=0.01)
    assert plan.usd_a_month == pytest.approx(sum(plan.usd_by_group().values()))


@settings(max_examples=60, deadline=None)
@given(loads(), footprints())
def test_what_is_sized_holds_the_peak(load: Workload, chosen: Footprint) -> None:
    """The busiest shard's records, bytes and work stay within what is planned, and the index fits twice."""
    size = sizing(load, chosen, MEASURED, PRICES)
    busiest = load.peak_rate * load.skew / size.changes.shards
    assert busiest <= 1_000 * UTILISATION_MAX * 1.001
    assert busiest * load.event_bytes <= 1_000_000 * UTILISATION_MAX * 1.001
    assert size.lane_rate_peak <= size.lane_rate_max * UTILISATION_MAX * 1.001
    assert size.cache.memory_share <= 1.001
    assert size.cache.cpu_share <= UTILISATION_MAX * 1.001
    assert size.keeps_up
    assert size.cache.slots % load.domains == 0


@settings(max_examples=40, deadline=None)
@given(loads(), st.integers(2, 50))
def test_more_events_need_no_less(load: Workload, factor: int) -> None:
    """Shards, concurrency, cache, archive and billed seconds never shrink when events grow.

    Batches may: larger ones take longer, and the next one begins when they are done.
    """
    more = replace(load, events_per_day=load.events_per_day * factor)
    less, greater = (sizing(each, Footprint(window_s=1.0), MEASURED, PRICES) for each in (load, more))
    assert less.changes.shards <= greater.changes.shards
    assert less.golden.shards <= greater.golden.shards
    assert less.concurrency <= greater.concurrency
    assert less.cache.index_bytes <= greater.cache.index_bytes
    assert less.cache.slots_a_domain <= greater.cache.slots_a_domain
    assert less.archive_bytes <= greater.archive_bytes
    assert less.gb_s <= greater.gb_s * 1.001


def test_dollars_grow_with_the_volume_and_each_event_costs_less() -> None:
    """From 100,000 to a billion events a day; and a golden stream without a reader is cheaper than one with."""
    bills = [plan_capacity(Workload(each), Footprint(), MEASURED, PRICES).usd_a_month for each in VOLUMES]
    assert bills == sorted(bills)
    each = [bill / volume for bill, volume in zip(bills, VOLUMES, strict=True)]
    assert each == sorted(each, reverse=True)
    for part in ALL_PARTS:
        without = plan_capacity(Workload(10**6), Footprint(parts=ALL_PARTS - {part}), MEASURED, PRICES)
        assert without.usd_a_month <= bills[1]


def test_records_held_decide_on_the_cache() -> None:
    """The same events with ten times the records need a larger cache; more domains share one volume."""
    few, many = (sizing(Workload(10**6, records=each), Footprint(), MEASURED, PRICES) for each in (10**6, 10**7))
    assert few.changes == many.changes
    assert many.cache.index_bytes == 10 * few.cache.index_bytes
    assert many.cache.nodes * many.cache.node.usd_hour > few.cache.nodes * few.cache.node.usd_hour
    cut = sizing(Workload(10**7, domains=8), Footprint(), MEASURED, PRICES)
    assert cut.cache.slots_a_domain == 1
    assert cut.cache.slots == 8


def test_one_slot_is_one_core() -> None:
    """A domain past 0.7 of some 9,000 events a second needs a second slot, whatever its memory."""
    below, above = (
        sizing(Workload(rate * 86_400, peak_to_mean=1, records=1), Footprint(), MEASURED, PRICES)
        for rate in (6_000, 7_000)
    )
    assert (below.cache.slots_a_domain, above.cache.slots_a_domain) == (1, 2)


@pytest.mark.parametrize("peak_to_mean", [1.0, 1.5, 3.0, 20.0, 100.0])
def test_the_shape_of_a_day_has_its_mean_and_its_peak(peak_to_mean: float) -> None:
    """Its mean is 1, its peak is what was asked, and no part of it is negative."""
    shape = day_shape(peak_to_mean)
    assert sum(shape) / len(shape) == pytest.approx(1)
    assert max(shape) == pytest.approx(peak_to_mean, rel=0.01)
    assert min(shape) >= 0


def test_batches_are_those_of_the_window() -> None:
    """With little work a lane does 86,400 / (window + 0.2 s) batches a day; a rare event is its own batch."""
    steady = cycle_of(measured_table({"cpu_ms_an_event": {"1": 0.0001}}), 50.0, 500, 1.0)
    assert 86_400 / steady.cycle_s == pytest.approx(72_000, rel=0.01)
    rare = cycle_of(MEASURED, 0.001, 500, 1.0)
    assert rare.events == pytest.approx(1.0, rel=0.01)
    flood = cycle_of(MEASURED, 10_000.0, 500, 1.0)
    assert flood.events == 500
    assert flood.cycle_s == pytest.approx(500 / lane_rate_max(MEASURED, 500), rel=1e-6)


def test_cpu_is_what_was_measured_at_each_size() -> None:
    """At measured sizes it is the measured figure, between them it lies between, and a larger batch takes longer."""
    for size, ms in MEASURED.cpu_ms_by_batch.items():
        assert cpu_s(MEASURED, size) == pytest.approx(size * ms / 1_000)
    assert 1.7 < cpu_s(MEASURED, 5) * 1_000 / 5 < 4.3
    batches = [cpu_s(MEASURED, each) for each in range(1, 2_000)]
    assert batches == sorted(batches)


def test_a_batch_fits_into_an_invocation() -> None:
    """Large events make batches smaller than the batch size: 6 MB in base64 are some 4 MB of events."""
    assert events_a_batch_max(500, 1_000) == 500
    assert events_a_batch_max(500, 100_000) == 47
    assert events_a_batch_max(500, 10**7) == 1


def test_what_was_chosen_too_small_is_said() -> None:
    """One shard for 100 million events a day, a node that is too small and a lag that cannot be kept are warned of."""
    plan = plan_capacity(Workload(10**8), Footprint(change_shards=1, node_type="cache.t4g.small"), MEASURED, PRICES)
    told = " ".join(warnings(plan))
    assert not plan.size.keeps_up
    assert "the change stream needs 9 shards" in told
    assert "a domain needs" in told
    assert "no virtual warehouse keeps a lag of 300 s" in told
    few = plan_capacity(Workload(10**6), Footprint(node_type="cache.t4g.small", cache_shards=1), MEASURED, PRICES)
    assert "does not fit twice" in " ".join(warnings(few))
    assert warnings(plan_capacity(Workload(100_000), Footprint(), MEASURED, PRICES)) == []


def test_streams_on_demand_have_four_shards_and_pay_by_the_byte() -> None:
    """More lanes than a small volume needs make more batches; nothing is paid by the shard but the steward stream."""
    load = Workload(100_000)
    provisioned, on_demand = (
        plan_capacity(load, Footprint(on_demand=each), MEASURED, PRICES) for each in (False, True)
    )
    assert on_demand.size.changes.shards == 4
    assert on_demand.size.batches > provisioned.size.batches
    quantities = {item.price: item.quantity for item in on_demand.costs}
    assert quantities["kinesis_shard_hours"] == 720
    assert quantities["kinesis_gb_in"] == pytest.approx(30 * (10**5 * 1_024 + 85_000 * 3_072) / 1e9)


def test_environments_stay_below_their_budgets_and_grow() -> None:
    """By default each costs less than its budget warns of, and prod more than staging more than dev."""
    bills = []
    for each in ENVIRONMENTS.values():
        plan = plan_capacity(each.load, each.footprint, MEASURED, PRICES)
        assert warnings(plan) == []
        assert plan.usd_a_month < each.budget_usd
        bills.append(plan.usd_a_month)
    assert bills == sorted(bills)
    assert endpoints(ENVIRONMENTS["dev"].footprint) == {"kinesis-streams", "xray", "secretsmanager"}


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [(Workload, {"events_per_day": 0}), (Workload, {"events_per_day": 1, "peak_to_mean": 0.5}),
     (Workload, {"events_per_day": 1, "new_share": 2}), (Footprint, {"batch_size": 0}), (Footprint, {"window_s": 301}),
     (Footprint, {"parts": frozenset({"cellar"})}), (Footprint, {"retention_hours": 1})],
)  # fmt: skip
def test_what_is_out_of_range_is_refused_by_name(kind: type, wrong: dict[str, Any]) -> None:
    """An error names what is out of range and what the range is."""
    with pytest.raises(ConfigurationError, match=f"out of range: {list(wrong)[-1]}:"):
        kind(**wrong)


def test_tables_are_overridden_by_name() -> None:
    """Plain numbers, documents of the packaged form, numbers that YAML reads as texts, and nodes of one's own."""
    prices = price_table(
        {"lambda_gb_s": "1e-5", "nodes": {"cache.r7g.large": 0.1, "own": {"usd_hour": 1, "memory_gib": 8}}}
    )
    assert prices.usd["lambda_gb_s"] == 1e-5
    assert prices.usd["lambda_requests"] == PRICES.usd["lambda_requests"]
    assert prices.nodes["cache.r7g.large"].usd_hour == 0.1
    assert prices.nodes["own"].memory_bytes == 8 * 1024**3
    assert price_table({"usd": {"secrets": {"usd": 1}}, "as_of": "today"}).as_of == "today"
    measured = measured_table({"inputs": {"redis_bytes_a_record": {"value": 1}}, "cpu_ms_an_event": {"10": 2, "1": 3}})
    assert measured["redis_bytes_a_record"] == 1
    assert list(measured.cpu_ms_by_batch) == [1, 10]
    assert asdict(sizing(Workload(1000), Footprint(), measured, prices))["cache"]["index_bytes"] < 20_000


@pytest.mark.parametrize("wrong", [{"lambda": 1}, {"secrets": -1}, {"secrets": "dear"}, {"secrets": True},
                                   {"nodes": {"own": 1}}, {"usd": 3}, {"secrets": float("nan")}])  # fmt: skip
def test_a_faulty_price_is_refused(wrong: dict[str, Any]) -> None:
    """Unknown names, negative and unreadable numbers, and nodes without memory."""
    with pytest.raises(ConfigurationError):
        price_table(wrong)


@pytest.mark.parametrize("wrong", [{"speed": 1}, {"cpu_ms_an_event": {}}, {"cpu_ms_an_event": {"few": 1}},
                                   {"cpu_ms_an_event": 1}, {"cpu_ms_an_event": {"0": 1}}])  # fmt: skip
def test_a_faulty_measured_input_is_refused(wrong: dict[str, Any]) -> None:
    """Unknown names, and CPU times that are not by batch size."""
    with pytest.raises(ConfigurationError):
        measured_table(wrong)
