"""Repair what a comparison found, through the engine alone: never a write around it.

What is around each difference is *rewritten* (``engine.rewriting``): whole components are made anew from the states of
their records and committed under the ordinary expectations, and their golden records are told to the feed again under
new sequence numbers, which puts readers and warehouse right too. A record whose state is wrong gets the one that its
archived deliveries give, but only in the place of the very state that was seen to be wrong; where an event has come
since, the two are joined.

So it is safe beside writers, and whatever part of it was done may be done again: a rewrite of what is right changes
nothing, and says again what was said. A record that the archive knows nothing of, and something stored that is no
record, no event can mend: they need a new epoch, ``mdm-stream rebuild``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from mdm_stream.archive import Archive, Exclusion
from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.core.cluster.partition import Partition
from mdm_stream.core.fold import state_from_wire
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.batch_report import BatchReport
from mdm_stream.engine.rewriting import GivenState, RewriteWanted
from mdm_stream.errors import MdmError, TransientError
from mdm_stream.feed.publisher import FeedPublisher, publish_outbox
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.reconcile.compare import Reconciliation
from mdm_stream.reconcile.expected import Expected
from mdm_stream.reconcile.live_tables import live_index
from mdm_stream.reconcile.touched import both_ways, moved_records, write_later_states
from mdm_stream.reconcile.worker_rules import WorkerRules
from mdm_stream.reconcile.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

DIFFERENCES_MAX = 50_000
"""Differences that one repair works on, some kilobytes each in memory: of more, a rebuild is the quicker way."""

RECORDS_PER_REWRITE = 100
"""Records that are rewritten together, more if one component has more."""

NEEDS_REBUILD = frozenset({"ghost_record", "unreadable_record", "ghost_evidence"})
"""Kinds of drift that no event and no re-evaluation mends."""

_GHOSTS = frozenset({"ghost_golden", "warehouse_ghost_golden", "erased_value", "warehouse_erased_value"})
_EXPANSIONS_MAX = 30


@dataclass(slots=True)
class RepairReport:
    """What a repair did: ``records`` rewritten in ``rewrites`` commits, ``told`` changes to the feed.

    ``failed``: one sentence for each rewrite that did not go through, to be tried again. ``rebuild``: the kinds that
    need a new epoch, with how many there are. ``left``: differences past ``DIFFERENCES_MAX``.
    """

    records: int = 0
    rewrites: int = 0
    told: int = 0
    left: int = 0
    failed: list[str] = field(default_factory=list)
    rebuild: dict[str, int] = field(default_factory=dict)


class Repair:
    """The repair of one domain after a comparison, whose tables are still there.

    ``listed`` and ``exclusions`` are those that F was computed with; ``golden`` publishes what is told, and without it
    that waits in the outbox for the consumers.
    """

    def __init__(
        self,
        rules: Ruleset,
        expected: Expected,
        index: RedisIndex,
        archive: Archive,
        listed: Sequence[str],
        *,
        golden: FeedPublisher | None = None,
        exclusions: Sequence[Exclusion] = (),
    ) -> None:
        self._rules, self._expected, self._index = rules, expected, index
        self._archive, self._listed, self._golden, self._exclusions = archive, tuple(listed), golden, exclusions

    def run(self, found: Reconciliation) -> RepairReport:
        """Rewrite what differs. ``TransientError`` if another epoch is live than was compared."""
        report = RepairReport(rebuild={kind: n for kind, n in found.drift.items() if kind in NEEDS_REBUILD})
        self._index.refresh()
        if self._index.epoch != found.before.epoch:
            raise TransientError(
                f"epoch {self._index.epoch} of domain {self._rules.domain!r} is live, and epoch {found.before.epoch} "
                "was compared; compare again"
            )
        drift = found.tables.read("drift").where(f"kind NOT IN ({', '.join(map(repr, sorted(NEEDS_REBUILD)))})")
        report.left = max(0, drift.count() - DIFFERENCES_MAX)
        engine = Engine(self._rules, self._index)
        for wanted in self._wanted(drift.limit(DIFFERENCES_MAX), found.tables):
            done = BatchReport()
            try:
                report.told += engine.rewrite(wanted, done)
            except MdmError as error:
                report.failed.append(str(error))
                continue
            report.rewrites += 1
            report.records += len({*wanted.refs, *wanted.given})
        engine.drain()
        if self._golden is not None:
            reached = self._index.position()
            self._archive.append(self._rules.domain, [], reached)  # what is published is witnessed before
            publish_outbox(self._index, self._golden, through=reached)
        return report

    def _wanted(self, drift: DataFrame, tables: Workspace) -> Iterator[RewriteWanted]:
        """Yield what is to be rewritten, each of whole components."""
        links = both_ways(self._expected.links)
        live = live_index(WorkerRules.of(self._rules), tables.within("index"))
        members = live.members.select("component_id", "ref")
        refs = self._closed(drift.selectExpr("explode(refs) AS ref").distinct(), links, members, tables)
        groups = _Together()
        for row in links.join(refs.withColumnRenamed("ref", "a"), "a", "left_semi").toLocalIterator():
            groups.join(row["a"], row["b"])
        for row in members.join(refs, "ref", "left_semi").toLocalIterator():
            groups.join(row["ref"], row["component_id"])  # a component is called after a member
        states = self._given(drift, tables)
        golden: dict[str, set[str]] = {}
        reviews: dict[str, set[tuple[str, str]]] = {}
        for row in drift.toLocalIterator():
            groups.join(*row["refs"])
            if row["kind"] == "ghost_review" or (row["kind"], row["item"]) == ("stale_evidence", "review"):
                reviews.setdefault(row["first"], set()).add((row["first"], row["second"]))
            elif (row["kind"] in _GHOSTS and row["item"] == "golden") or row["item"] == "redirect":
                golden.setdefault(row["first"], set()).update(row["refs"])
            elif row["kind"] == "stale_crosswalk" and row["second"] is not None:
                golden.setdefault(row["second"], set()).update(row["refs"])
        for golden_id, several in golden.items():
            groups.join(golden_id, *several)
        yield from groups.portions(states, golden, reviews)

    def _closed(self, refs: DataFrame, links: DataFrame, members: DataFrame, tables: Workspace) -> DataFrame:
        """Return records with all that F's links, and the components as they were read, connect them to."""
        known, number = -1, 0
        while number < _EXPANSIONS_MAX and known != (count := refs.count()):
            known, number = count, number + 1
            components = members.join(refs, "ref", "left_semi").select("component_id").distinct()
            more = members.join(components, "component_id", "left_semi").select("ref")
            beside = links.join(refs.withColumnRenamed("ref", "b"), "b", "left_semi").selectExpr("a AS ref")
            refs = tables.write(f"repair-{number}", refs.unionByName(more).unionByName(beside).distinct())
        return refs

    def _given(self, drift: DataFrame, tables: Workspace) -> Mapping[str, GivenState]:
        """Return the right states of the records that differ, with the digests of what they take the place of."""
        later = tables.within("repair-later")
        write_later_states(self._archive, self._rules, set(self._listed), self._exclusions, later)
        packed = WorkerRules.of(self._rules)
        moved = moved_records(packed, self._expected.records, later)
        wrong = drift.where("side = 'index' AND item = 'record'").selectExpr("first AS ref").distinct()
        held = live_index(packed, tables.within("again")).records.selectExpr("ref", "state AS held")
        rows = (
            wrong.join(self._expected.records.selectExpr("ref", "state AS expected"), "ref", "left")
            .join(moved.selectExpr("ref", "state AS later"), "ref", "left")
            .join(held, "ref", "left")
        )
        given = {}
        for row in rows.toLocalIterator():
            state = row["later"] if row["later"] is not None else row["expected"]
            if state is not None:
                instead = "" if row["held"] is None else digest_of_bytes(bytes(row["held"]))
                given[row["ref"]] = GivenState(state_from_wire(orjson.loads(bytes(state))), instead)
        return given


class _Together:
    """Names that belong together, records and golden ids."""

    def __init__(self) -> None:
        self._place: dict[str, int] = {}
        self._joins: list[tuple[int, int]] = []

    def join(self, *names: str) -> None:
        places = [self._place.setdefault(name, len(self._place)) for name in names]
        self._joins += [(places[0], place) for place in places[1:]]  # no names: nothing

    def portions(
        self,
        states: Mapping[str, GivenState],
        golden: Mapping[str, set[str]],
        reviews: Mapping[str, set[tuple[str, str]]],
    ) -> Iterator[RewriteWanted]:
        """Yield rewrites of whole groups, of about ``RECORDS_PER_REWRITE`` records each."""
        parts = Partition(len(self._place))
        for left, right in self._joins:
            parts.join(left, right)
        groups: dict[int, list[str]] = {}
        for name, place in self._place.items():
            groups.setdefault(parts.root(place), []).append(name)
        names: list[str] = []
        for group in groups.values():
            names += group
            if len(names) >= RECORDS_PER_REWRITE:
                yield _rewrite_of(names, states, golden, reviews)
                names = []
        if names:
            yield _rewrite_of(names, states, golden, reviews)


def _rewrite_of(
    names: Sequence[str],
    states: Mapping[str, GivenState],
    golden: Mapping[str, set[str]],
    reviews: Mapping[str, set[tuple[str, str]]],
) -> RewriteWanted:
    return RewriteWanted(
        refs=[name for name in names if "/" in name],  # a golden id has none, a reference always one
        given={name: states[name] for name in names if name in states},
        golden={name: sorted(golden[name]) for name in names if name in golden},
        reviews=[pair for name in names for pair in reviews.get(name, ())],
    )
