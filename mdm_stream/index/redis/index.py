"""The index on Redis (7.0 or later, Valkey, ElastiCache; one node or Cluster).

Every key of one domain starts with ``mdm:{NAMESPACE:DOMAIN}:``; the braces are a hash tag, so one domain lives in one
slot and a script may touch any of its keys. ``root`` says which epoch is live (see
:mod:`mdm_stream.index.redis.epochs`); the keys of an epoch have its number before their names:

=========  ======  ====================================================================
key        type    holds
=========  ======  ====================================================================
``meta``   hash    ``rules`` (digest), ``f`` (F's identity), ``state``, ``server``, ``clock``, ``sequence``,
                   ``live_us``, ``wave`` (the ``sequence`` when it went live)
``rec``    hash    reference -> revision and record (tombstones too)
``block``  hash    blocking key -> stamp and members with revisions; a suspended key: ``suspended``
``b:KEY``  hash    reference -> revision of the members of a suspended key
``of``     hash    reference -> component id
``comp``   hash    component id -> stamp and component, or the directory of its pages if it is large
``page``   hash    first member of a page -> page of a large component
``e:REF``  hash    other reference -> REVIEW edge, and which of the two keep it
``es``     hash    reference -> stamp of its REVIEW edges
``xw``     hash    reference -> golden id (the crosswalk)
``gold``   hash    golden id -> golden record (JSON)
``review`` hash    pair -> review item (JSON)
``since``  zset    pair -> since when it is in ``review``, in microseconds: information, not state
``pend``   set     references that wait for re-evaluation
``exp``    zset    reference -> when its first override ends, in microseconds
``out``    stream  the outbox: ``EPOCH-SEQUENCE`` -> golden change (JSON)
=========  ======  ====================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgpack
import orjson
import redis

from mdm_stream.aws.deadline import Deadline
from mdm_stream.core.blocking.limits import limits_of
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.fold import ERASED
from mdm_stream.core.plan.commit import Commit, OutboxChange
from mdm_stream.core.record import revision_of
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.errors import TransientError
from mdm_stream.index.port import (
    OUTBOX_BYTES_MAX,
    Binding,
    CommitOutcome,
    OutboxEntry,
)
from mdm_stream.index.redis.client import in_portions, send_together
from mdm_stream.index.redis.codec import (
    encode_block,
    encode_pair,
    encode_record,
    encode_review,
)
from mdm_stream.index.redis.epochs import WitnessSource
from mdm_stream.index.redis.open_epoch import OpenEpoch
from mdm_stream.index.redis.pages import encode_directory, encode_page, is_stored_whole, page_digest, pages_of
from mdm_stream.index.redis.reader import RedisReader
from mdm_stream.index.redis.scripts import translated

_PER_CALL = 1000
"""Changes that one call announces."""

ACKNOWLEDGED_MS_MAX = 1_000
"""How long replicas may take to acknowledge what is about to count as done: on one network they take a millisecond."""

_ERASED = revision_of(ERASED)
"""Every erased record has the same state, and so the same revision."""


class RedisIndex(RedisReader):
    """The :class:`~mdm_stream.index.port.Index` and :class:`~mdm_stream.index.port.Outbox` of one domain on Redis.

    It reads as any reader does; what is its own is writing.

    ``client`` (of one node, or a ``RedisCluster``) must answer bytes (``decode_responses=False``). Where a domain has
    no epoch yet, opening makes the first one; an epoch of another rule set's or F's is refused with ``TerminalError``.
    With ``create=False`` nothing is made: where there is none, that is refused too.

    ``witness`` tells how far an epoch is known to have come. Where it is given, an index that is gone, of another rule
    set or F, or back from a restart or failover without everything that was witnessed, is refused with
    ``IndexInDoubtError`` by every call until it has been rebuilt. Without it the server is trusted. Every commit is
    fenced, so this is noticed in the middle of work too; the index then opens itself again with the next call.
    ``building`` opens an epoch that is not live yet, to fill it. ``replicas_min``: see ``position``.
    ``call_s``: how long one call of ``client`` may last.
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
        replicas_min: int = 0,
        call_s: float = 0.0,
    ) -> None:
        super().__init__(OpenEpoch(client, rules, namespace, create=create, witness=witness, building=building))
        self._rules = rules
        self._replicas_min = replicas_min
        self._following = 0
        self._call_s = call_s

    def until(self, deadline: Deadline) -> None:
        """Begin no call from now on that might not end by then."""
        self._epoch.until(deadline, self._call_s)

    def call_s(self) -> float:
        """Return how long one call may last."""
        return self._call_s

    def require_unchanged(self, binding: Binding) -> None:
        """Raise ``EpochChangedError`` unless the index is open, and on ``binding``. No round trip."""
        self._epoch.require_open(binding)

    def erased_among(self, refs: Sequence[str]) -> set[str]:
        """Return which of ``refs`` are erased by now. One round trip.

        ``EpochChangedError`` unless the index is open, and may still be written.
        """
        self._epoch.require_open()
        return {ref.decode() for ref in self._epoch.fenced_script("erased_among", _ERASED, msgpack.packb(list(refs)))}

    def position(self) -> EpochPosition:
        """Return how far the epoch has come, with all of it on a replica. One round trip; two if a replica is new.

        ``EpochChangedError`` if it may not be written any more: what was committed to it may have to be done again.
        ``TransientError`` where no replica that follows has acknowledged in time, or fewer than ``replicas_min``: were
        the primary lost now, what was committed might be too, and a witness of it would leave the index in doubt.

        With no replica that follows, and ``replicas_min`` 0, nothing is waited for: a crash of the only server that is
        left would be a second fault, which costs a rebuild, and to stop until there is one costs more. It is counted
        (``counters.unreplicated``).
        """
        wanted = max(self._replicas_min, min(1, self._following))
        while True:
            (clock, sequence, self._following), acknowledged = self._acknowledged(wanted)
            needed = max(self._replicas_min, min(1, self._following))
            if acknowledged >= needed:
                self.counters.unreplicated += not acknowledged
                return EpochPosition(self.epoch, clock, sequence)
            if wanted >= needed:
                raise TransientError(
                    f"{acknowledged} replicas of the index's server have acknowledged the last commits within "
                    f"{ACKNOWLEDGED_MS_MAX} ms, of {needed} that must; {self._following} follow it"
                )
            wanted = needed

    def _acknowledged(self, wanted: int) -> tuple[list[int], int]:
        """Return how far the epoch has come, and how many replicas have all of it; wait for ``wanted`` of them."""
        epoch, meta = self._epoch, self._epoch.key("meta")
        fence = (epoch.rules.digest, epoch.state, epoch.bind().server)

        def send() -> Any:
            script = ("EVALSHA", epoch.scripts.sha("position"), 1, meta, *fence)
            # On one connection: that is what WAIT is about. Where the slot has moved, the script refuses the server.
            return send_together(self._client, meta, [script, ("WAIT", wanted, ACKNOWLEDGED_MS_MAX)])

        reached, acknowledged = epoch.call(send, 2)
        return reached, acknowledged

    def _require_fence(self) -> None:
        """``EpochChangedError`` if the epoch may not be written any more. One round trip, and no wait for replicas."""
        self._acknowledged(0)

    def commit(self, commits: Sequence[Commit]) -> list[CommitOutcome]:
        """Send every commit in one pipeline: one round trip; each is its own atomic script.

        In cluster mode too: a domain is one slot, so all go to one node. A fault may leave some applied: their events
        are then absorbed.
        """
        self._epoch.require_open()
        payloads = [self._epoch.payload(self._parts(commit)) for commit in commits]
        self.counters.bytes_written += sum(map(len, payloads))

        def send() -> list[Any]:
            sha, meta = self._epoch.scripts.sha("commit"), self._epoch.key("meta")
            commands = [("EVALSHA", sha, 2, meta, self.epochs.root, payload) for payload in payloads]
            return send_together(self._client, meta, commands)

        reply = self._epoch.call(send, len(payloads))
        return [CommitOutcome(tuple(sorted({item.decode() for item in result}))) for result in reply]

    def pending(self, limit: int) -> list[str]:
        """Return up to ``limit`` references that wait for re-evaluation. One round trip."""
        members = self._epoch.call(lambda: self._client.srandmember(self._epoch.key("pend"), limit))
        return sorted(item.decode() for item in members)

    def due(self, now_us: int, limit: int) -> list[str]:
        """Return up to ``limit`` records with an override whose time has come, the longest overdue first."""
        found = self._epoch.call(lambda: self._client.zrangebyscore(self._epoch.key("exp"), "-inf", now_us, 0, limit))
        return [item.decode() for item in found]

    def read(
        self, limit: int, *, after: OutboxEntry | None = None, bytes_max: int = OUTBOX_BYTES_MAX
    ) -> list[OutboxEntry]:
        """Return the oldest outbox entries, in sequence order. One round trip."""
        last = "" if after is None else f"{after.epoch}-{after.sequence}"
        script = self._epoch.scripts.text("read_outbox")
        found = []
        meta = self._epoch.key("meta")
        reply = self._epoch.call(lambda: self._client.eval(script, 1, meta, last, limit, bytes_max))
        for entry_id, fields in reply:
            epoch, sequence = entry_id.decode().split("-")
            content = dict(zip(fields[::2], fields[1::2], strict=True))
            wave_last = int(content.get(b"w", 0))
            found.append(OutboxEntry(int(epoch), int(sequence), content[b"c"], int(content[b"t"]), wave_last))
        return found

    def acknowledge(self, entries: Sequence[OutboxEntry]) -> None:
        """Remove published entries. Idempotent. One round trip."""
        if entries:
            ids = [f"{entry.epoch}-{entry.sequence}" for entry in entries]
            out = self._epoch.key("out")
            commands = in_portions("XDEL", out, ids)
            self._epoch.call(lambda: send_together(self._client, out, commands), len(commands))

    def announce(self, changes: Iterable[OutboxChange], note: Callable[[OutboxEntry], None] = lambda _: None) -> int:
        """Put changes into the outbox of an epoch that is being built, under its next sequence numbers; return how
        many.

        For the one process that builds it: it is what the feed is told when the epoch goes live, and stamped with the
        time of that. ``note`` is called with each entry, not stamped yet, once it is there.
        """
        before = told = self._acknowledged(0)[0][1]
        with translated():
            remaining = iter(changes)
            while batch := _portion(remaining):
                self._require_fence()  # an epoch that was dropped meanwhile must not be begun again by this
                pipe = self._client.pipeline(transaction=True)
                entries = [OutboxEntry(self.epoch, told + n, each.content, 0) for n, each in enumerate(batch, 1)]
                for entry in entries:
                    fields: dict[Any, Any] = {"c": entry.content, "t": entry.committed_at_us}
                    pipe.xadd(self._epoch.key("out"), fields, id=f"{self.epoch}-{entry.sequence}")
                told += len(batch)
                pipe.hset(self._epoch.key("meta"), "sequence", told)
                pipe.hincrby(self._epoch.key("meta"), "clock", 1)
                pipe.execute()
                for entry in entries:
                    note(entry)
        return told - before

    def told_elsewhere(self, sequence: int) -> None:
        """Let the numbers of an epoch that is being built go on after ``sequence``: up to it all was told otherwise."""
        self._require_fence()  # an epoch that was dropped meanwhile must not be begun again by this
        with translated():
            self._client.hset(self._epoch.key("meta"), "sequence", sequence)

    def _parts(self, commit: Commit) -> dict[str, object]:
        """Return a commit as the flat lists that ``commit.lua`` reads."""
        dumps = orjson.dumps
        components, pages = self._stored_components(commit)
        return {
            "expect_records": _flat(commit.expect_records),
            "expect_components": _flat(commit.expect_components),
            "expect_blocks": _flat(commit.expect_blocks),
            "expect_edges": _flat(commit.expect_edges),
            "expect_suspended": [
                x
                for key, limit in limits_of(self._rules, commit.expect_suspended).items()
                for x in (key, commit.expect_suspended[key], limit)
            ],
            "put_records": [x for record in commit.put_records for x in (record.ref, encode_record(record))],
            "put_blocks": [
                x for key, members in commit.put_blocks.items() if members for x in (key, encode_block(members))
            ],
            "drop_blocks": [key for key, members in commit.put_blocks.items() if not members],
            "suspend": list(commit.suspend),
            "resume": commit.resume,
            "grow": [x for key, members in {**commit.suspend, **commit.grow}.items() for x in (key, _flat(members))],
            "shrink": _flat(commit.shrink),
            "put_components": components,
            "put_pages": pages,
            "drop_components": commit.drop_components,
            "component_of": _flat(commit.component_of),
            "crosswalk": _flat(commit.crosswalk),
            "drop_refs": commit.drop_refs,
            "put_golden": [x for i, golden in commit.put_golden.items() for x in (i, golden.content)],
            "drop_golden": commit.drop_golden,
            "put_edges": [
                x
                for review in commit.put_edges
                for a, b in (review.edge.pair, review.edge.pair[::-1])
                for x in (a, b, encode_review(review))
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

    def _stored_components(self, commit: Commit) -> tuple[list[str | bytes], list[str | bytes]]:
        """Return the stored forms of the components to write, by id, and of those of their pages that are not stored.

        What is stored follows from what the commit rests on: the components read last, at the stamps that it expects.
        """
        stored: set[tuple[str, bytes]] = set()
        for component_id, stamp in commit.expect_components.items():
            read_at, digests = self._directories.get(component_id, ("", {}))
            if read_at == stamp:
                stored.update(digests.items())
        components: list[str | bytes] = []
        pages: list[str | bytes] = []
        for component_id, component in commit.put_components.items():
            parts = pages_of(component)
            if is_stored_whole(component):
                components += (component_id, encode_page(parts[0]))
                continue
            digests = {}
            for page in parts:
                first = page.members[0]
                digest, content = self._pages.digest_of(page), None
                if digest is None:
                    content = encode_page(page)
                    digest = page_digest(content)
                    self._pages.put(digest, page, len(content))
                digests[first] = digest
                if (first, digest) not in stored:
                    pages += (first, encode_page(page) if content is None else content)
            components += (component_id, encode_directory(digests))
        return components, pages


def _portion(changes: Iterator[OutboxChange]) -> list[OutboxChange]:
    """Return the next changes to announce in one call: a number of them, or fewer that are large."""
    found: list[OutboxChange] = []
    content_bytes = 0
    while len(found) < _PER_CALL and content_bytes < OUTBOX_BYTES_MAX and (change := next(changes, None)) is not None:
        found.append(change)
        content_bytes += len(change.content)
    return found


def _flat(mapping: Mapping[str, Any]) -> list[Any]:
    return [item for pair in mapping.items() for item in pair]
