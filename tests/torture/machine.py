"""One schedule: a history, how it is delivered, who works on it in which order, what goes wrong; and what must hold.

A schedule is plain data, drawn as a whole by Hypothesis (``schedules``) and run on a real Redis (``run``). It is not a
``RuleBasedStateMachine``: several workers' calls interleave, so a step would have to be one call of one worker, of
which a schedule has hundreds, and how many there are depends on what the engine does. Drawn as data, a failing schedule
shrinks where it matters: to a few events, few workers, and the one fault that it takes.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import orjson
import redis
from hypothesis import strategies as st
from torture.faults import FEED_KEY, KINDS, Fault, FaultyKinesis, FaultyRedis, Weather
from torture.keyspace import differences, expected_keys, states_of, stored_keys
from torture.lockstep import Baton, FreeRun, Killed
from torture.small_pages import small_pages
from torture.subscriber import changes_of, newest, replay
from torture.world import CODE_MAX, DOMAIN, RULES, SMALLEST, VALUES, World, event_of

from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.core.f_version import f_identity
from mdm_stream.core.model import ChangeEvent, EraseEvent
from mdm_stream.core.reference import fold_events, resolve_states
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.batch_report import BatchReport
from mdm_stream.errors import TransientError
from mdm_stream.feed.publisher import FeedPublisher, publish_outbox
from mdm_stream.index.redis.epochs import domain_prefix, epoch_prefix
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.settings import EngineSettings

BATCH_SIZES = (1, 2, 3, 7, 20, 60, 500)
LONG = 250
"""Events of a long history, which is not cut into the smallest batches: they would be most of all calls."""
COMMIT_ATTEMPTS_MAX = 10
"""Few enough that a batch now and then fails of conflicts and has to come again."""
EVENTS_MAX, FAULTS_MAX = 600, 60
"""The same for all schedules: were they to follow from another choice, that could not be shrunk without the list."""
ATTEMPTS_MAX = 20
"""Deliveries of one batch beyond the number of faults, after which a worker is taken to make no progress."""
TICKS = 10
LOCKSTEP_TIMEOUT_S = 120.0
ROOT = domain_prefix("main", DOMAIN) + "root"
OUTSIDE = {ROOT, FEED_KEY}
"""What is on the server beside the keys of the epoch."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything that decides a run.

    ``codes`` are the events (:func:`torture.world.event_of`); ``order`` seeds their delivery (0: once, as they are);
    ``batch_sizes`` are taken in turns. ``workers`` share the batches; a ``ticker`` beside them publishes and drains.
    ``turns`` seeds who goes on at each call. The last four are the limits of engine and publisher. In a ``watched`` run
    the whole state is looked at after every commit.
    """

    world: World = SMALLEST
    codes: tuple[int, ...] = ()
    order: int = 0
    batch_sizes: tuple[int, ...] = (1,)
    workers: int = 1
    ticker: bool = False
    turns: int = 0
    faults: tuple[Fault, ...] = ()
    groups_per_commit_max: int = 32
    reevaluations_max: int = 500
    record_cache_size: int = 1000
    publish_max: int = 500
    watched: bool = False

    @property
    def rules(self) -> Ruleset:
        """The rule set of the world."""
        return RULES[self.world.rules]

    @property
    def events(self) -> list[ChangeEvent]:
        """The history."""
        return [event_of(self.world, code) for code in self.codes]

    @property
    def settings(self) -> EngineSettings:
        """The limits of the engine."""
        return EngineSettings(
            commit_attempts_max=COMMIT_ATTEMPTS_MAX,
            groups_per_commit_max=self.groups_per_commit_max,
            reevaluations_max=self.reevaluations_max,
            record_cache_size=self.record_cache_size,
        )

    def lanes(self) -> list[list[list[ChangeEvent]]]:
        """Return the batches of each worker: events in order, late or shuffled, some twice, and some batches again."""
        randomness = random.Random(self.order)
        events = self.events
        if self.order:
            reach = randomness.choice([0, 10, len(events)])
            places = [i + randomness.uniform(0, reach) for i in range(len(events))]
            events = [events[i] for i in sorted(range(len(events)), key=places.__getitem__)]
            for event in randomness.sample(events, len(events) // 4):
                events.insert(randomness.randrange(len(events) + 1), event)
        batches: list[list[ChangeEvent]] = []
        while events:
            size = self.batch_sizes[len(batches) % len(self.batch_sizes)]
            batches.append(events[:size])
            events = events[size:]
        if self.order:
            for batch in randomness.sample(batches, len(batches) // 4):
                batches.insert(randomness.randrange(len(batches) + 1), batch)
        return [batches[worker :: self.workers] for worker in range(self.workers)]


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Draw a schedule. The first choices are the simplest, so that is what failing ones shrink to."""
    length = draw(st.sampled_from([0, 10, 20, 20, 30, 30, 30, 60, 60, LONG]))
    sizes = BATCH_SIZES if length < LONG else BATCH_SIZES[3:]
    faults = draw(st.sampled_from([0, 3, 10, 20]))
    return Schedule(
        world=World(
            rules=draw(st.integers(0, len(RULES) - 1)),
            values=draw(st.sampled_from(sorted(VALUES))),
            records_per_source=draw(st.sampled_from([2, 2, 3, 4, 6])),
        ),
        codes=tuple(draw(st.lists(st.integers(0, CODE_MAX), min_size=length, max_size=EVENTS_MAX))),
        order=draw(st.integers(0, 10_000)),
        batch_sizes=tuple(draw(st.lists(st.sampled_from(sizes), min_size=1, max_size=4))),
        workers=draw(st.integers(1, 4)),
        ticker=draw(st.booleans()),
        turns=draw(st.integers(0, 10_000)),
        faults=tuple(
            draw(
                st.lists(
                    st.builds(Fault, st.integers(0, 12), st.sampled_from(KINDS), st.integers(0, 20)),
                    min_size=faults,
                    max_size=FAULTS_MAX,
                )
            )
        ),
        groups_per_commit_max=draw(st.sampled_from([32, 2, 1])),
        reevaluations_max=draw(st.sampled_from([500, 3, 1])),
        record_cache_size=draw(st.sampled_from([1000, 5, 1])),
        publish_max=draw(st.sampled_from([500, 3, 1])),
        watched=draw(st.sampled_from([False] * 7 + [True])),
    )


@dataclass(slots=True)
class Tally:
    """What was done, to be printed: without it nobody could tell a quiet run from an idle one."""

    schedules: int = 0
    by_processes: int = 0
    operations: int = 0
    deliveries: int = 0
    absorbed: int = 0
    collisions: int = 0
    conflicts: int = 0
    reevaluated: int = 0
    changes: int = 0
    published_again: int = 0
    looks: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Add another tally to this one."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))

    def count(self, report: BatchReport) -> None:
        """Add what became of one delivery of a batch."""
        self.deliveries += report.events
        for name in ("absorbed", "collisions", "conflicts", "reevaluated"):
            setattr(self, name, getattr(self, name) + getattr(report, name))


class Worker:
    """A resolve consumer: applies batches and publishes what they change. Killed, it comes back knowing nothing."""

    def __init__(self, schedule: Schedule, client: redis.Redis, weather: Weather, number: int, tally: Tally) -> None:
        self._schedule = schedule
        self._client = client
        self._weather = weather
        self._number = number
        self._tally = tally
        self._engine: Engine | None = None
        self._index: RedisIndex | None = None

    def work(self, batch: Sequence[ChangeEvent]) -> None:
        """Apply a batch and publish, however often it takes."""
        self._until_done(lambda: self._try(batch))

    def tick(self) -> None:
        """Publish, drain and publish, as a consumer does when there is no batch."""
        self._until_done(self._try_tick)

    def _until_done(self, attempt: Any) -> None:
        for _ in range(ATTEMPTS_MAX + len(self._schedule.faults)):
            try:
                if attempt():
                    return
            except Killed:
                self._engine = self._index = None
            except TransientError:
                pass
        raise AssertionError("a worker makes no progress")

    def _try(self, batch: Sequence[ChangeEvent]) -> bool:
        engine, index = self._open()
        report = engine.process(batch)
        self._tally.count(report)
        self._publish(index)
        return not report.failed

    def _try_tick(self) -> bool:
        engine, index = self._open()
        self._publish(index)
        self._tally.count(engine.drain())
        self._publish(index)
        return True

    def _publish(self, index: RedisIndex) -> None:
        kinesis = FaultyKinesis(self._client, self._weather, self._number)
        publisher = FeedPublisher(kinesis, "golden", sleep=_no_sleep)
        publish_outbox(index, publisher, self._schedule.publish_max, through=index.position())

    def _open(self) -> tuple[Engine, RedisIndex]:
        if self._engine is None or self._index is None:
            rules = self._schedule.rules
            client: Any = FaultyRedis(self._client, self._weather, self._number, self._schedule.turns)
            self._index = RedisIndex(client, rules)
            self._engine = Engine(rules, self._index, self._schedule.settings, sleep=_no_sleep, jitter=lambda: 0.0)
        return self._engine, self._index


@small_pages()
def run(schedule: Schedule, client: redis.Redis) -> Tally:
    """Run a schedule on an empty database, which it empties again; require F of everything at its end."""
    client.flushdb()
    tally = Tally(schedules=1)
    baton = Baton(schedule.turns, schedule.workers + schedule.ticker)
    weather = Weather(schedule.faults, baton, client)
    if schedule.watched:
        weather.look = Watch(schedule, client, tally).look
    failures: list[BaseException] = []

    def take_part(number: int, lane: Sequence[Sequence[ChangeEvent]]) -> None:
        worker = Worker(schedule, client, weather, number, tally)
        try:
            baton.take(number)
            for batch in lane:
                worker.work(batch)
            for _ in range(TICKS if number == schedule.workers else 0):
                worker.tick()
        except BaseException as failure:  # noqa: BLE001 - raised again in the caller's thread
            failures.append(failure)
        finally:
            baton.leave(number)

    lanes = [*schedule.lanes(), *([[]] if schedule.ticker else [])]
    threads = [threading.Thread(target=take_part, args=part, daemon=True) for part in enumerate(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LOCKSTEP_TIMEOUT_S)
        assert not thread.is_alive(), "a worker hangs"
    for failure in failures:
        raise failure
    settle(schedule, client, weather, tally)
    require_f(schedule, client, tally)
    client.flushdb()
    return tally


def settle(schedule: Schedule, client: redis.Redis, weather: Weather, tally: Tally) -> None:
    """Let everything come to rest: late calls, the re-evaluation queue, the outbox."""
    weather.let_late_ones_through()
    calm = Weather((), FreeRun(), client)
    Worker(schedule, client, calm, 0, tally).tick()
    tally.operations += weather.calls + calm.calls
    tally.faults += weather.met


def require_f(schedule: Schedule, client: redis.Redis, tally: Tally) -> None:
    """Require that state, every single key, and the feed are what F says of the history."""
    rules, prefix = schedule.rules, epoch_prefix("main", DOMAIN, 1)
    states = fold_events(schedule.events)
    expected = resolve_states(rules, states)
    messages = [orjson.loads(entry)[1].encode() for entry in client.lrange(FEED_KEY, 0, -1)]
    changes = changes_of(messages)
    erased = sorted(f"{change['source']}/{change['record_id']}" for change in changes if change["op"] == "erase")
    assert erased == sorted({event.ref for event in schedule.events if isinstance(event, EraseEvent)})
    stored = stored_keys(client, prefix)
    meta = {"rules": rules.digest, "f": f_identity().to_json(), "state": "live", "sequence": str(len(changes))}
    outbox = {"out": []} if changes else {}  # everything is published
    wrong = differences(stored, {**expected_keys(rules, states), "meta": meta, **outbox})
    assert wrong == [], "\n".join(wrong)
    assert RedisIndex(client, rules).snapshot() == expected
    assert replay(changes) == (expected.golden, expected.crosswalk)
    assert newest(changes, schedule.turns) == (expected.golden, expected.crosswalk)
    times = [change["committed_at"] for change in sorted(changes, key=lambda change: int(change["sequence"]))]
    assert times == sorted(times), "committed_at steps back in the order of the feed"
    assert {name: value for name, value in client.hgetall(ROOT).items() if name != b"told_us"} == {
        b"live": b"1",
        b"last": b"1",
    }
    assert {key.decode().removeprefix(prefix) for key in client.keys("*")} - OUTSIDE == stored.keys()
    tally.changes += len(changes)
    tally.published_again += len(messages) - len(changes)


class Watch:
    """Looks at the whole state after each commit: all that is stored must follow from the records and edges stored."""

    def __init__(self, schedule: Schedule, client: redis.Redis, tally: Tally) -> None:
        self._rules = schedule.rules
        self._anchors = {golden_id_of(DOMAIN, ref): ref for ref in schedule.world.refs}
        self._client = client
        self._tally = tally
        self._prefix = epoch_prefix("main", DOMAIN, 1)
        self._clock: bytes | None = None
        self._sequence = 0

    def look(self) -> None:
        """Require wholeness if anything was committed, and F itself if no record waits for re-evaluation."""
        clock = self._client.hget(self._prefix + "meta", "clock")
        if clock == self._clock:
            return
        self._clock = clock  # type: ignore[assignment]
        self._tally.looks += 1
        stored = stored_keys(self._client, self._prefix)
        expected = expected_keys(self._rules, states_of(stored), stored if stored.get("pend") else None)
        settled = {key: fields for key, fields in stored.items() if key not in ("meta", "out", "pend")}
        wrong = differences(settled, expected)
        assert wrong == [], "\n".join(wrong)
        for entry_id, fields_ in stored.get("out", []):
            sequence = int(entry_id.split(b"-")[1])
            if sequence > self._sequence:
                self._sequence = sequence
                change = orjson.loads(fields_[b"c"])
                if change["op"] == "retire":
                    target = expected.get("xw", {}).get(self._anchors[change["golden_id"]])
                    assert change["merged_into"] == target, "a redirect to elsewhere"


def _no_sleep(_: float) -> None:
    """Time is the schedule's."""
