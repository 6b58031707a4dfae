"""``mdm-stream demo``, small: all of it runs, and what it measures is sane."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import orjson
import pytest

EVENTS = 600
SOURCES = {"crm", "erp", "web"}
NUMBERS = (
    "people",
    "events",
    "seconds",
    "events_per_s",
    "live_events",
    "live_events_per_s",
    "latency_ms_p50",
    "latency_ms_p99",
    "source_records",
    "golden_records",
    "merges",
)


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    """The one JSON document that the command prints, after it has ended with 0 and said nothing else."""
    argv = [sys.executable, "-m", "mdm_stream.cli.main", "demo", "--events", str(EVENTS), "--json"]
    done = subprocess.run(argv, capture_output=True, timeout=200, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return orjson.loads(done.stdout)


def test_everything_is_measured(result: dict[str, Any]) -> None:
    """Every number is there and above zero; medians do not exceed the tail; the live part is a part of the whole."""
    assert [name for name in NUMBERS if not result[name] > 0] == []
    assert result["events"] == pytest.approx(EVENTS, rel=0.2)
    assert result["live_events"] < result["events"]
    assert result["latency_ms_p50"] <= result["latency_ms_p99"]
    assert result["review_queue"] >= 0


def test_the_demo_is_resolved_well(result: dict[str, Any]) -> None:
    """No event is rejected, every live record is in the crosswalk, and precision and recall are both high."""
    assert result["quarantined"] == 0
    scores = result["scores"]
    assert (scores["missing_from_crosswalk"], scores["missing_from_truth"]) == (0, 0)
    assert scores["records"] == result["source_records"]
    assert scores["clusters"] == result["golden_records"]
    for measure in ("pairwise", "b_cubed"):
        assert all(0.9 <= scores[measure][name] <= 1 for name in ("precision", "recall", "f1"))


def test_a_golden_record_is_shown_with_its_provenance(result: dict[str, Any]) -> None:
    """The record shown has several members, and says for every value which of them it comes from and why."""
    golden = result["golden"]
    members = {(key["source"], key["record_id"]) for key in golden["members"]}
    assert {source for source, _ in members} == SOURCES
    assert golden["values"].keys() == golden["provenance"].keys()
    origins = [origin for found in golden["provenance"].values() for origin in found]
    assert all((origin["source"], origin["record_id"]) in members for origin in origins)
    assert all(origin["strategy"] and origin["event_time"] for origin in origins)
