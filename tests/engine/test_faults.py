"""What is left, reported and counted where calls to the index fail. (That nothing is lost: see the torture.)"""

from __future__ import annotations

import random

import pytest
from torture.subscriber import golden_of_feed
from torture.world import RULES, World, history

from mdm_stream.core.model import OverrideEvent, RecordEvent, split_ref
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TransientError
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.settings import EngineSettings

WORLD = World(records_per_source=5)
LEFT_AFTER_DELETION = {f"mdm:{{main:person}}:{name}".encode() for name in ("root", "1:meta", "1:rec", "1:out")}


@pytest.mark.parametrize("seed", range(5))
def test_deleting_everything_leaves_tombstones_alone(redis_client, seed):
    """When every record is deleted and the feed is published, only tombstones, counters and an empty outbox stay.

    (And overrides, which wait for their record to come back, with the times at which they end.)
    """
    randomness = random.Random(seed)
    rules = RULES[seed]
    index = RedisIndex(redis_client, rules)
    engine = Engine(rules, index)
    engine.process([event for event in history(WORLD, randomness, 80) if not isinstance(event, OverrideEvent)])
    deletes = [RecordEvent("person", *split_ref(ref), "delete", "z", 0) for ref in WORLD.refs]
    for start in range(0, len(deletes), 4):
        engine.process(deletes[start : start + 4])
    engine.drain()
    golden, crosswalk = golden_of_feed(index.read(1_000_000))
    index.acknowledge(index.read(1_000_000))
    assert (golden, crosswalk) == ({}, {})
    assert set(redis_client.keys()) == LEFT_AFTER_DELETION
    assert redis_client.xlen("mdm:{main:person}:1:out") == 0
    assert set(redis_client.hkeys("mdm:{main:person}:1:rec")) == {ref.encode() for ref in WORLD.refs}


class Failing(MemoryIndex):
    """An index in memory on which some operations fail a number of times."""

    def __init__(self, *arguments: object, **failures: int) -> None:
        super().__init__(*arguments)
        self.failures = failures

    def _fail(self, name: str) -> None:
        if self.failures.get(name, 0) > 0:
            self.failures[name] -= 1
            raise TransientError(f"{name} failed")

    def pending(self, limit: int) -> list[str]:
        """Fail, or answer."""
        self._fail("pending")
        return super().pending(limit)

    def commit(self, commits: list[object]) -> list[object]:
        """Fail, or commit."""
        self._fail("commit")
        return super().commit(commits)


EVENT = RecordEvent("person", "crm", "1", "upsert", 1, 0, {"given_name": "Ann"})


def test_a_queue_that_cannot_be_read_fails_no_event():
    """The events are applied, so none is reported as failed, and nothing is raised; the cause is told."""
    index = Failing(RULES[0], pending=5)
    report = Engine(RULES[0], index, sleep=lambda _: None).process([EVENT])
    assert (report.failed, report.cause) == ([], "pending failed")
    assert index.snapshot() == resolve(RULES[0], [EVENT])


def test_a_queue_that_cannot_be_worked_off_is_no_silent_success():
    """``drain`` promises F, so it raises where it could not get there; what it left is worked off the next time."""
    rules = RULES[0]
    events = [
        RecordEvent("person", "crm", str(i), "upsert", 1, 0, {"given_name": "Ann", "email": ("a@x.org",)})
        for i in range(6)
    ]
    index = Failing(rules)
    engine = Engine(rules, index, EngineSettings(reevaluations_max=1), sleep=lambda _: None)
    for event in events:
        engine.process([event])
    assert len(index.pending(100)) > 1
    index.failures["commit"] = 5
    with pytest.raises(TransientError, match="re-evaluation queue"):
        engine.drain()
    engine.drain()
    assert index.snapshot() == resolve(rules, events)


def test_an_attempt_that_failed_is_not_counted_twice():
    """Figures count deliveries: a retry after a fault adds nothing to the absorbed and the colliding events."""
    index = Failing(RULES[0], commit=3)
    other = RecordEvent("person", "crm", "1", "upsert", 1, 0, {"given_name": "Bob"})
    report = Engine(RULES[0], index, sleep=lambda _: None).process([EVENT, EVENT, other])
    assert (report.events, report.collisions, report.failed) == (3, 1, [])
    assert report.absorbed == 1 + int(index.read_records(["crm/1"])["crm/1"].state.columns()["given_name"] == "Ann")


def test_events_that_could_not_be_committed_are_reported_and_can_come_again():
    """When Redis stays away, the positions of the events are told, and delivering them again is all it takes."""
    rules = RULES[0]
    index = Failing(rules, commit=5)
    other = RecordEvent("person", "erp", "1", "upsert", 1, 0, {"family_name": "Lee"})
    engine = Engine(rules, index, sleep=lambda _: None)
    report = engine.process([EVENT, other])
    assert (report.failed, report.cause) == ([0, 1], "commit failed")
    assert engine.process([EVENT, other]).failed == []
    assert index.snapshot() == resolve(rules, [EVENT, other])
