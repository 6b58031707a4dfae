"""A reader that watches a domain all the time, and says what it saw that must never be seen.

What it compares is one moment: a single transaction reads records, crosswalk, golden records and outbox. The golden
feed is then read to its end. Every change that was committed by that moment is on the feed or in the outbox, because
publishing comes before acknowledging; so feed and state can be compared at each moment, and not at the end alone.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from typing import Any

import orjson
import redis

from mdm_stream.aws.loopback import LoopbackKeys, loopback_client
from mdm_stream.contracts.golden import FILE_LOADED, QUARANTINED
from mdm_stream.core.model import make_ref
from mdm_stream.feed.envelope import change_message
from mdm_stream.index.port import OutboxEntry
from mdm_stream.index.redis.codec import decode_record
from mdm_stream.index.redis.epochs import epoch_prefix
from mdm_stream.local.event_source.shard_feed import KinesisFeed

CONTENT = ("domain", "golden_id", "members", "values", "provenance")
PAUSE_S = 0.02
VIOLATIONS_KEPT_MAX = 20
FIRST_EPOCH = 1


@dataclass(frozen=True, slots=True)
class Golden:
    """One golden record: its members, and a digest of all that is said of it."""

    members: tuple[str, ...]
    digest: bytes


@dataclass(frozen=True, slots=True)
class Moment:
    """The state of a domain at one moment. ``waiting`` are the changes that may not be on the feed yet."""

    clock: int
    sequence: int
    live: frozenset[str]
    crosswalk: Mapping[str, str]
    golden: Mapping[str, Golden]
    waiting: tuple[OutboxEntry, ...]


@dataclass(slots=True)
class Watched:
    """What the reader has seen. ``moments`` are the different states among its ``checks``."""

    checks: int = 0
    moments: int = 0
    changes: int = 0
    repeated: int = 0
    redirects: int = 0
    golden: int = 0
    crosswalk: int = 0
    violations: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def note(self, found: Iterable[tuple[str, str]]) -> None:
        """Count violations, each a kind and what it is about."""
        for kind, about in found:
            self.violations[kind] += 1
            example = f"{kind}: {about}"
            if len(self.examples) < VIOLATIONS_KEPT_MAX and example not in self.examples:
                self.examples.append(example)


class IndexReader:
    """Reads whole moments of one domain's first epoch; decodes only what has changed since the last one."""

    def __init__(self, client: redis.Redis, namespace: str, domain: str) -> None:
        self._client = client
        self._prefix = epoch_prefix(namespace, domain, FIRST_EPOCH)
        self._live: dict[bytes, tuple[bytes, bool]] = {}
        self._golden: dict[bytes, tuple[bytes, Golden]] = {}

    def read(self) -> Moment:
        """Return what is there now."""
        pipe = self._client.pipeline(transaction=True)
        pipe.hmget(self._prefix + "meta", "clock", "sequence")
        for name in ("rec", "xw", "gold"):
            pipe.hgetall(self._prefix + name)
        pipe.xrange(self._prefix + "out")
        (clock, sequence), records, crosswalk, golden, waiting = pipe.execute()
        for ref, stored in records.items():
            if self._live.get(ref, (b"",))[0] != stored:
                self._live[ref] = (stored, decode_record(ref.decode(), stored).live)
        for golden_id, stored in golden.items():
            if self._golden.get(golden_id, (b"",))[0] != stored:
                self._golden[golden_id] = (stored, _golden_of(orjson.loads(stored)))
        return Moment(
            clock=int(clock or 0),
            sequence=int(sequence or 0),
            live=frozenset(ref.decode() for ref in records if self._live[ref][1]),
            crosswalk={ref.decode(): golden_id.decode() for ref, golden_id in crosswalk.items()},
            golden={golden_id.decode(): self._golden[golden_id][1] for golden_id in golden},
            waiting=tuple(_entry(entry_id, fields) for entry_id, fields in waiting),
        )


class Subscriber:
    """What a subscriber of the feed knows, who applies the changes in the order of their sequence."""

    def __init__(self) -> None:
        self._ahead: dict[int, bytes] = {}
        self._said: dict[int, bytes] = {}
        self._published: set[int] = set()
        self.sequence = 0
        self.repeated = 0
        self.golden: dict[str, Golden] = {}
        self.crosswalk: dict[str, str] = {}
        self.redirects: dict[str, str | None] = {}

    def hear(self, message: bytes, *, published: bool) -> Iterator[tuple[str, str]]:
        """Take a message of the feed or (not ``published``) of the outbox, in any order and any number of times.

        One that comes again must be the very same.
        """
        envelope = orjson.loads(message)
        if envelope["type"] in (QUARANTINED, FILE_LOADED):
            return
        sequence = envelope["data"]["sequence"]
        digest = blake2b(message, digest_size=16).digest()
        known = self._said.setdefault(sequence, digest)
        if sequence > self.sequence:
            self._ahead[sequence] = message
        if published:
            self.repeated += sequence in self._published
            self._published.add(sequence)
        if known != digest:
            yield "a change was said again in other words", str(sequence)

    def unpublished(self) -> Iterator[tuple[str, str]]:
        """Yield the changes that never came to the feed."""
        missing = set(range(1, self.sequence + 1)) - self._published
        yield from (("a change never came to the feed", str(sequence)) for sequence in sorted(missing))

    def advance(self, sequence: int) -> Iterator[tuple[str, str]]:
        """Apply the changes up to a sequence number."""
        while self.sequence < sequence:
            self.sequence += 1
            message = self._ahead.pop(self.sequence, None)
            if message is None:
                yield "a committed change is neither on the feed nor in the outbox", str(self.sequence)
            else:
                self._apply(orjson.loads(message)["data"])

    def _apply(self, change: Mapping[str, Any]) -> None:
        golden_id = change["golden_id"]
        if change["op"] == "erase":
            return
        for key in change["removed"]:
            self.crosswalk.pop(make_ref(**key), None)
        if change["op"] == "retire":
            self.golden.pop(golden_id, None)
            self.redirects[golden_id] = make_ref(**change["anchor"]) if change["anchor"] else None
            return
        golden = _golden_of(change)
        self.golden[golden_id] = golden
        self.crosswalk.update(dict.fromkeys(golden.members, golden_id))
        self.redirects.pop(golden_id, None)


def violations_of(moment: Moment) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with one moment of the index by itself."""
    homes = Counter(ref for golden in moment.golden.values() for ref in golden.members)
    yield from (("a live record is in no golden record", ref) for ref in moment.live - homes.keys())
    yield from (("a golden record has a member that is not live", ref) for ref in homes.keys() - moment.live)
    yield from (("a record is in more than one golden record", ref) for ref, count in homes.items() if count > 1)
    yield from (("a live record is not in the crosswalk", ref) for ref in moment.live - moment.crosswalk.keys())
    for ref, golden_id in moment.crosswalk.items():
        golden = moment.golden.get(golden_id)
        if golden is None:
            yield "the crosswalk names a golden record that is not there", ref
        elif ref not in golden.members:
            yield "the crosswalk names a golden record that does not have the record", ref


def disagreements(moment: Moment, subscriber: Subscriber) -> Iterator[tuple[str, str]]:
    """Yield where what was said on the feed up to a moment differs from that moment, and redirects that dangle."""
    for what, said, held in (
        ("golden record", subscriber.golden, moment.golden),
        ("crosswalk entry", subscriber.crosswalk, moment.crosswalk),
    ):
        if said != held:
            different = {key for key in said.keys() | held.keys() if said.get(key) != held.get(key)}
            yield from ((f"feed and index differ in a {what}", key) for key in different)
    for golden_id, anchor in subscriber.redirects.items():
        end = None if anchor is None else subscriber.crosswalk.get(anchor)
        if anchor is None or end != moment.crosswalk.get(anchor) or (end is not None and end not in moment.golden):
            yield "a redirect dangles", golden_id


def watch(
    redis_url: str,
    endpoint: tuple[str, LoopbackKeys],
    stream: str,
    domain: str,
    started: Event,
    stopping: Event,
    outcome: Queue[Watched],
) -> None:
    """Watch until told to stop, once more after that, and put what was seen into ``outcome``."""
    reader = IndexReader(redis.Redis.from_url(redis_url), "main", domain)
    feed = KinesisFeed(loopback_client("kinesis", *endpoint), stream)
    positions: dict[str, str | None] = {shard.shard_id: None for shard in feed.shards()}
    subscriber = Subscriber()
    watched = Watched()
    last_clock = -1
    last = False
    while not last:
        last = stopping.is_set()
        moment = reader.read()
        for entry in moment.waiting:
            watched.note(subscriber.hear(change_message(entry)[1], published=False))
        for message in _rest(feed, positions):
            watched.note(subscriber.hear(message, published=True))
        watched.note(subscriber.advance(moment.sequence))
        watched.note(violations_of(moment))
        watched.note(disagreements(moment, subscriber))
        watched.checks += 1
        watched.moments += moment.clock != last_clock
        last_clock = moment.clock
        started.set()
        time.sleep(PAUSE_S)
    watched.note(subscriber.unpublished())
    watched.changes, watched.repeated = subscriber.sequence, subscriber.repeated
    watched.redirects = len(subscriber.redirects)
    watched.golden, watched.crosswalk = len(subscriber.golden), len(subscriber.crosswalk)
    outcome.put(watched)


def _rest(feed: KinesisFeed, positions: dict[str, str | None]) -> Iterator[bytes]:
    """Yield what is on the feed behind some positions, which move on: until a read finds nothing."""
    for shard_id, position in list(positions.items()):
        at = position
        while (fetched := feed.fetch(shard_id, at, "TRIM_HORIZON")).records or fetched.more:
            for record in fetched.records:
                positions[shard_id] = at = record.sequence
                yield record.data


def _golden_of(content: Mapping[str, Any]) -> Golden:
    said = {name: content[name] for name in CONTENT}
    digest = blake2b(orjson.dumps(said, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
    return Golden(tuple(make_ref(**key) for key in content["members"]), digest)


def _entry(entry_id: bytes, fields: Mapping[bytes, bytes]) -> OutboxEntry:
    epoch, sequence = entry_id.decode().split("-")
    return OutboxEntry(int(epoch), int(sequence), fields[b"c"], int(fields[b"t"]))
