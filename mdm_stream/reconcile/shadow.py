"""Other rules in the shadow of those in use: both applied to what is delivered, and compared window by window.

A shadow reads the archive alone, which has everything that was committed to the live index, as it was delivered. It
keeps two indexes of its own, one under each rule set, and applies to both the same rows: so what differs is by the
rules, and no moment at which one was read before the other is among it. The live index, feed and warehouse are neither
written nor read. That the first of the two indexes is as the live one follows from F, and ``reconcile`` proves it.

A *window* is a span of arrivals. It compares the golden records that deliveries of the window have touched under either
rule set, and all that share a record with these, as ``rules diff`` does (:mod:`mdm_stream.reconcile.impact`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from mdm_stream.archive import Archive, ArchivedRecord, Exclusion
from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.model import make_ref
from mdm_stream.core.reference import Resolution
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.decode import Decoder
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.faults import FaultCircuit
from mdm_stream.engine.worker import apply_isolated
from mdm_stream.errors import TransientError
from mdm_stream.index.port import Index, Outbox
from mdm_stream.index.reader import IndexReader, Pair, review_items
from mdm_stream.rebuild.load import LoadCounters, states_of
from mdm_stream.reconcile.impact import SAMPLES, Impact, require_comparable
from mdm_stream.reconcile.impact_in_process import StateInProcess, impact_in_process
from mdm_stream.settings import EngineSettings

STATES_MAX = 100_000
"""Record keys that are folded before they are applied. It bounds memory and never changes the result."""
BATCH_RECORDS = 1_000
"""Records that an engine takes at once, and golden changes that are read at once."""


class ShadowIndex(Index, Outbox, IndexReader, Protocol):
    """An index that the shadow fills and reads: in memory, or in a Redis of its own."""


@dataclass(frozen=True, slots=True)
class ShadowWindow:
    """What differs between two rule sets about what was delivered in a span of arrivals (microseconds, the end
    excluded). ``deliveries`` are archived rows, ``records`` those that they name. ``opened_old`` and ``opened_new`` are
    how many questions there are at its end that there were not at its beginning; ``open_old`` and ``open_new`` all.
    """

    from_us: int
    to_us: int
    deliveries: int
    records: int
    impact: Impact
    opened_old: int
    opened_new: int
    open_old: int
    open_new: int


class ShadowSide:
    """One of the two rule sets, its index, and what came of applying it."""

    def __init__(self, rules: Ruleset, index: ShadowIndex, exclusions: Sequence[Exclusion]) -> None:
        """Take an empty index that nothing else writes to."""
        self.rules, self.index = rules, index
        self.counters = LoadCounters()
        self.questions: frozenset[Pair] = frozenset()
        self._exclusions = exclusions
        self._engine = Engine(rules, index)
        self._decoder = Decoder({rules.domain: rules}, archived=True)
        self._circuit = FaultCircuit(EngineSettings().faults_in_a_row_max)

    def apply(self, rows: Iterable[ArchivedRecord]) -> tuple[set[str], set[str]]:
        """Apply archived rows; return the records that they name, and those of golden records that changed by them."""
        named: set[str] = set()
        touched: set[str] = set()
        domain = self.rules.domain
        for states in states_of(rows, domain, self._decoder, self.counters, STATES_MAX, self._exclusions):
            named.update(each.ref for each in states)
            for start in range(0, len(states), BATCH_RECORDS):
                applied = apply_isolated(self._engine, states[start : start + BATCH_RECORDS], self._circuit)
                for _, fault in applied.faulty:
                    self.counters.refuse(fault.rejection)
                touched |= self._told()
        self._engine.drain()
        return named, touched | self._told()

    def clusters(self, refs: Iterable[str]) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Return golden id and members of the cluster of each live one of some records, and of those beside them."""
        near = self.index.read_neighbourhood(sorted(refs))
        return {
            ref: (golden.golden_id, tuple(golden.members))
            for component in near.components.values()
            for golden in component.golden
            for ref in golden.members
        }

    def state(self, refs: set[str]) -> StateInProcess:
        """Return what is so of some records, which are whole clusters."""
        crosswalk = {ref: golden_id for ref, (golden_id, _) in self.clusters(refs).items() if ref in refs}
        golden: dict[str, Mapping[str, object]] = {}
        for golden_id in sorted(set(crosswalk.values())):
            content = self.index.golden_record(golden_id)
            if content is not None:
                golden[golden_id] = content
        review = {pair: dict(item) for pair, item in review_items(self.index) if refs.issuperset(pair)}
        held = self.index.read_neighbourhood(sorted(crosswalk)).reviews.values()
        doubts: dict[Pair, Edge] = {each.edge.pair: each.edge for reviews in held for each in reviews}
        kept = tuple(doubts[pair] for pair in sorted(doubts) if refs.issuperset(pair))
        return StateInProcess(Resolution(crosswalk, golden, review), kept)

    def asked(self) -> tuple[int, int]:
        """Look at the review queue: return how many questions are new since the last look, and how many there are."""
        now = frozenset(pair for pair, item in review_items(self.index) if not item["answered"])
        opened = len(now - self.questions)
        self.questions = now
        return opened, len(now)

    def _told(self) -> set[str]:
        """Take what would go to the feed off the outbox; return the records of the golden records that it is about."""
        touched: set[str] = set()
        while entries := self.index.read(BATCH_RECORDS):
            for entry in entries:
                said = orjson.loads(entry.content)
                for name in ("members", "removed"):
                    touched.update(make_ref(**key) for key in said.get(name, ()))
            self.index.acknowledge(entries)
        return touched


class RulesShadow:
    """A rule set beside the one in use, on what is archived. One thread; indexes are the caller's to delete."""

    def __init__(
        self,
        archive: Archive,
        old: tuple[Ruleset, ShadowIndex],
        new: tuple[Ruleset, ShadowIndex],
        *,
        samples: int = SAMPLES,
    ) -> None:
        """Take the archive that is followed, and each rule set with an empty index. Nothing is read yet.

        ``ConfigurationError`` for rule sets that cannot be compared.
        """
        require_comparable(old[0], new[0])
        self.domain = old[0].domain
        self._archive = archive
        self._exclusions = archive.sources(self.domain).read().exclusions
        self.old, self.new = (ShadowSide(*each, self._exclusions) for each in (old, new))
        self._samples = samples
        self._seen: set[str] = set()
        self._held: list[ArchivedRecord] = []
        self._touched: set[str] = set()
        self._nothing: Impact | None = None
        self.begun_us = self.closed_us = 0

    def begin(self, from_us: int) -> None:
        """Apply what arrived before ``from_us``: what is compared begins there."""
        later: list[ArchivedRecord] = []
        earlier: list[ArchivedRecord] = []
        for row in self._archive.read_new(self.domain, self._seen):
            (later if row.arrival_time_us >= from_us else earlier).append(row)
            if len(earlier) >= STATES_MAX:
                self._apply(earlier)
                earlier = []
        self._apply(earlier)
        self._held = later
        self.begun_us = self.closed_us = from_us
        self._nothing = self._impact(set())
        for side in (self.old, self.new):
            side.asked()

    def take(self) -> int:
        """Read what was archived since the last time, to be applied with its window; return how many rows that is."""
        before = len(self._held)
        self._held.extend(self._archive.read_new(self.domain, self._seen))
        return len(self._held) - before

    def close(self, to_us: int) -> ShadowWindow:
        """Apply what was taken and arrived before ``to_us``, and compare; the next window begins there.

        What arrived in an earlier window and was archived late is in this one. ``TransientError`` if a source of the
        domain was purged or readmitted since the beginning: what was applied is no more what counts.
        """
        if self._archive.sources(self.domain).read().exclusions != self._exclusions:
            raise TransientError("what counts of a source was changed meanwhile; start the shadow again")
        rows = [row for row in self._held if row.arrival_time_us < to_us]
        self._held = [row for row in self._held if row.arrival_time_us >= to_us]
        named, touched = self._apply(rows)
        self._touched |= touched
        (opened_old, open_old), (opened_new, open_new) = self.old.asked(), self.new.asked()
        impact = self._impact(touched)
        found = ShadowWindow(
            self.closed_us, to_us, len(rows), len(named), impact, opened_old, opened_new, open_old, open_new
        )
        self.closed_us = to_us
        return found

    def total(self) -> Impact:
        """Return what differs about everything that any window has touched, as it is now."""
        return self._impact(self._touched)

    def _apply(self, rows: list[ArchivedRecord]) -> tuple[set[str], set[str]]:
        if not rows:
            return set(), set()
        named_old, touched_old = self.old.apply(rows)
        named_new, touched_new = self.new.apply(rows)
        named = named_old | named_new
        return named, named | touched_old | touched_new

    def _impact(self, touched: set[str]) -> Impact:
        if not touched and self._nothing is not None:
            return self._nothing
        refs = self._whole(touched)
        return impact_in_process(self.domain, self.old.state(refs), self.new.state(refs), samples=self._samples)

    def _whole(self, touched: set[str]) -> set[str]:
        """Return some records and all that share a cluster with one of them on either side, again and again."""
        refs: set[str] = set()
        waiting = set(touched)
        while waiting:
            refs |= waiting
            reached: set[str] = set()
            for side in (self.old, self.new):
                found = side.clusters(waiting)
                reached.update(member for ref in waiting if ref in found for member in found[ref][1])
            waiting = reached - refs
        return refs
