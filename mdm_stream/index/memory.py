"""The index in this process's memory: for notebooks and fast tests. Passes the same contract as the Redis index."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

import orjson

from mdm_stream.aws.deadline import Deadline
from mdm_stream.core.blocking.limits import block_limit
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.plan.commit import ABSENT, Commit, HeldComponent, HeldReview
from mdm_stream.core.record import Record
from mdm_stream.core.reference import Resolution
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.index.errors import EpochChangedError
from mdm_stream.index.port import (
    OUTBOX_BYTES_MAX,
    Binding,
    Block,
    CommitOutcome,
    IndexCounters,
    IndexDepths,
    Neighbourhood,
    OutboxEntry,
)
from mdm_stream.index.reader import FIRST_PAGE, PAGE_ITEMS, ReviewPage


class MemoryIndex:
    """The ``Index`` and ``Outbox`` (:mod:`mdm_stream.index.port`) and the ``IndexReader`` of one domain in memory.

    Thread safe: every operation holds one lock.
    """

    def __init__(self, rules: Ruleset, *, clock_us: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        """Begin with nothing. ``clock_us`` stamps what is told."""
        self.counters = IndexCounters()
        self.epoch = 1
        self._rules = rules
        self._lock = Lock()
        self._clock = 0
        self._sequence = 0
        self._clock_us = clock_us
        self._told_us = 0
        self._records: dict[str, Record] = {}
        self._blocks: dict[str, tuple[str, dict[str, str]]] = {}
        self._component_of: dict[str, str] = {}
        self._components: dict[str, HeldComponent] = {}
        self._edges: dict[str, dict[str, HeldReview]] = {}
        self._edge_stamps: dict[str, str] = {}
        self._crosswalk: dict[str, str] = {}
        self._golden: dict[str, bytes] = {}
        self._review: dict[tuple[str, str], bytes] = {}
        self._review_since_us: dict[tuple[str, str], int] = {}
        self._pending: set[str] = set()
        self._expiries: dict[str, int] = {}
        self._outbox: dict[int, OutboxEntry] = {}

    def read_records(self, refs: Sequence[str]) -> dict[str, Record]:
        """Return the records of ``refs`` that are known."""
        with self._lock:
            return {ref: self._records[ref] for ref in refs if ref in self._records}

    def read_blocks(self, members_max: Mapping[str, int]) -> dict[str, Block]:
        """Return the block of every key, with its members up to so many."""
        found = {}
        with self._lock:
            for key, most in members_max.items():
                stamp, members = self._blocks.get(key, (ABSENT, {}))
                found[key] = Block(stamp, len(members), dict(members) if len(members) <= most else None)
        return found

    def read_neighbourhood(
        self, refs: Sequence[str], *, changing: Sequence[str] = (), ends: Sequence[str] = ()
    ) -> Neighbourhood:
        """Return components and REVIEW edges around ``refs``, and REVIEW edges of ``ends`` and around ``changing``."""
        with self._lock:
            component_of = {ref: self._component_of[ref] for ref in refs if ref in self._component_of}
            components = {i: self._components[i] for i in set(component_of.values())}
            around = {*refs, *ends, *(ref for component in components.values() for ref in component.members)}
            around.update(other for ref in changing for other in self._edges.get(ref, ()))
            reviews = {ref: list(self._edges[ref].values()) for ref in around if ref in self._edges}
            stamps = {ref: self._edge_stamps[ref] for ref in reviews}
        return Neighbourhood(component_of, components, reviews, stamps)

    def commit(self, commits: Sequence[Commit]) -> list[CommitOutcome]:
        """Apply each commit wholly or not at all, in order."""
        with self._lock:
            return [self._commit(commit) for commit in commits]

    def pending(self, limit: int) -> list[str]:
        """Return up to ``limit`` references that wait for re-evaluation."""
        with self._lock:
            return sorted(self._pending)[:limit]

    def depths(self) -> IndexDepths:
        """Return how much waits."""
        with self._lock:
            oldest = self._outbox[min(self._outbox)].committed_at_us if self._outbox else None
            opened = min(self._review_since_us.values(), default=None)
            ages_s = [0.0 if at is None else max(0, self._clock_us() - at) / 1_000_000 for at in (oldest, opened)]
            return IndexDepths(len(self._outbox), ages_s[0], len(self._pending), len(self._review), ages_s[1])

    def refresh(self) -> None:
        """Do nothing: there is one epoch."""

    def bind(self) -> Binding:
        """Return the one epoch."""
        return Binding(self.epoch, "memory")

    def until(self, deadline: Deadline) -> None:
        """Do nothing: memory answers."""

    def call_s(self) -> float:
        """Return no time to speak of."""
        return 0.0

    def require_unchanged(self, binding: Binding) -> None:
        """Raise ``EpochChangedError`` unless ``binding`` is of the one epoch."""
        if binding != self.bind():
            raise EpochChangedError("another epoch is live")

    def erased_among(self, refs: Sequence[str]) -> set[str]:
        """Return which of ``refs`` are erased by now."""
        with self._lock:
            return {ref for ref in refs if ref in self._records and self._records[ref].state.erased}

    def position(self) -> EpochPosition:
        """Return how far the index has come."""
        with self._lock:
            return EpochPosition(self.epoch, self._clock, self._sequence)

    def reached(self) -> EpochPosition:
        """Return how far the index has come."""
        return self.position()

    def due(self, now_us: int, limit: int) -> list[str]:
        """Return up to ``limit`` records with an override whose time has come, the longest overdue first."""
        with self._lock:
            due = sorted((end_us, ref) for ref, end_us in self._expiries.items() if end_us <= now_us)
        return [ref for _, ref in due[:limit]]

    def read(
        self, limit: int, *, after: OutboxEntry | None = None, bytes_max: int = OUTBOX_BYTES_MAX
    ) -> list[OutboxEntry]:
        """Return the oldest outbox entries, in sequence order."""
        found: list[OutboxEntry] = []
        content_bytes = 0
        with self._lock:
            for sequence in sorted(self._outbox):
                if after is not None and sequence <= after.sequence:
                    continue
                content_bytes += len(self._outbox[sequence].content)
                if len(found) == limit or (found and content_bytes > bytes_max):
                    break
                found.append(self._outbox[sequence])
        return found

    def acknowledge(self, entries: Sequence[OutboxEntry]) -> None:
        """Remove published entries. Idempotent."""
        with self._lock:
            for entry in entries:
                self._outbox.pop(entry.sequence, None)

    def golden_of(self, refs: Sequence[str]) -> dict[str, str]:
        """Return the golden ids of the live ones of ``refs``."""
        with self._lock:
            return {ref: self._crosswalk[ref] for ref in refs if ref in self._crosswalk}

    def golden_record(self, golden_id: str) -> dict[str, Any] | None:
        """Return a golden record's content, or ``None`` if the id names no live one."""
        with self._lock:
            content = self._golden.get(golden_id)
        return None if content is None else orjson.loads(content)

    def review_page(self, cursor: str = FIRST_PAGE, size: int = PAGE_ITEMS) -> ReviewPage:
        """Return ``size`` items of the review queue, in the order of their pairs. The cursor is the last pair."""
        after = tuple(orjson.loads(cursor)) if cursor else ()
        with self._lock:
            pairs = sorted(pair for pair in self._review if pair > after)[: size + 1]
            items = {pair: orjson.loads(self._review[pair]) for pair in pairs[:size]}
        return ReviewPage(items, orjson.dumps(pairs[size - 1]).decode() if len(pairs) > size else None)

    def scan_refs(self) -> Iterator[str]:
        """Yield the reference of every record ever seen, tombstones too."""
        with self._lock:
            refs = list(self._records)
        yield from refs

    def scan_crosswalk(self) -> dict[str, str]:
        """Return the whole crosswalk."""
        with self._lock:
            return dict(self._crosswalk)

    def scan_golden(self) -> Iterator[tuple[str, bytes]]:
        """Yield id and content of every golden record."""
        with self._lock:
            found = list(self._golden.items())
        yield from found

    def held_because(self) -> str | None:
        """Return ``None``: writing to it is never held back."""
        return None

    def snapshot(self) -> Resolution:
        """Return the whole state of the domain."""
        with self._lock:
            return Resolution(
                dict(sorted(self._crosswalk.items())),
                {golden_id: orjson.loads(self._golden[golden_id]) for golden_id in sorted(self._golden)},
                {pair: orjson.loads(self._review[pair]) for pair in sorted(self._review)},
            )

    def _commit(self, commit: Commit) -> CommitOutcome:
        conflicts = self._conflicts(commit)
        if conflicts:
            return CommitOutcome(tuple(sorted(conflicts)))
        self._clock += 1
        stamp = f"{self._clock:016d}"
        self._records.update((record.ref, record) for record in commit.put_records)
        self._write_blocks(commit, stamp)
        self._write_components(commit, stamp)
        self._write_edges(commit, stamp)
        self._write_results(commit)
        return CommitOutcome()

    def _conflicts(self, commit: Commit) -> set[str]:
        records, components, blocks = self._records, self._components, self._blocks
        compared: tuple[tuple[str, Mapping[str, str], Callable[[str], str]], ...] = (
            ("record", commit.expect_records, lambda ref: records[ref].revision if ref in records else ABSENT),
            (
                "component",
                commit.expect_components,
                lambda name: components[name].stamp if name in components else ABSENT,
            ),
            ("block", commit.expect_blocks, lambda key: blocks[key][0] if key in blocks else ABSENT),
            ("edges", commit.expect_edges, lambda ref: self._edge_stamps.get(ref, ABSENT)),
        )
        found = {what for what, read, now in compared if any(now(name) != held for name, held in read.items())}
        for key, growth in commit.expect_suspended.items():
            size, limit = len(self._blocks[key][1]) if key in self._blocks else 0, block_limit(self._rules, key)
            if size <= limit or size + growth <= limit:
                found.add("suspended")
        return found

    def _write_blocks(self, commit: Commit, stamp: str) -> None:
        for key, members in (*commit.put_blocks.items(), *commit.suspend.items()):
            if members:
                self._blocks[key] = (stamp, dict(members))
            else:
                self._blocks.pop(key, None)
        for key, added in commit.grow.items():
            self._blocks[key] = (stamp, {**self._blocks[key][1], **added})
        for key, refs in commit.shrink.items():
            self._blocks[key] = (stamp, {ref: r for ref, r in self._blocks[key][1].items() if ref not in set(refs)})

    def _write_components(self, commit: Commit, stamp: str) -> None:
        for component_id, c in commit.put_components.items():
            self._components[component_id] = replace(c, stamp=stamp)
        for component_id in commit.drop_components:
            self._components.pop(component_id, None)
        self._component_of.update(commit.component_of)
        for ref in commit.drop_refs:
            self._component_of.pop(ref, None)

    def _write_results(self, commit: Commit) -> None:
        self._crosswalk.update(commit.crosswalk)
        for ref in commit.drop_refs:
            self._crosswalk.pop(ref, None)
        for golden_id, golden in commit.put_golden.items():
            self._golden[golden_id] = golden.content
        for golden_id in commit.drop_golden:
            self._golden.pop(golden_id, None)
        for pair, item in commit.put_review.items():
            self._review[pair] = orjson.dumps(item)
            self._review_since_us.setdefault(pair, self._clock_us())
        for pair in commit.drop_review:
            self._review.pop(pair, None)
            self._review_since_us.pop(pair, None)
        self._expiries.update(commit.put_expiries)
        for ref in commit.drop_expiries:
            self._expiries.pop(ref, None)
        self._pending.difference_update(commit.dequeue)
        self._pending.update(commit.enqueue)
        if commit.changes:
            self._told_us = max(self._told_us, self._clock_us())  # the clock may step back, what is told does not
        for change in commit.changes:
            self._sequence += 1
            entry = OutboxEntry(self.epoch, self._sequence, change.content, self._told_us)
            self._outbox[self._sequence] = entry

    def _write_edges(self, commit: Commit, stamp: str) -> None:
        for review in commit.put_edges:
            a, b = review.edge.pair
            for end, other in ((a, b), (b, a)):
                self._edges.setdefault(end, {})[other] = review
                self._edge_stamps[end] = stamp
        for a, b in commit.drop_edges:
            for end, other in ((a, b), (b, a)):
                held = self._edges.get(end, {})
                held.pop(other, None)
                self._edge_stamps[end] = stamp
                if not held:
                    self._edges.pop(end, None)
                    self._edge_stamps.pop(end, None)
