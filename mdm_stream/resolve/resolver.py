"""What the resolve consumers do with a batch of the change stream: decode, quarantine, apply, archive, publish.

Knows neither Lambda nor the KCL: a consumer gives it stream records in order, and is told the first one that must be
delivered again.

The order makes a loss of the index harmless. A batch is *committed*; then *archived*, together with a witness of how
far the index had come by then; then it is asked whether the epoch that took it is still the live one; and then the
changes that the witness covers are *published*. Only after that does the batch count as done. So whatever is done is
in the archive, whatever was published is covered by a witness, and an index that knows less than its witness is found
out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from mdm_stream.archive import AppendOnce, Archive, ArchivedRecord
from mdm_stream.archive.position_falls import FallWatch
from mdm_stream.archive.record import VALUE_KINDS
from mdm_stream.archive.rows import rest_without, rows_of
from mdm_stream.aws.deadline import NEVER, Deadline, OutOfTimeError
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.faults import is_fault
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.position_fall import told
from mdm_stream.dead_letters.quarantine import QuarantineEntry, QuarantineStore, quarantine_id_of
from mdm_stream.decode import Delivery, Ignored
from mdm_stream.engine.batch import Engine
from mdm_stream.engine.batch_report import BatchReport
from mdm_stream.engine.faults import FaultCircuit
from mdm_stream.engine.isolate import isolated
from mdm_stream.errors import RejectedEventError, TransientError
from mdm_stream.feed.publisher import GOLDEN_BYTES_WARN, FeedPublisher, publish_outbox
from mdm_stream.index.errors import EpochChangedError
from mdm_stream.index.port import Binding, Index, IndexDepths, Outbox
from mdm_stream.resolve.expiries import Expiries
from mdm_stream.resolve.index_watch import IndexWatch
from mdm_stream.resolve.intake import Intake
from mdm_stream.resolve.merge_watch import MergeWatch
from mdm_stream.resolve.rejections import Rejections
from mdm_stream.resolve.report import StreamReport
from mdm_stream.resolve.source_watch import SourceWatch
from mdm_stream.telemetry.spans import NO_SPANS, Spans

ANSWER_S = 0.5
"""Seconds of an invocation that are kept for its log lines, its metrics and the response."""


@dataclass(frozen=True, slots=True)
class DomainResolver:
    """The engine of one domain, the index that it writes, the outbox that its commits fill, and what watches merges.

    ``hold`` is called with a reason when merges storm: it may hold the domain back. Golden records larger than
    ``golden_bytes_warn`` are reported.
    """

    engine: Engine
    index: Index
    outbox: Outbox
    merges: MergeWatch
    hold: Callable[[str], None]
    golden_bytes_warn: int = GOLDEN_BYTES_WARN


@dataclass(frozen=True, slots=True)
class _Decoded:
    """One accepted record of the stream, as far as it concerns one domain, and where in the batch it stood.

    All of its ``events`` are archived; ``counting`` are those that are applied: what is excluded is not.
    """

    position: int
    delivery: Delivery
    events: tuple[ChangeEvent, ...]
    counting: tuple[ChangeEvent, ...]


@dataclass(frozen=True, slots=True)
class _Applied:
    """What became of one domain's part of a batch: items applied, the erased records among theirs, and faults."""

    items: Sequence[_Decoded]
    erased: set[str]
    faults: Mapping[Delivery, RejectedEventError]


@dataclass(slots=True)
class _Read:
    """A batch after decoding: what was accepted by domain, what was rejected, and what met an unexpected fault."""

    deliveries: int = 0
    ignored: int = 0
    decoded: dict[str, list[_Decoded]] = field(default_factory=dict)
    rejections: list[QuarantineEntry] = field(default_factory=list)
    faults: dict[Delivery, RejectedEventError] = field(default_factory=dict)


class Resolver:
    """Handles batches of the change stream for all domains."""

    def __init__(  # noqa: PLR0913
        self,
        intake: Intake,
        domains: Mapping[str, DomainResolver],
        *,
        archive: Archive,
        quarantine: QuarantineStore,
        golden: FeedPublisher,
        steward: FeedPublisher,
        now_us: Callable[[], int],
        expiries_per_tick_max: int,
        done: Callable[[Sequence[Delivery]], None] = lambda _: None,
        spans: Spans = NO_SPANS,
    ) -> None:
        """Take the parts; ``golden`` publishes to the golden feed, ``steward`` to the steward stream.

        ``done`` is called with the records of each batch that are done, for people to see; ``spans`` times the stages.
        """
        self._done = done
        self._spans = spans
        self._intake = intake
        self._domains = domains
        self._archive = archive
        self._append_once = AppendOnce(archive)
        self._sources = SourceWatch(archive)
        self._falls = FallWatch(archive.falls, now_us)
        self._forgot_at_s = 0.0
        self._alone: set[str] = set()
        self._golden = golden
        self._servers = (archive, quarantine, golden, steward)
        indexes = {domain: parts.index for domain, parts in domains.items()}
        self._watch = IndexWatch(indexes)
        self._rejections = Rejections(quarantine, golden, indexes, now_us)
        self._expiries = Expiries(steward, now_us, expiries_per_tick_max)
        self._circuit = FaultCircuit(min(parts.engine.settings.faults_in_a_row_max for parts in domains.values()))

    def handle(self, records: Sequence[Delivery], deadline: Deadline = NEVER) -> StreamReport:
        """Apply a batch. Idempotent. Nothing from ``first_failed`` on is claimed done, though some of it may be.

        It returns before ``deadline``: what cannot be done by then is among what failed.

        An event that meets an unexpected fault alone is quarantined like a rejected one, with reason ``engine_fault``,
        and everything else is applied. A fault that says nothing about an event is raised.
        """
        report = StreamReport(records=len(records))
        with self._within(deadline), self._watch.asked(report):
            self._handle(records, report)
        if self._has_time(deadline):
            self._done(records[: report.first_failed])
        return report

    def _handle(self, records: Sequence[Delivery], report: StreamReport) -> None:
        try:
            with self._spans.stage("decode"):
                read = self._decode(records)
            report.ignored = read.ignored
            self._rejections.keep(read.rejections, report)
            rejected, reasons = (report.quarantined, report.dropped), report.reasons.copy()
            try:
                self._resolve(read, report)
            except EpochChangedError:  # what was committed may have gone to what is not there any more
                report.first_failed, report.totals, report.falls = None, BatchReport(), []
                report.cause = report.fault = ""
                (report.quarantined, report.dropped), report.reasons = rejected, reasons
                self._resolve(read, report)
        except MemoryError:
            report.first_failed, report.cause = 0, "the process has no memory for this batch"
            report.fault = MemoryError.__name__
        except TransientError as error:
            report.first_failed, report.cause, report.fault = 0, str(error), type(error).__name__

    @contextmanager
    def _within(self, deadline: Deadline) -> Iterator[None]:
        """Hand a deadline to all that calls a server. Engines stop while there is time to archive and to publish."""
        if deadline is NEVER:
            yield
            return
        end = deadline.earlier(ANSWER_S)
        self._hand(end, end.earlier(self._archive.call_s() + self._golden.call_s()))
        try:
            yield
        finally:
            self._hand(NEVER, NEVER)

    def _hand(self, end: Deadline, end_of_engines: Deadline) -> None:
        for server in self._servers:
            server.until(end)
        for parts in self._domains.values():
            parts.index.until(end)
            parts.engine.until(end_of_engines.earlier(parts.index.call_s()))

    def _has_time(self, deadline: Deadline) -> bool:
        """Tell whether one more call to the index would end in time."""
        calls_s = (parts.index.call_s() for parts in self._domains.values())
        return deadline is NEVER or deadline.earlier(ANSWER_S).left_s() > max(calls_s, default=0.0)

    def _resolve(self, read: _Read, report: StreamReport) -> None:
        """Keep aside what is held, apply what counts, archive what of it is done, and publish."""
        self._forget()
        bindings = {domain: self._domains[domain].index.bind() for domain in read.decoded}
        taken = self._without_held(read.decoded, bindings, report)
        applied = {domain: self._apply(domain, items, report, bindings[domain]) for domain, items in taken.items()}
        self._set_aside(
            read.deliveries, read.faults | {k: v for part in applied.values() for k, v in part.faults.items()}, report
        )
        for domain, part in applied.items():
            done = [
                row
                for item in part.items
                if report.first_failed is None or item.position < report.first_failed
                for row in rows_of(domain, item.events, item.delivery, part.erased)
            ]
            self._finish(domain, done, report, bindings[domain])

    def _without_held(
        self, decoded: Mapping[str, Sequence[_Decoded]], bindings: Mapping[str, Binding], report: StreamReport
    ) -> dict[str, list[_Decoded]]:
        """Return what is not held, with the events that count; what is held is in quarantine on return."""
        held: list[QuarantineEntry] = []
        taken: dict[str, list[_Decoded]] = {}
        report.excluded = 0
        for domain, items in decoded.items():
            marks = self._sources.marks(domain, bindings[domain])
            taken[domain] = []
            for item in items:
                if any(marks.holds(event) for event in item.events):
                    held.append(self._rejections.held(item.delivery, item.events))
                    continue
                counting = marks.counting(item.events, item.delivery.arrival_time_us)
                report.excluded += len(item.events) - len(counting)
                taken[domain].append(replace(item, counting=counting))
        report.held = len(held)
        self._rejections.keep(held, report)
        return taken

    def tick(self, deadline: Deadline = NEVER) -> StreamReport:
        """Do what waits without a batch: publish, drain the re-evaluation queues, end overrides whose time has come.

        It returns before ``deadline``; what it has no time for is left to the next one, and told in ``cause``. A domain
        that cannot be written now keeps no other from its turn; what it met is raised at the end.
        """
        report = StreamReport()
        with self._within(deadline):
            faults = self._tick(report)
        if faults:
            raise faults[0]
        return report

    def waiting(self, deadline: Deadline = NEVER, *, at_once: bool = False) -> dict[str, IndexDepths]:
        """Return how much waits, by domain: now and then, or ``at_once``; nothing where it is not time, or there is no
        time for it, and no domain that cannot be read. It raises nothing.
        """
        return self._watch.depths(lambda: self._has_time(deadline), at_once=at_once)

    def _tick(self, report: StreamReport) -> list[Exception]:
        """Do what waits, as far as there is time; return what was met."""
        faults: list[Exception] = []
        for domain, parts in self._domains.items():
            try:
                parts.index.refresh()
                self._finish(domain, [], report, parts.index.bind())
                report.totals.add(parts.engine.drain())
                self._finish(domain, [], report, parts.index.bind())
                self._expiries.send_due(domain, parts.index, report)
            except OutOfTimeError as error:
                report.cause, report.fault = str(error), type(error).__name__
            except Exception as fault:  # noqa: BLE001 - raised below
                faults.append(fault)
        self._forget()
        self._falls.settle()
        return faults

    def _forget(self) -> None:
        """Forget the rows that were archived when an engine has forgotten the values of records since."""
        forgot_at_s = max((parts.engine.forgot_at_s for parts in self._domains.values()), default=0.0)
        if forgot_at_s > self._forgot_at_s:
            self._append_once.forget()
            self._forgot_at_s = forgot_at_s

    def _decode(self, records: Sequence[Delivery]) -> _Read:
        read = _Read()

        def refuse(delivery: Delivery, error: RejectedEventError) -> None:
            if is_fault(error):
                read.faults[delivery] = error
            else:
                read.rejections.append(self._rejections.entry(delivery, error))

        for position, record in enumerate(records):
            for delivery, said in self._intake.read(record):
                read.deliveries += 1
                if isinstance(said, RejectedEventError):
                    refuse(delivery, said)
                    continue
                read.ignored += isinstance(said, Ignored)
                by_domain: dict[str, list[ChangeEvent]] = {}
                for event in said:
                    by_domain.setdefault(event.domain, []).append(event)
                for domain, events in by_domain.items():
                    item = _Decoded(position, delivery, tuple(events), tuple(events))
                    read.decoded.setdefault(domain, []).append(item)
        return read

    def _apply(self, domain: str, items: Sequence[_Decoded], report: StreamReport, binding: Binding) -> _Applied:
        """Commit the events of one domain that count, but for items that meet an unexpected fault of their own.

        Which count was asked for one epoch: to another one that goes live meanwhile nothing is committed.
        """
        parts = self._domains[domain]
        if report.first_failed is not None:
            # A domain before this one failed. If that is because Redis does not answer, one more call says so: its
            # attempts are not made for every domain again, or the function's time would be up before it has answered.
            parts.outbox.read(1)

        def process(some: Sequence[_Decoded]) -> BatchReport:
            placed = [(place, event) for place, item in enumerate(some) for event in item.counting]
            if not placed:
                return BatchReport()
            outcome = parts.engine.process([event for _, event in placed], binding)
            outcome.failed = [placed[i][0] for i in outcome.failed]
            return outcome

        outcome = isolated(items, process)
        batch = outcome.report
        report.totals.add(batch)
        report.falls += [told(fall, domain) for fall in batch.falls.values()]
        self._falls.note(domain, batch.falls.values())
        if batch.failed:
            first = min(items[place].position for place in batch.failed)
            report.first_failed = first if report.first_failed is None else min(first, report.first_failed)
            report.cause, report.fault = batch.cause, batch.fault
        if parts.merges.note(batch.merges):
            report.storms.append(domain)
            parts.hold("golden records merge faster than merges_per_minute_max")
            parts.merges.calm()  # and not before: a hold that failed is tried again with the next batch
        applied = [item for place, item in enumerate(items) if place not in outcome.faults]
        return _Applied(
            applied, batch.erased, {items[place].delivery: fault.rejection for place, fault in outcome.faults.items()}
        )

    def _set_aside(self, deliveries: int, faults: Mapping[Delivery, RejectedEventError], report: StreamReport) -> None:
        """Quarantine what met a fault of its own, unless nearly everything does: ``TooManyFaultsError`` then."""
        told = [error.reasons[0].message for error in faults.values()]
        names = [quarantine_id_of(delivery) for delivery in faults]
        self._circuit.note(deliveries, names, told[-1] if told else "")
        report.faults = told
        self._rejections.keep([self._rejections.entry(*each) for each in faults.items()], report)

    def _position(self, domain: str, report: StreamReport) -> EpochPosition:
        """Return how far a domain has come; note whether any replica has that, and whether it was so before."""
        parts = self._domains[domain]
        before = parts.index.counters.unreplicated
        reached = parts.outbox.position()
        if parts.index.counters.unreplicated == before:
            self._alone.discard(domain)
        else:
            report.unreplicated.add(domain)
            if domain not in self._alone:
                report.replicas_gone.append(domain)
            self._alone.add(domain)
        return reached

    def _finish(self, domain: str, rows: Sequence[ArchivedRecord], report: StreamReport, binding: Binding) -> None:
        """Archive what was committed, make sure that it was not in vain, and publish.

        ``binding`` is what the index was bound to before the batch was first read: had another epoch gone live, or
        another server been taken over, between two commits of the batch, only the later ones would be sure to be there.
        It is compared before the archive is written, and again after it, right before the question that confirms it.
        """
        index, outbox = self._domains[domain].index, self._domains[domain].outbox
        if not rows and not outbox.read(1):
            return
        reached = self._position(domain, report)
        index.require_unchanged(binding)
        with self._spans.stage("archive"):
            report.archived += self._append_once.append(domain, rows, reached)
        index.require_unchanged(binding)
        erased = outbox.erased_among(sorted({ref for row in rows for ref in row.refs if row.kind in VALUE_KINDS}))
        for ref in sorted(erased):
            # Erased since it was committed. Whoever erases looks into the archive after that; we, after writing to it.
            self._archive.erase(domain, ref, rest_without(ref, self._intake.decoder))
        large_bytes = self._domains[domain].golden_bytes_warn
        with self._spans.stage("publish"):
            published = publish_outbox(outbox, self._golden, through=reached, large_bytes=large_bytes)
        report.published += published.changes
        report.refused += published.refused
        report.large += published.large
