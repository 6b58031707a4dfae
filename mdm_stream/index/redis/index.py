"""The index on Redis (7.0 or later, Valkey, ElastiCache; one node or Cluster).

Every key of one domain starts with ``mdm:{NAMESPACE:DOMAIN}:``; the braces are a hash tag, so one domain lives in one
slot and a script may touch any of its keys. ``root`` says which epoch is live (see
:mod:`mdm_stream.index.redis.epochs`); the keys of an epoch have its number before their names:

=========  ======  ====================================================================
key        type    holds
=========  ======  ====================================================================
``meta``   hash    ``rules`` (digest), ``f`` (F's identity), ``state``, ``server``, ``clock``, ``sequence``
``rec``    hash    reference -> revision and record (tombstones too)
``block``  hash    blocking key -> stamp and members with revisions; a suspended key: ``suspended``
``b:KEY``  hash    reference -> revision of the members of a suspended key
``of``     hash    reference -> component id
``comp``   hash    component id -> stamp and component
``e:REF``  hash    other reference -> REVIEW edge
``xw``     hash    reference -> golden id (the crosswalk)
``gold``   hash    golden id -> golden record (JSON)
``review`` hash    pair -> review item (JSON)
``pend``   set     references that wait for re-evaluation
``exp``    zset    reference -> when its first override ends, in microseconds
``out``    stream  the outbox: ``EPOCH-SEQUENCE`` -> golden change (JSON)
=========  ======  ====================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgpack
import orjson
import redis

from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.fold import ERASED
from mdm_stream.core.plan.commit import Change, Commit
from mdm_stream.core.record import Record, revision_of
from mdm_stream.core.reference import Resolution
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.index.errors import EpochChangedError, IndexInDoubtError
from mdm_stream.index.port import (
    OUTBOX_BYTES_MAX,
    Binding,
    Block,
    CommitOutcome,
    IndexCounters,
    Neighbourhood,
    OutboxEntry,
)
from mdm_stream.index.redis.codec import (
    STAMP_LENGTH,
    decode_block,
    decode_component,
    decode_edge,
    decode_pair,
    decode_record,
    encode_block,
    encode_component,
    encode_edge,
    encode_pair,
    encode_record,
)
from mdm_stream.index.redis.epochs import Epochs, WitnessSource, epoch_prefix
from mdm_stream.index.redis.scripts import Scripts, translated

_SCAN_COUNT = 1000
"""Entries that one call of a scan looks at, and changes that one call announces."""

_ERASED = revision_of(ERASED)
"""Every erased record has the same state, and so the same revision."""


class RedisIndex:
    """The :class:`~mdm_stream.index.port.Index` and :class:`~mdm_stream.index.port.Outbox` of one domain on Redis.

    ``client`` (of one node, or a ``RedisCluster``) must answer bytes (``decode_responses=False``). Where a domain has
    no epoch yet, opening makes the first one; an epoch of another rule set's or F's is refused with ``TerminalError``.
    With ``create=False`` nothing is made: where there is none, that is refused too.

    ``witness`` tells how far an epoch is known to have come. Where it is given, an index that is gone, of another rule
    set or F, or back from a restart or failover without everything that was witnessed, is refused with
    ``IndexInDoubtError`` by every call until it has been rebuilt. Without it the server is trusted. Every commit is
    fenced, so this is noticed in the middle of work too; the index then opens itself again with the next call.
    ``building`` opens an epoch that is not live yet, to fill it.
    """

    def __init__(
        self,
        client: redis.Redis | redis.RedisCluster,
        rules: Ruleset,
        namespace: str = "main",
        *,
        create: bool = True,
        witness: WitnessSource | None = None,
        building: int | None = None,
    ) -> None:
        self.counters = IndexCounters()
        self._client = client
        self._rules = rules
        self._namespace = namespace
        self._scripts = Scripts(client)
        self._epochs = Epochs(client, rules, namespace)
        self._create = create
        self._witness = witness
        self._state = "live" if building is None else "building"
        self._binding = Binding(building or 0, "")
        self._is_open = False
        # An index in doubt is refused with every call, until it has been rebuilt: whoever opened it early need not
        # come anew.
        with suppress(IndexInDoubtError):
            self._open()

    def _open(self) -> None:
        """Find the live epoch."""
        self.counters.round_trips += 1
        if self._state == "live":
            self._binding = self._epochs.open(create=self._create, witness=self._witness)
        else:
            self._binding = Binding(self.epoch, self._epochs.server_of(self.epoch))
        self._prefix = epoch_prefix(self._namespace, self._rules.domain, self.epoch)
        self._meta = self._prefix + "meta"
        self._is_open = True

    @property
    def epoch(self) -> int:
        """The epoch that this index reads and writes."""
        return self._binding.epoch

    @property
    def epochs(self) -> Epochs:
        """The life of the domain's epochs."""
        return self._epochs

    def refresh(self) -> None:
        """Look again which epoch is live: one that is not any more reads as if it were empty. One round trip."""
        self._open()

    def bind(self) -> Binding:
        """Return what is read and written; opens the index if that has to be done (anew)."""
        if not self._is_open:
            self._open()
        return self._binding

    def require_unchanged(self, binding: Binding) -> None:
        """Raise ``EpochChangedError`` unless the index is open, and on ``binding``. No round trip."""
        if not self._is_open or binding != self._binding:
            raise EpochChangedError("another epoch is live, or another server is trusted with it")

    def erased_among(self, refs: Sequence[str]) -> set[str]:
        """Return which of ``refs`` are erased by now. One round trip.

        ``EpochChangedError`` unless the index is open, and may still be written.
        """
        if not self._is_open:
            raise EpochChangedError("what is asked for is of an epoch that is not live any more")
        packed = msgpack.packb(list(refs))
        arguments = (self._rules.digest, self._state, self._binding.server, _ERASED, packed)
        return {ref.decode() for ref in self._script("erased_among", *arguments)}

    def position(self) -> EpochPosition:
        """Return how far the epoch has come. One round trip.

        ``EpochChangedError`` if it may not be written any more: what was committed to it may have to be done again.
        """
        if not self._is_open:
            self._open()
        clock, sequence = self._script("position", self._rules.digest, self._state, self._binding.server)
        return EpochPosition(self.epoch, clock, sequence)

    def read_records(self, refs: Sequence[str]) -> dict[str, Record]:
        """Return the records of ``refs`` that are known (tombstones included). One round trip."""
        if not refs:
            return {}
        stored = self._call(lambda: self._client.hmget(self._prefix + "rec", list(refs)))
        self.counters.record_reads += len(refs)
        self.counters.bytes_read += sum(len(item) for item in stored if item)
        return {ref: decode_record(ref, item) for ref, item in zip(refs, stored, strict=True) if item is not None}

    def read_blocks(self, keys: Sequence[str], members_max: int) -> dict[str, Block]:
        """Return the block of every key. One round trip."""
        if not keys:
            return {}
        reply = self._script("read_blocks", members_max, msgpack.packb(list(keys)))
        return {key: _block(item) for key, item in zip(keys, reply, strict=True)}

    def read_neighbourhood(self, refs: Sequence[str]) -> Neighbourhood:
        """Return components and REVIEW edges around ``refs``. One round trip."""
        if not refs:
            return Neighbourhood({}, {}, {})
        ids, components, edges = self._script("read_neighbourhood", msgpack.packb(list(refs)))
        return Neighbourhood(
            {ref: item.decode() for ref, item in zip(refs, ids, strict=True) if item},
            {
                component_id.decode(): decode_component(stored)
                for component_id, stored in zip(components[::2], components[1::2], strict=True)
            },
            {
                ref.decode(): [decode_edge(item) for item in held]
                for ref, held in zip(edges[::2], edges[1::2], strict=True)
            },
        )

    def commit(self, commits: Sequence[Commit]) -> list[CommitOutcome]:
        """Send every commit in one pipeline: one round trip; each is its own atomic script.

        A cluster client sends them one by one. A fault may leave some applied: their events are then absorbed.
        """
        if not self._is_open:
            raise EpochChangedError("what this commit rests on was read from an epoch that is not live any more")
        payloads = [msgpack.packb(self._payload(commit), use_bin_type=False) for commit in commits]
        self.counters.bytes_written += sum(map(len, payloads))

        def send() -> list[Any]:
            sha, keys = self._scripts.sha("commit"), (self._meta, self._epochs.root)
            if isinstance(self._client, redis.RedisCluster):  # whose pipelines take no scripts
                return [self._client.evalsha(sha, 2, *keys, payload) for payload in payloads]
            pipe = self._client.pipeline(transaction=False)
            for payload in payloads:
                pipe.evalsha(sha, 2, *keys, payload)
            results: list[Any] = pipe.execute(raise_on_error=False)
            for result in results:
                if isinstance(result, Exception):
                    raise result
            return results

        reply = self._call(send)
        return [CommitOutcome(tuple(sorted({item.decode() for item in result}))) for result in reply]

    def pending(self, limit: int) -> list[str]:
        """Return up to ``limit`` references that wait for re-evaluation. One round trip."""
        members = self._call(lambda: self._client.srandmember(self._prefix + "pend", limit))
        return sorted(item.decode() for item in members)

    def due(self, now_us: int, limit: int) -> list[str]:
        """Return up to ``limit`` records with an override whose time has come, the longest overdue first."""
        found = self._call(lambda: self._client.zrangebyscore(self._prefix + "exp", "-inf", now_us, 0, limit))
        return [item.decode() for item in found]

    def read(
        self, limit: int, *, after: OutboxEntry | None = None, bytes_max: int = OUTBOX_BYTES_MAX
    ) -> list[OutboxEntry]:
        """Return the oldest outbox entries, in sequence order. One round trip."""
        last = "" if after is None else f"{after.epoch}-{after.sequence}"
        script = self._scripts.text("read_outbox")
        found = []
        for entry_id, fields in self._call(lambda: self._client.eval(script, 1, self._meta, last, limit, bytes_max)):
            epoch, sequence = entry_id.decode().split("-")
            content = dict(zip(fields[::2], fields[1::2], strict=True))
            found.append(OutboxEntry(int(epoch), int(sequence), content[b"c"], int(content[b"t"])))
        return found

    def acknowledge(self, entries: Sequence[OutboxEntry]) -> None:
        """Remove published entries. Idempotent. One round trip."""
        if entries:
            ids = [f"{entry.epoch}-{entry.sequence}" for entry in entries]
            self._call(lambda: self._client.xdel(self._prefix + "out", *ids))

    def snapshot(self) -> Resolution:
        """Return the whole state of the domain, of the live epoch, by scans: exact only while nobody writes."""
        self.refresh()
        crosswalk = self.scan_crosswalk()
        golden = {golden_id: orjson.loads(content) for golden_id, content in self.scan_golden()}
        review = dict(self.scan_review())
        return Resolution(dict(sorted(crosswalk.items())), dict(sorted(golden.items())), dict(sorted(review.items())))

    def scan_crosswalk(self) -> dict[str, str]:
        """Return the whole crosswalk, read by scans: exact only while nobody writes."""
        with translated():
            found = self._client.hscan_iter(self._prefix + "xw", count=_SCAN_COUNT)
            return {ref.decode(): golden_id.decode() for ref, golden_id in found}

    def scan_golden(self) -> Iterator[tuple[str, bytes]]:
        """Yield id and content of every golden record, in no order, perhaps some of them twice."""
        with translated():
            for golden_id, content in self._client.hscan_iter(self._prefix + "gold", count=_SCAN_COUNT):
                yield golden_id.decode(), content

    def scan_review(self) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
        """Yield pair and content of every item of the review queue, in no order, perhaps some of them twice."""
        with translated():
            for pair, item in self._client.hscan_iter(self._prefix + "review", count=_SCAN_COUNT):
                yield decode_pair(pair), orjson.loads(item)

    def announce(self, changes: Iterable[Change], note: Callable[[OutboxEntry], None] = lambda _: None) -> int:
        """Put changes into the outbox of an epoch that is being built, under its next sequence numbers; return how
        many.

        For the one process that builds it: it is what the feed is told when the epoch goes live. ``note`` is called
        with each entry once it is there.
        """
        before = told = self.position().sequence
        with translated():
            remaining = iter(changes)
            while batch := _portion(remaining):
                self.position()  # an epoch that was dropped meanwhile must not be begun again by this
                pipe = self._client.pipeline(transaction=True)
                seconds, microseconds = self._client.time()
                at_us = seconds * 1_000_000 + microseconds
                entries = [OutboxEntry(self.epoch, told + n, each.content, at_us) for n, each in enumerate(batch, 1)]
                for entry in entries:
                    fields: dict[Any, Any] = {"c": entry.content, "t": at_us}
                    pipe.xadd(self._prefix + "out", fields, id=f"{self.epoch}-{entry.sequence}")
                told += len(batch)
                pipe.hset(self._meta, "sequence", told)
                pipe.hincrby(self._meta, "clock", 1)
                pipe.execute()
                for entry in entries:
                    note(entry)
        return told - before

    def scan_refs(self) -> Iterator[str]:
        """Yield the reference of every record ever seen, tombstones too, in no order, perhaps some of them twice.

        A scan of the whole domain, many round trips: for people's rare questions, never for a service.
        """
        with translated():
            for ref, _ in self._client.hscan_iter(self._prefix + "rec", count=_SCAN_COUNT):
                yield ref.decode()

    def golden_of(self, refs: Sequence[str]) -> dict[str, str]:
        """Return the golden ids of the live ones of ``refs``."""
        if not refs:
            return {}
        found = self._call(lambda: self._client.hmget(self._prefix + "xw", list(refs)))
        return {ref: item.decode() for ref, item in zip(refs, found, strict=True) if item is not None}

    def golden_contents(self, golden_ids: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of those of some golden records that are live. One round trip."""
        if not golden_ids:
            return {}
        found = self._call(lambda: self._client.hmget(self._prefix + "gold", list(golden_ids)))
        return {golden_id: item for golden_id, item in zip(golden_ids, found, strict=True) if item is not None}

    def golden_record(self, golden_id: str) -> dict[str, Any] | None:
        """Return a golden record's content, or ``None`` if the id names no live one."""
        content = self._call(lambda: self._client.hget(self._prefix + "gold", golden_id))
        return None if content is None else orjson.loads(content)

    def _payload(self, commit: Commit) -> dict[str, object]:
        """Return a commit as the flat lists that ``commit.lua`` reads."""
        dumps = orjson.dumps
        return {
            "rules": self._rules.digest,
            "epoch": str(self.epoch),
            "server": self._binding.server,
            "state": self._state,
            "max_block_size": self._rules.max_block_size,
            "expect_records": _flat(commit.expect_records),
            "expect_components": _flat(commit.expect_components),
            "expect_blocks": _flat(commit.expect_blocks),
            "expect_suspended": _flat(commit.expect_suspended),
            "put_records": [x for record in commit.put_records for x in (record.ref, encode_record(record))],
            "put_blocks": [
                x for key, members in commit.put_blocks.items() if members for x in (key, encode_block(members))
            ],
            "drop_blocks": [key for key, members in commit.put_blocks.items() if not members],
            "suspend": list(commit.suspend),
            "resume": commit.resume,
            "grow": [x for key, members in {**commit.suspend, **commit.grow}.items() for x in (key, _flat(members))],
            "shrink": _flat(commit.shrink),
            "put_components": [x for i, c in commit.put_components.items() for x in (i, encode_component(c))],
            "drop_components": commit.drop_components,
            "component_of": _flat(commit.component_of),
            "crosswalk": _flat(commit.crosswalk),
            "drop_refs": commit.drop_refs,
            "put_golden": [x for i, golden in commit.put_golden.items() for x in (i, golden.content)],
            "drop_golden": commit.drop_golden,
            "put_edges": [
                x for e in commit.put_edges for a, b in ((e.a, e.b), (e.b, e.a)) for x in (a, b, encode_edge(e))
            ],
            "drop_edges": [x for a, b in commit.drop_edges for x in (a, b, b, a)],
            "put_review": [x for pair, item in commit.put_review.items() for x in (encode_pair(*pair), dumps(item))],
            "drop_review": [encode_pair(*pair) for pair in commit.drop_review],
            "enqueue": commit.enqueue,
            "dequeue": commit.dequeue,
            "put_expiries": _flat(commit.put_expiries),
            "drop_expiries": commit.drop_expiries,
            "changes": [change.content for change in commit.changes],
        }

    def _script(self, name: str, *arguments: Any) -> Any:
        return self._call(lambda: self._client.evalsha(self._scripts.sha(name), 1, self._meta, *arguments))

    def _call(self, send: Callable[[], Any]) -> Any:
        if not self._is_open:
            self._open()
        self.counters.round_trips += 1
        try:
            return self._scripts.attempt(send)
        except EpochChangedError:
            self._is_open = False  # and nothing is assumed: whoever called starts afresh, on what is live then
            raise


def _block(item: Any) -> Block:
    if not item:
        return Block("", 0, {})
    if isinstance(item, bytes):
        stamp, members = decode_block(item)
        return Block(stamp, len(members), members)
    stamp, size, held = item
    texts = [text.decode() for text in held]
    shown = dict(zip(texts[::2], texts[1::2], strict=True)) if texts else None
    return Block(stamp.decode()[:STAMP_LENGTH], size, shown)


def _portion(changes: Iterator[Change]) -> list[Change]:
    """Return the next changes to announce in one call: a number of them, or fewer that are large."""
    found: list[Change] = []
    content_bytes = 0
    while len(found) < _SCAN_COUNT and content_bytes < OUTBOX_BYTES_MAX and (change := next(changes, None)) is not None:
        found.append(change)
        content_bytes += len(change.content)
    return found


def _flat(mapping: Mapping[str, Any]) -> list[Any]:
    return [item for pair in mapping.items() for item in pair]
