"""A storm of records that share a placeholder no list knows: it builds no giant, and its cost is bounded."""

from __future__ import annotations

import pytest

from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.batch_report import BatchReport
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.rules import load_ruleset

RULES = load_ruleset("person")
STORM = 900
BATCH = 100
ALIKE_MAX = 5
"""Some of the strangers have like names by chance, and with the phone that is enough."""

PLACEHOLDER = "212-418-7305"
GIVEN = ("Ann", "Bob", "Cleo", "Dan", "Eva", "Finn", "Gina", "Hugo", "Iris", "Jack")


def stranger(number: int, **shared: str) -> RecordEvent:
    """Return a record of somebody who has nothing in common with the others but what is given."""
    first, second = divmod(number, 30)
    values = {
        "given_name": GIVEN[number % 10] + "aeioukmnrstvz"[number // 10 % 13] + "bdfglmprst"[number // 130 % 10],
        "family_name": "BDFGHJKLMNPRSTVW"[first % 16] + "aeiou"[first % 5] + "bdfgklmnprstvwxz"[second % 16] + "er",
        "birth_date": f"{1930 + number % 70}-{1 + number % 12:02}-{1 + number // 3 % 28:02}",
        "phone": f"646-{200 + number // 10_000:03}-{number % 10_000:04}",
    }
    return RecordEvent("person", "crm", str(number), "upsert", 1, number, values | shared)


def storm(**shared: str) -> tuple[BatchReport, int, MemoryIndex, list[RecordEvent]]:
    """Resolve a storm; return the totals, the largest count of pairs of a batch, the index and the events."""
    index, totals, pairs_max = MemoryIndex(RULES), BatchReport(), 0
    engine = Engine(RULES, index)
    events = [stranger(number, **shared) for number in range(STORM)]
    for start in range(0, STORM, BATCH):
        report = engine.process(events[start : start + BATCH])
        assert report.failed == []
        pairs_max = max(pairs_max, report.pairs)
        totals.add(report)
    totals.add(engine.drain())
    return totals, pairs_max, index, events


@pytest.fixture(scope="module")
def calm() -> tuple[BatchReport, int, MemoryIndex, list[RecordEvent]]:
    """The same records, each with a phone of its own."""
    return storm()


def test_a_shared_placeholder_builds_no_giant() -> None:
    """Only those who are alike besides are linked, a handful each, and the state equals F."""
    _, _, index, events = storm(phone=PLACEHOLDER)
    state = index.snapshot()
    assert state == resolve(RULES, events)
    assert max(len(golden["members"]) for golden in state.golden.values()) <= ALIKE_MAX
    assert len(state.golden) > STORM / 2


def test_a_storm_costs_a_bounded_number_of_pairs_and_stops_costing(calm) -> None:
    """Until the key is suspended it costs ``max_block_size`` pairs an event at the most, and after that none."""
    totals, pairs_max, _, _ = storm(phone=PLACEHOLDER)
    assert pairs_max <= calm[1] + BATCH * RULES.max_block_size
    assert totals.pairs - calm[0].pairs <= RULES.max_block_size**2
    assert totals.reevaluated <= RULES.max_block_size


def test_a_storm_that_agrees_in_more_is_cut_at_the_largest_cluster() -> None:
    """Where records share all that links them, no golden record has more than ``max_cluster_size`` members."""
    shared = {"phone": PLACEHOLDER, "given_name": "Test", "family_name": "Account", "birth_date": "1970-01-01"}
    index = MemoryIndex(RULES)
    engine = Engine(RULES, index)
    events = [stranger(number, **shared) for number in range(RULES.max_block_size + 20)]
    for event_count in (RULES.max_block_size, len(events)):
        engine.process(events[:event_count])
        engine.drain()
        state = index.snapshot()
        assert max(len(golden["members"]) for golden in state.golden.values()) <= RULES.max_cluster_size
    # One more than the limit shares every key: all are suspended, and the records stand alone again.
    assert len(state.golden) == len(events)
