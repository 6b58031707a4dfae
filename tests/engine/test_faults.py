"""Every call to Redis may fail, fail after it took effect, or be the last that a worker makes: nothing is lost."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import redis
from schedules import WORLDS, Killed, golden_of_feed, history

from mdm_stream.config import EngineSettings
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TransientError
from mdm_stream.feed.publisher import publish_outbox
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.redis_index import RedisIndex

REFS = [f"{source}/{i}" for source in ("crm", "erp", "web") for i in range(5)]
LEFT_AFTER_DELETION = {f"mdm:{{main:person}}:{name}".encode() for name in ("root", "1:meta", "1:rec", "1:out")}


class FaultyClient:
    """A Redis client whose calls meet faults that a seed decides. A pipeline may be cut after any of its commands."""

    def __init__(self, client: redis.Redis, randomness: random.Random, fault_rate: float) -> None:
        self.faults = 0
        self._client = client
        self._randomness = randomness
        self._fault_rate = fault_rate

    def __getattr__(self, name: str) -> Callable[..., object]:
        call = getattr(self._client, name)
        if name == "pipeline":
            return lambda **options: FaultyPipeline(self, call(**options))
        return lambda *arguments, **options: self.disturbed(lambda: call(*arguments, **options), lambda: None)

    def disturbed(self, whole: Callable[[], object], part: Callable[[], object]) -> object:
        """Make a call, or part of it, or none of it, and fail if so."""
        if self._randomness.random() >= self._fault_rate:
            return whole()
        self.faults += 1
        self._randomness.choice([whole, part, lambda: None])()
        raise self._randomness.choice([redis.ConnectionError, redis.TimeoutError, Killed])("injected")

    def some_of(self, commands: list[object]) -> list[object]:
        """Return a number of first commands that the server got before the connection broke."""
        return commands[: self._randomness.randrange(len(commands) + 1)]


class FaultyPipeline:
    """A pipeline that meets the same faults when it is sent."""

    def __init__(self, client: FaultyClient, pipe: redis.client.Pipeline) -> None:
        self._client = client
        self._pipe = pipe

    def __getattr__(self, name: str) -> object:
        return getattr(self._pipe, name)

    def execute(self, **options: bool) -> object:
        """Send it all, or not."""

        def part() -> None:
            self._pipe.command_stack = self._client.some_of(self._pipe.command_stack)
            self._pipe.execute(raise_on_error=False)

        return self._client.disturbed(lambda: self._pipe.execute(**options), part)


class Feed:
    """A subscriber that notes what is published, and fails as often as Redis does."""

    def __init__(self) -> None:
        self.messages: dict[str, bytes] = {}

    def publish(self, messages: list[tuple[str, bytes]]) -> None:
        """Take messages; one that comes again must be the very same."""
        for _, message in messages:
            name = message.split(b'"id":"', 1)[1].split(b'"', 1)[0].decode()
            assert self.messages.setdefault(name, message) == message


@pytest.mark.parametrize("seed", range(15))
def test_faults_and_kills_at_every_call_to_redis_lose_nothing(redis_client, seed):
    """With a fault at one call in twenty, worker and publisher get through: F, and the feed has each message once."""
    randomness = random.Random(seed)
    rules = randomness.choice(WORLDS)
    events = history(randomness, 60, REFS)
    client = FaultyClient(redis_client, randomness, 0.05)
    settings = EngineSettings(groups_per_commit_max=randomness.choice([1, 2, 32]))
    feed = Feed()
    position, size = 0, randomness.choice([1, 5, 20])
    engine = index = None
    while position < len(events):
        try:
            if engine is None:
                index = RedisIndex(client, rules)
                engine = Engine(rules, index, settings, sleep=lambda _: None)
            failed = engine.process(events[position : position + size]).failed
            publish_outbox(index, feed, limit=3)
        except Killed:
            engine = None
        except TransientError:
            pass
        else:
            position += 0 if failed else size
    whole = RedisIndex(redis_client, rules)
    Engine(rules, whole).drain()
    publish_outbox(whole, feed)
    expected = resolve(rules, events)
    assert whole.snapshot() == expected
    assert client.faults > 0
    assert len(feed.messages) == int(redis_client.hget("mdm:{main:person}:1:meta", "sequence") or 0)
    assert feed.messages.keys() == {f"person/1/{n}" for n in range(1, len(feed.messages) + 1)}


@pytest.mark.parametrize("seed", range(5))
def test_deleting_everything_leaves_tombstones_alone(redis_client, seed):
    """When every record is deleted and the feed is published, only tombstones, counters and an empty outbox stay."""
    randomness = random.Random(seed)
    rules = WORLDS[seed]
    index = RedisIndex(redis_client, rules)
    engine = Engine(rules, index)
    events = history(randomness, 80, REFS)
    engine.process(events)
    deletes = [RecordEvent("person", *ref.split("/"), "delete", 99, 0) for ref in REFS]
    for start in range(0, len(deletes), 4):
        engine.process(deletes[start : start + 4])
    engine.drain()
    golden, crosswalk = golden_of_feed(index.read(1_000_000))
    index.acknowledge(index.read(1_000_000))
    assert (golden, crosswalk) == ({}, {})
    assert set(redis_client.keys()) == LEFT_AFTER_DELETION
    assert redis_client.xlen("mdm:{main:person}:1:out") == 0
    assert set(redis_client.hkeys("mdm:{main:person}:1:rec")) == {ref.encode() for ref in REFS}


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
    index = Failing(WORLDS[0], pending=5)
    report = Engine(WORLDS[0], index, sleep=lambda _: None).process([EVENT])
    assert (report.failed, report.cause) == ([], "pending failed")
    assert index.snapshot() == resolve(WORLDS[0], [EVENT])


def test_a_queue_that_cannot_be_worked_off_is_no_silent_success():
    """``drain`` promises F, so it raises where it could not get there; what it left is worked off the next time."""
    rules = WORLDS[0]
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
    index = Failing(WORLDS[0], commit=3)
    other = RecordEvent("person", "crm", "1", "upsert", 1, 0, {"given_name": "Bob"})
    report = Engine(WORLDS[0], index, sleep=lambda _: None).process([EVENT, EVENT, other])
    assert (report.events, report.collisions, report.failed) == (3, 1, [])
    assert report.absorbed == 1 + int(index.read_records(["crm/1"])["crm/1"].state.columns()["given_name"] == "Ann")


def test_events_that_could_not_be_committed_are_reported_and_can_come_again():
    """When Redis stays away, the positions of the events are told, and delivering them again is all it takes."""
    rules = WORLDS[0]
    index = Failing(rules, commit=5)
    other = RecordEvent("person", "erp", "1", "upsert", 1, 0, {"family_name": "Lee"})
    engine = Engine(rules, index, sleep=lambda _: None)
    report = engine.process([EVENT, other])
    assert (report.failed, report.cause) == ([0, 1], "commit failed")
    assert engine.process([EVENT, other]).failed == []
    assert index.snapshot() == resolve(rules, [EVENT, other])
