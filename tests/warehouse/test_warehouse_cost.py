"""The model of what the warehouse costs: its anchors, its page, and what it recommends."""

from __future__ import annotations

from pathlib import Path

import pytest

from mdm_stream.warehouse.cost import COPY, STREAMING, Volume, estimates, recommended, table

PAGE = (Path(__file__).parents[2] / "docs" / "operate" / "warehouse-cost.md").read_text("utf-8")


@pytest.mark.parametrize("window_s", [10, 60, 119])
@pytest.mark.parametrize("records", [10_000, 1_000_000, 10_000_000])
def test_a_merge_a_batch_keeps_a_warehouse_awake_under_two_minutes(window_s: int, records: int) -> None:
    """An X-Small is on all day, however little there is to do; it cannot keep up at 10 million records."""
    merge = estimates(Volume(100_000, window_s, records))[0]
    assert merge.credits_a_day == pytest.approx(24, rel=0.01)
    assert not (merge.keeps_up and records == 10_000_000)


@pytest.mark.parametrize("events_per_day", [50_000, 1_000_000])
def test_an_append_with_a_fold_each_five_minutes(events_per_day: int) -> None:
    """Some 5 to 7 credits a day; Snowpipe Streaming is some 0.3 of it."""
    _, copy, streaming = estimates(Volume(events_per_day, 300))
    assert 5 <= copy.credits_a_day <= 7
    assert 5 <= streaming.credits_a_day <= 7
    fold_alone = estimates(Volume(1, 300))[2].credits_a_day - 0.24
    assert streaming.credits_a_day - fold_alone == pytest.approx(0.27, abs=0.04)


def test_a_longer_lag_and_fewer_events_never_cost_more() -> None:
    """The estimate is monotone where a reader expects it."""
    for at in range(3):
        by_lag = [estimates(Volume(1_000_000, lag_s))[at].credits_a_day for lag_s in (30, 60, 120, 300, 900, 3_600)]
        assert by_lag == sorted(by_lag, reverse=True)
        by_events = [estimates(Volume(events, 300))[at].usd_a_month("standard") for events in (1, 10**5, 10**7)]
        assert by_events == sorted(by_events)
    assert estimates(Volume(1, 300))[0].usd_a_month("enterprise") > estimates(Volume(1, 300))[0].usd_a_month("standard")


def test_what_is_recommended_keeps_up() -> None:
    """Seconds need streaming; minutes do with files; a warehouse grows with the records."""
    assert recommended(Volume(100_000, 10))["writer"] == STREAMING
    assert recommended(Volume(100_000, 300))["writer"] == COPY
    assert recommended(Volume(100_000, 300))["size of the virtual warehouse"] == "X-SMALL"
    assert recommended(Volume(10**7, 300, 20_000_000))["size of the virtual warehouse"] == "SMALL"
    assert "does not keep up" in recommended(Volume(10**8, 60, 10**9))["size of the virtual warehouse"]


def test_the_page_has_the_table_of_the_model() -> None:
    """Who plans by the page plans by the command."""
    assert table() in PAGE
