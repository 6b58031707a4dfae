"""Several workers on one index in memory, one call at a time, in an order that a seed decides; and what must hold."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import orjson
from small_world import ATTRIBUTES, small_rules

from mdm_stream.config import EngineSettings
from mdm_stream.core.golden import golden_id_of, resolve_component, review_item
from mdm_stream.core.model import ChangeEvent, RecordEvent, VerdictEvent
from mdm_stream.core.reference import Resolution, resolve_states
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import TransientError
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.index.port import OutboxEntry

WORLDS = (
    small_rules(),
    small_rules(max_block_size=3, max_cluster_size=2),
    small_rules(exclusive=(2,)),
    small_rules(2, 9),
    small_rules(50, 50),
)
DENSE = {
    "given_name": ["Ann", "Anne", "Bob", "Bob", None],
    "family_name": ["Lee", "Lee", "Lee", "Leigh", "Kim", None],
    "birth_date": ["1980-01-01", "1980-01-01", "1980-01-02", "1991-05-05", None],
    "email": [(), ("a@x.org",), ("b@x.org",), ("a@x.org", "b@x.org")],
}
"""Everything meets everything."""
WIDE = {
    "given_name": ["Zoe", "Zora", "Zack", "Ann", "Anna", None],
    "family_name": ["Abc", "Lee", "Kim", "Qqq", "Roth", None],
    "birth_date": ["1970-01-01", "1970-09-09", "1980-01-01", "1991-05-05", None],
    "email": [(), ("a@x.org",), ("b@x.org",), ("a@x.org", "c@x.org"), ("d@x.org", "b@x.org")],
}
"""Records meet in some blocks and not in others, so that a batch falls into many groups."""
DAY_US = 86_400_000_000


class Killed(BaseException):
    """The worker is gone: nothing that it had in memory is left, and nothing of it catches this."""


def history(randomness: random.Random, length: int, refs: Sequence[str]) -> list[ChangeEvent]:
    """Events of a few records: versions collide, arrive late, and meet verdicts on records that do not exist yet."""
    values = randomness.choice([DENSE, WIDE])
    events: list[ChangeEvent] = []
    for _ in range(length):
        time_us = randomness.randrange(50) * DAY_US
        if randomness.random() < 0.25:
            a, b = sorted(randomness.sample(refs, 2))
            verdict = randomness.choice(["link", "separate", "separate", "none"])
            events.append(VerdictEvent("person", a, b, verdict, randomness.randrange(1, 6), time_us, "steward-1"))
            continue
        op = randomness.choice(["upsert", "upsert", "upsert", "upsert", "patch", "delete"])
        names = {"upsert": ATTRIBUTES, "patch": [randomness.choice(ATTRIBUTES)], "delete": ()}[op]
        attributes = {name: randomness.choice(values[name]) for name in names}
        source, record_id = randomness.choice(refs).split("/", 1)
        events.append(
            RecordEvent("person", source, record_id, op, randomness.randrange(1, 9), time_us, attributes),
        )
    return events


def golden_of_feed(entries: Sequence[OutboxEntry]) -> tuple[dict[str, dict[str, object]], dict[str, str]]:
    """Replay a feed from its first message: return golden records and crosswalk. Every message must make sense."""
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    golden: dict[str, dict[str, object]] = {}
    crosswalk: dict[str, str] = {}
    for entry in entries:
        change = orjson.loads(entry.content)
        for key in change["removed"]:
            del crosswalk[f"{key['source']}/{key['record_id']}"]  # it was a member, and is reported gone once
        if change["op"] == "retire":
            del golden[change["golden_id"]]
            continue
        content = {name: change[name] for name in ("domain", "golden_id", "members", "values", "provenance")}
        assert golden.get(change["golden_id"]) != content, "a message that changes nothing"
        golden[change["golden_id"]] = content
        crosswalk |= {f"{key['source']}/{key['record_id']}": change["golden_id"] for key in change["members"]}
    return golden, crosswalk


class WatchedIndex(MemoryIndex):
    """An index whose feed is never acknowledged; ``checked`` messages of it were looked at."""

    checked = 0


def require_whole(index: WatchedIndex, rules: Ruleset) -> None:
    """Require what must hold after every single commit, and F itself whenever no record waits for re-evaluation."""
    records = index._records
    live = {ref: record for ref, record in records.items() if record.live}
    blocks: dict[str, dict[str, str]] = {}
    for ref, record in live.items():
        for key in record.keys:
            blocks.setdefault(key, {})[ref] = record.revision
    assert {key: members for key, (_, members) in index._blocks.items()} == blocks
    crosswalk: dict[str, str] = {}
    golden: dict[str, bytes] = {}
    review: dict[tuple[str, str], bytes] = {}
    for component_id, component in index._components.items():
        resolved = resolve_component(rules, component.members, component.links, live)
        assert component_id == min(component.members)
        assert [g.digest for g in component.golden] == [g.digest for g in resolved.golden], "a stale golden record"
        for record in resolved.golden:
            golden[record.golden_id] = record.content
            assert crosswalk.keys().isdisjoint(record.members), "a record of two golden records"
            crosswalk |= dict.fromkeys(record.members, record.golden_id)
        for refusal in resolved.clustering.refused:
            review[refusal.edge.pair] = orjson.dumps(review_item(rules, refusal.edge, refusal.reason, refusal.separated))
    for edges in index._edges.values():
        for edge in edges.values():
            if crosswalk[edge.a] != crosswalk[edge.b]:
                review.setdefault(edge.pair, orjson.dumps(review_item(rules, edge, "score")))
    assert crosswalk.keys() == live.keys() == index._component_of.keys()
    assert (crosswalk, golden, review) == (index._crosswalk, index._golden, index._review)
    anchors = {golden_id_of(rules.domain, ref): ref for ref in records}
    for entry in index.read(1_000_000)[index.checked :]:
        change = orjson.loads(entry.content)
        if change["op"] == "retire":
            assert change["merged_into"] == crosswalk.get(anchors[change["golden_id"]]), "a redirect to elsewhere"
        index.checked += 1
    if not index._pending:
        require_resolution(index, resolve_states(rules, {ref: record.state for ref, record in records.items()}))


def require_resolution(index: MemoryIndex, expected: Resolution) -> None:
    """Require that state and feed are what F says."""
    assert index.snapshot() == expected
    assert golden_of_feed(index.read(1_000_000)) == (expected.golden, expected.crosswalk)


class Baton:
    """Lets one of several threads go on at a time. Which one is drawn when all of them wait, so a seed decides."""

    def __init__(self, seed: int, threads: int) -> None:
        self._randomness = random.Random(seed)
        self._changed = threading.Condition()
        self._running = set(range(threads))
        self._waiting: set[int] = set()
        self._turn: int | None = None

    def take(self, thread: int) -> None:
        """Wait until it is this thread's turn."""
        with self._changed:
            self._waiting.add(thread)
            self._draw()
            self._changed.wait_for(lambda: self._turn == thread)
            self._waiting.discard(thread)
            self._turn = None

    def leave(self, thread: int) -> None:
        """Take no further part."""
        with self._changed:
            self._running.discard(thread)
            self._draw()

    def _draw(self) -> None:
        if self._running and self._waiting == self._running:
            self._turn = self._randomness.choice(sorted(self._running))
            self._changed.notify_all()


@dataclass
class LockstepIndex:
    """One worker's view of an index: each call waits for its turn, may meet a fault, and leaves everything whole."""

    index: WatchedIndex
    rules: Ruleset
    baton: Baton
    worker: int
    randomness: random.Random
    fault_rate: float

    def __getattr__(self, name: str) -> Callable[..., object]:
        operation = getattr(self.index, name)

        def call(*arguments: object) -> object:
            self.baton.take(self.worker)
            try:
                return self._faulty(operation, arguments)
            finally:
                if name == "commit":
                    require_whole(self.index, self.rules)

        return call if callable(operation) else operation

    def _faulty(self, operation: Callable[..., object], arguments: tuple[object, ...]) -> object:
        if self.randomness.random() >= self.fault_rate:
            return operation(*arguments)
        fault = self.randomness.choice(["error", "kill", "cut", "error after", "kill after"])
        if fault == "cut" and operation.__name__ == "commit":
            commits = arguments[0]
            operation(commits[: self.randomness.randrange(len(commits) + 1)])
            raise Killed
        if fault.endswith("after"):
            operation(*arguments)
        raise Killed if fault.startswith("kill") else TransientError("injected")


@dataclass
class Schedule:
    """Workers that deliver one history, with duplicates, in lockstep. ``run`` returns when all is delivered."""

    seed: int
    workers: int
    fault_rate: float = 0.0
    failures: list[BaseException] = field(default_factory=list)

    def run(self) -> None:
        """Deliver everything; require F at the end, and wholeness all the time."""
        randomness = random.Random(self.seed)
        rules = randomness.choice(WORLDS)
        refs = [f"{source}/{i}" for source in ("crm", "erp", "web") for i in range(randomness.choice([2, 4, 6]))]
        events = history(randomness, randomness.randrange(20, 80), refs)
        delivery = events + randomness.sample(events, len(events) // 4)
        randomness.shuffle(delivery)
        index, baton = WatchedIndex(rules), Baton(self.seed, self.workers)
        threads = []
        for worker in range(self.workers):
            chance = random.Random(self.seed * 100 + worker)
            lockstep = LockstepIndex(index, rules, baton, worker, chance, self.fault_rate)
            lane = delivery[worker :: self.workers]
            threads.append(threading.Thread(target=self._work, args=(lockstep, lane), daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for failure in self.failures:
            raise failure
        Engine(rules, index).drain()
        require_whole(index, rules)

    def _work(self, index: LockstepIndex, lane: Sequence[ChangeEvent]) -> None:
        settings = EngineSettings(
            groups_per_commit_max=index.randomness.choice([1, 2, 32]),
            reevaluations_max=index.randomness.choice([1, 3, 500]),
            record_cache_size=index.randomness.choice([1, 5, 1000]),
        )
        size = index.randomness.choice([1, 3, 7, 20])
        engine, position = None, 0
        try:
            while position < len(lane):
                engine = engine or Engine(index.rules, index, settings, sleep=lambda _: None)
                try:
                    failed = engine.process(lane[position : position + size]).failed
                except Killed:
                    engine = None  # a new process knows nothing, and is given the same batch
                else:
                    position += 0 if failed else size
        except BaseException as failure:  # noqa: BLE001 - raised again in the test's own thread
            self.failures.append(failure)
        finally:
            index.baton.leave(index.worker)
