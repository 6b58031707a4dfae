"""How many verdicts one record holds: the newest, in whatever order they come, and none of them by halves."""

from __future__ import annotations

import random

import pytest

from mdm_stream.core import fold as folding
from mdm_stream.core.cluster.edges import verdict_on
from mdm_stream.core.fold import EMPTY, fold, join_states
from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.core.record import Record
from mdm_stream.core.reference import fold_events

MOST = 3


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Let a record hold three."""
    monkeypatch.setattr(folding, "VERDICTS_MAX", MOST)


def verdicts(count: int) -> list[VerdictEvent]:
    """Return verdicts on one record and others, some of them on the same pair."""
    return [VerdictEvent("person", "a/hub", f"b/{n % 7}", "separate", n, n, "s") for n in range(count)]


def test_the_newest_stay_whatever_the_order():
    """Folded in any order, with repetitions, or in portions that are joined: the same state, within the limit."""
    events = verdicts(20)
    expected = None
    for seed in range(30):
        chance = random.Random(seed)
        order = chance.sample([*events, *events[:5]], len(events) + 5)
        halves = [EMPTY, EMPTY]
        whole = EMPTY
        for event in order:
            whole = fold(whole, event, "a/hub").state
            half = chance.randrange(2)
            halves[half] = fold(halves[half], event, "a/hub").state
        expected = expected or whole
        assert whole == expected == join_states(*halves) == join_states(*halves[::-1])
    assert sorted(held.version for held in expected.verdicts.values()) == [17, 18, 19]


def test_a_verdict_that_is_left_out_changes_nothing():
    """The very same state comes back, so that the event counts as absorbed."""
    full = EMPTY
    for event in verdicts(14):
        full = fold(full, event, "a/hub").state
    assert fold(full, VerdictEvent("person", "a/hub", "b/9", "link", -1, 0, "s"), "a/hub").state is full


def test_a_verdict_stands_while_both_records_hold_it():
    """One that the hub has left out is without effect, from either side, though the other record holds it."""
    events = [RecordEvent("person", "b", str(n), "upsert", 1, 0, {}) for n in range(7)]
    states = fold_events([*events, RecordEvent("person", "a", "hub", "upsert", 1, 0, {}), *verdicts(14)])
    records = {ref: Record(ref, "", state, (), (), ()) for ref, state in states.items()}
    hub = records["a/hub"]
    standing = {ref for ref, record in records.items() if verdict_on(hub, record) == "separate"}
    assert standing == set(hub.state.verdicts) == {"b/4", "b/5", "b/6"}
    assert {ref for ref, record in records.items() if verdict_on(record, hub) == "separate"} == standing
    assert all("a/hub" in record.state.verdicts for ref, record in records.items() if ref != "a/hub")
