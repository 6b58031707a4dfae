"""One micro-batch: read, plan, commit.

The batch is folded to one change a record; everything it touches is read in a handful of round trips; all its candidate
pairs are scored at once; each group of records that depend on each other is committed atomically, or found to rest on
something that has changed meanwhile and tried again. There are no locks: a conflict means that another writer got
through.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from mdm_stream.aws.deadline import NEVER, Deadline, OutOfTimeError
from mdm_stream.aws.retry import full_jitter
from mdm_stream.core.blocking.limits import limits_of
from mdm_stream.core.cluster.edges import Edge
from mdm_stream.core.faults import EngineFault, is_of_the_process
from mdm_stream.core.fold import EMPTY, Foldable, RecordState, fold
from mdm_stream.core.memo import forget_values
from mdm_stream.core.model import EraseEvent, split_ref
from mdm_stream.core.plan.commit import ABSENT, BlockView, HeldComponent, Revision
from mdm_stream.core.plan.pair_scoring import generic_keys, pairs_to_score, score_edges
from mdm_stream.core.plan.planning import (
    PlanInput,
    block_view,
    candidates,
    members_read_max,
    plan_commits,
    revisions_by_key,
    verdict_links,
)
from mdm_stream.core.position_fall import PositionFall
from mdm_stream.core.record import Record, build_record, revision_of
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.engine.batch_report import BatchReport
from mdm_stream.engine.cache import RecordCache
from mdm_stream.engine.rewriting import RewriteWanted, closed, revisions_again
from mdm_stream.errors import TransientError
from mdm_stream.index.errors import EpochChangedError
from mdm_stream.index.port import Binding, Block, Index
from mdm_stream.settings import EngineSettings
from mdm_stream.telemetry.spans import NO_SPANS, Spans

T = TypeVar("T")

STUCK_TOLD_MAX = 16
"""Queued records whose unexpected faults one batch looks for: they stay queued, and must not take its time."""


class StaleReadError(TransientError):
    """Two reads of one batch contradict each other, because another writer wrote between them."""


class Engine:
    """Applies change events of one domain to an index.

    Safe to run any number of at once on one index, in threads, processes or machines; one instance is for one thread.
    ``sleep`` and ``jitter`` (a number in 0..1) are there for tests. ``spans`` times its stages.
    """

    def __init__(
        self,
        rules: Ruleset,
        index: Index,
        settings: EngineSettings | None = None,
        *,
        spans: Spans = NO_SPANS,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules = rules
        self._index = index
        self._spans = spans
        self.settings = self._settings = settings or EngineSettings()
        self._cache = RecordCache(self._settings.record_cache_size, clock_s=clock_s)
        self._clock_s = clock_s
        self._forgot_at_s = clock_s()
        self._sleep = sleep
        self._jitter = jitter
        self._deadline = NEVER

    def until(self, deadline: Deadline) -> None:
        """Begin no attempt from now on that might not end by then: what is left of a batch fails, of a queue stays."""
        self._deadline = deadline

    def process(self, events: Sequence[Foldable], bound: Binding | None = None) -> BatchReport:
        """Apply a batch of events, and then a bounded number of queued re-evaluations.

        Idempotent, and independent of the order of ``events``. A fault that outlives its retries leaves the events
        concerned in ``failed``; nothing is raised for it, as the rest of the batch is applied. One that keeps the
        queue from being worked off is told in ``cause`` alone: what is queued stays so.

        With ``bound`` nothing is committed to anything else than that: ``EpochChangedError`` if the index is bound to
        another epoch meanwhile, for which other events may count. Some of the batch may have been committed before.
        """
        report = BatchReport()
        size = self._settings.events_per_plan_max
        for start in range(0, len(events), size):
            part = BatchReport(events=len(events[start : start + size]))
            self._apply(events[start : start + size], [], part, bound)
            report.add(part)
            if part.failed:
                # What failed here will be delivered again, and with it all that comes after it.
                report.failed = [start + i for i in part.failed] + list(range(start + size, len(events)))
                report.cause, report.fault = part.cause, part.fault
                break
        report.events = len(events)
        if not report.failed:
            self._reevaluate(self._settings.reevaluations_max, report)
        self._forget(at_once=any(isinstance(event, EraseEvent) for event in events))
        return report

    def drain(self) -> BatchReport:
        """Work off the whole re-evaluation queue: afterwards, if nobody else writes, the state equals F.

        ``TransientError`` if a fault outlived its retries: some of the queue may be left.
        """
        report = BatchReport()
        self._forget()
        while self._reevaluate(self._settings.reevaluations_max, report):
            pass
        if report.fault == OutOfTimeError.__name__:
            raise OutOfTimeError(report.cause)
        if report.cause:
            raise TransientError(f"the re-evaluation queue could not be worked off: {report.cause}")
        return report

    def rewrite(self, wanted: RewriteWanted, report: BatchReport) -> int:
        """Write again what the index holds around some records, and tell it; return how many golden changes were told.

        See ``engine.rewriting``. ``TransientError`` if it could not be committed. What it leaves to be evaluated again
        is in the queue.
        """
        for attempt in range(self._settings.commit_attempts_max):
            if attempt:
                self._back_off(attempt)
            try:
                near = closed(self._index, wanted)
                revisions = revisions_again(self._rules, self._index, wanted, near.refs)
                commits = plan_commits(near.applied_to(self._read(revisions, report), wanted))
                outcomes = self._index.commit(commits)
            except StaleReadError:
                report.conflicts += 1
                continue
            if not any(outcome.conflicts for outcome in outcomes):
                return sum(len(commit.changes) for commit in commits)
            report.conflicts += 1
        raise TransientError("the records kept changing while they were written again")

    @property
    def forgot_at_s(self) -> float:
        """When this engine last forgot what its process remembers of values, by its clock."""
        return self._forgot_at_s

    def _forget(self, *, at_once: bool = False) -> None:
        """Forget values that records had which may be erased by now, at times, or because one was."""
        now_s = self._clock_s()
        if at_once or now_s - self._forgot_at_s >= self._settings.forget_after_s:
            forget_values()
            self._cache.forget_unused(self._settings.forget_after_s)
            self._forgot_at_s = now_s

    def _reevaluate(self, limit: int, report: BatchReport) -> int:
        """Re-evaluate up to ``limit`` queued records; return how many there were. Faults leave them queued."""
        try:
            queued = self._retried(lambda: self._index.pending(limit))
        except TransientError as error:
            report.met(error)
            return 0
        done = self._work_off(queued, report)
        report.reevaluated += done
        return done

    def _work_off(self, queued: Sequence[str], report: BatchReport) -> int:
        """Evaluate queued records, but for those that meet an unexpected fault alone; return how many are done."""
        if not queued or report.cause or len(report.stuck) >= STUCK_TOLD_MAX:
            return 0
        try:
            self._apply([], queued, report)
        except Exception as error:
            if is_of_the_process(error):
                raise
            if len(queued) == 1:
                report.stuck.append(str(EngineFault.of(error)))
                return 0
            middle = len(queued) // 2
            return self._work_off(queued[:middle], report) + self._work_off(queued[middle:], report)
        return 0 if report.cause else len(queued)

    def _apply(
        self, events: Sequence[Foldable], queued: Sequence[str], report: BatchReport, bound: Binding | None = None
    ) -> None:
        """Try the batch until every group is committed or its attempts are used up."""
        waiting = list(range(len(events)))
        first = True
        faults = 0
        for attempt in range(self._settings.commit_attempts_max):
            if not waiting and not queued:
                return
            if attempt:
                self._back_off(attempt)
            try:
                self._require_time()
                open_refs = self._attempt([events[i] for i in waiting], queued, report, bound, first=first)
            except StaleReadError:
                report.conflicts += 1
                continue
            except TransientError as error:
                if bound is not None and isinstance(error, EpochChangedError):
                    raise
                faults += 1
                report.met(error)
                if isinstance(error, OutOfTimeError) or faults >= self._settings.transient_attempts_max:
                    break
                continue
            first, faults, report.cause, report.fault = False, 0, "", ""
            waiting = [i for i in waiting if not open_refs.isdisjoint(events[i].refs)]
            queued = [ref for ref in queued if ref in open_refs]
        if waiting or queued:
            report.failed += waiting
            report.cause = report.cause or "the records kept changing under this batch"

    def _attempt(
        self,
        events: Sequence[Foldable],
        queued: Sequence[str],
        report: BatchReport,
        bound: Binding | None,
        *,
        first: bool,
    ) -> set[str]:
        """Read, plan and commit once; return the references whose group met a conflict."""
        folded = BatchReport()
        with self._spans.stage("read"):
            revisions = self._fold(events, queued, folded)
            found = self._read(revisions, report) if revisions else None
        open_refs = self._commit(found, report, bound, first=first) if found else set()
        if first:  # and not before: an attempt that meets a fault is made, and counted, again
            report.add(folded)
        return open_refs

    def _commit(self, found: PlanInput, report: BatchReport, bound: Binding | None, *, first: bool) -> set[str]:
        # Groups that met a conflict are tried again one by one: a small commit has less to collide with.
        joined = self._settings.groups_per_commit_max if first else 1
        with self._spans.stage("plan"):
            commits = plan_commits(found, joined)
        with self._spans.stage("commit"):
            if bound is not None:
                self._index.require_unchanged(bound)
            outcomes = self._index.commit(commits)
        self._cache.put(revision.after for revision in found.revisions)
        open_refs: set[str] = set()
        for commit, outcome in zip(commits, outcomes, strict=True):
            if outcome.conflicts:
                report.conflicts += 1
                open_refs.update(commit.refs)
            else:
                report.changes += len(commit.changes)
                report.merges += commit.merges
                report.note_suspended(self._rules, commit.suspend)
        return open_refs

    def _fold(self, events: Sequence[Foldable], queued: Sequence[str], report: BatchReport) -> list[Revision]:
        """Fold the events over the records as they are now; keep what changes and what waits for re-evaluation."""
        refs = list(dict.fromkeys([ref for event in events for ref in event.refs] + list(queued)))
        held = self._index.read_records(refs)
        states: dict[str, RecordState] = {}
        tolerance_us = self._settings.later_tolerance_s * 1_000_000
        for event in events:
            effect = False
            for ref in event.refs:
                state = states[ref] if ref in states else (held[ref].state if ref in held else EMPTY)
                folded = fold(state, event, ref)
                states[ref] = folded.state
                report.collisions += int(folded.collided)
                found = folded.contradiction
                if found is not None and found.by_us > tolerance_us:
                    report.note(PositionFall.of(split_ref(ref)[0], found))
                effect = effect or folded.state is not state
            report.absorbed += int(not effect)
        report.erased |= {ref for ref, state in states.items() if state.erased}
        revisions = []
        waiting = set(queued)
        for ref in refs:
            before = held.get(ref)
            state = states.get(ref, before.state if before else EMPTY)
            if before is not None and state is before.state:
                if ref in waiting:
                    revisions.append(Revision(before, before))
            elif before is None or revision_of(state) != before.revision:
                after = build_record(self._rules, ref, state)
                report.count_set_aside(self._rules, after)
                revisions.append(Revision(before, after))
        return revisions

    def _read(self, revisions: list[Revision], report: BatchReport) -> PlanInput:
        """Read what the batch touches, and score its pairs."""
        by_key = revisions_by_key(revisions)
        limits = limits_of(self._rules, by_key)
        blocks = _views(self._index.read_blocks(members_read_max(limits, by_key)), by_key, limits)
        mates = candidates(revisions, blocks)
        mine = {revision.ref: revision.after for revision in revisions}
        partners = _verdict_partners(revisions)
        records = {**self._load(mates, partners), **mine}
        live = {ref: record for ref, record in records.items() if record.live}
        generic = generic_keys(self._rules, revisions, blocks)
        edges = self._score(mates, live, generic, report) + verdict_links(revisions, live)

        links = [edge for edge in edges if edge.link]
        linked = {edge.a for edge in links} | {edge.b for edge in links}
        doubted = {ref for edge in edges if not edge.link for ref in edge.pair}
        near = self._index.read_neighbourhood(
            list({**mine, **dict.fromkeys(sorted(linked))}), changing=list(mine), ends=sorted(doubted - mine.keys())
        )
        if any(ref not in near.component_of and ref not in mine for ref in linked):
            raise StaleReadError("a linked record has no component any more")
        live.update(self._members(near.components.values(), live, mine))
        return PlanInput(
            rules=self._rules,
            revisions=revisions,
            blocks=blocks,
            edges=edges,
            component_of=near.component_of,
            components=near.components,
            reviews=near.reviews,
            review_stamps=near.review_stamps,
            records=live,
            partners={ref: records[ref].revision if ref in records else ABSENT for ref in partners},
        )

    def _load(self, mates: Mapping[str, Mapping[str, str]], partners: Iterable[str]) -> dict[str, Record]:
        """Return all candidates and verdict partners, from the cache where it holds them at the right revision."""
        wanted: dict[str, str] = {}
        for found in mates.values():
            wanted.update(found)
        records: dict[str, Record] = {}
        missing = [ref for ref in partners if ref not in wanted]
        for ref, revision in wanted.items():
            record = self._cache.get(ref, revision)
            if record is None:
                missing.append(ref)
            else:
                records[ref] = record
        loaded = self._index.read_records(missing)
        self._cache.put(loaded.values())
        records.update(loaded)
        return records

    def _members(
        self, components: Iterable[HeldComponent], known: Mapping[str, Record], mine: Mapping[str, Record]
    ) -> dict[str, Record]:
        """Return all members outside the batch as their components name them, from the cache where it holds them.

        A commit rests on the stamps of components, and so on their members. ``StaleReadError`` where one was read as
        something else, before the component or after it: the commit would meet a conflict anyway.
        """
        found: dict[str, Record] = {}
        missing: dict[str, str] = {}
        for component in components:
            for ref, revision in zip(component.members, component.revisions, strict=True):
                if ref not in mine:
                    record = known.get(ref) or self._cache.get(ref, revision)
                    if record is None:
                        missing[ref] = revision
                    elif record.revision != revision:
                        raise StaleReadError("a component's member has changed")
                    else:
                        found[ref] = record
        loaded = self._index.read_records(list(missing))
        if any(ref not in loaded or loaded[ref].revision != revision for ref, revision in missing.items()):
            raise StaleReadError("a component's member has changed")
        self._cache.put(loaded.values())
        return {**found, **loaded}

    def _score(
        self,
        mates: Mapping[str, Mapping[str, str]],
        live: Mapping[str, Record],
        generic: Mapping[str, frozenset[str]],
        report: BatchReport,
    ) -> list[Edge]:
        """Score every candidate pair of the batch in bulk; return the edges. ``generic``: see ``generic_keys``."""
        pairs = pairs_to_score(mates, live)
        report.pairs += len(pairs)
        if not pairs:
            return []
        with self._spans.stage("score"):
            return score_edges(self._rules, pairs, live, generic)

    def _retried(self, call: Callable[[], T]) -> T:
        for attempt in range(1, self._settings.transient_attempts_max):
            try:
                self._require_time()
                return call()
            except OutOfTimeError:
                raise
            except TransientError:
                self._back_off(attempt)
        self._require_time()
        return call()

    def _require_time(self) -> None:
        if self._deadline is not NEVER:
            self._deadline.require(self._index.call_s(), "the index")

    def _back_off(self, attempt: int) -> None:
        """Sleep with full jitter: a random time up to an exponentially growing, bounded ceiling."""
        settings = self._settings
        wait_s = full_jitter(attempt - 1, settings.backoff_ms_base, settings.backoff_ms_max, self._jitter) / 1000
        self._sleep(min(wait_s, self._deadline.left_s()))


def _views(
    blocks: Mapping[str, Block], by_key: Mapping[str, list[Revision]], limits: Mapping[str, int]
) -> dict[str, BlockView]:
    return {
        key: block_view(block.stamp, block.members, block.size, key, by_key[key], limit)
        for key, limit in limits.items()
        for block in (blocks[key],)
    }


def _verdict_partners(revisions: Sequence[Revision]) -> list[str]:
    """Return the records outside the batch that stand under a LINK verdict with one in it."""
    mine = {revision.ref for revision in revisions}
    return sorted(
        {
            other
            for revision in revisions
            for other, held in revision.after.state.verdicts.items()
            if other not in mine and held.verdict == "link"
        }
    )
