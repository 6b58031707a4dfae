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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mdm_stream.archive import AppendOnce, Archive, ArchivedRecord
from mdm_stream.archive.record import VALUE_KINDS
from mdm_stream.archive.rows import rest_without, rows_of
from mdm_stream.core.model import ChangeEvent
from mdm_stream.dead_letters.quarantine import QuarantineEntry, QuarantineStore
from mdm_stream.decode import Decoder, Delivery, unpack
from mdm_stream.engine.batch import BatchReport, Engine
from mdm_stream.errors import MdmError, RejectedEventError, TransientError
from mdm_stream.feed.publisher import GOLDEN_BYTES_WARN, FeedPublisher, publish_outbox
from mdm_stream.index.errors import EpochChangedError
from mdm_stream.index.port import Binding, Index, Outbox
from mdm_stream.resolve.expiries import Expiries
from mdm_stream.resolve.merge_watch import MergeWatch
from mdm_stream.resolve.rejections import Rejections
from mdm_stream.resolve.report import StreamReport


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
    """One accepted record of the stream, as far as it concerns one domain, and where in the batch it stood."""

    position: int
    delivery: Delivery
    events: tuple[ChangeEvent, ...]


class Resolver:
    """Handles batches of the change stream for all domains."""

    def __init__(
        self,
        decoder: Decoder,
        domains: Mapping[str, DomainResolver],
        *,
        archive: Archive,
        quarantine: QuarantineStore,
        golden: FeedPublisher,
        changes: FeedPublisher,
        now_us: Callable[[], int],
        expiries_per_tick_max: int,
    ) -> None:
        """Take the parts; ``golden`` publishes to the golden feed, ``changes`` to the change stream itself."""
        self._decoder = decoder
        self._domains = domains
        self._archive = archive
        self._append_once = AppendOnce(archive)
        self._golden = golden
        indexes = {domain: parts.index for domain, parts in domains.items()}
        self._rejections = Rejections(quarantine, golden, indexes, now_us)
        self._expiries = Expiries(changes, now_us, expiries_per_tick_max)

    def handle(self, records: Sequence[Delivery]) -> StreamReport:
        """Apply a batch. Idempotent. Nothing from ``first_failed`` on is claimed done, though some of it may be."""
        report = StreamReport(records=len(records))
        decoded, rejections = self._decode(records)
        try:
            self._rejections.keep(rejections, report)
            try:
                self._resolve(decoded, report)
            except EpochChangedError:  # what was committed may have gone to what is not there any more
                report.first_failed, report.cause, report.totals = None, "", BatchReport()
                self._resolve(decoded, report)
        except TransientError as error:
            report.first_failed, report.cause = 0, str(error)
        return report

    def _resolve(self, decoded: Mapping[str, Sequence[_Decoded]], report: StreamReport) -> None:
        """Apply what was accepted, archive what of it is done, and publish."""
        bindings = {domain: self._domains[domain].index.bind() for domain in decoded}
        erased = {domain: self._apply(domain, items, report) for domain, items in decoded.items()}
        for domain, items in decoded.items():
            done = [
                row
                for item in items
                if report.first_failed is None or item.position < report.first_failed
                for row in rows_of(domain, item.events, item.delivery, erased[domain])
            ]
            self._finish(domain, done, report, bindings[domain])

    def tick(self) -> StreamReport:
        """Do what waits without a batch: publish, drain the re-evaluation queues, end overrides whose time has come.

        A domain that cannot be written now keeps no other from its turn; what it met is raised at the end.
        """
        report = StreamReport()
        faults: list[MdmError] = []
        for domain, parts in self._domains.items():
            try:
                parts.index.refresh()
                self._finish(domain, [], report, parts.index.bind())
                report.totals.add(parts.engine.drain())
                self._finish(domain, [], report, parts.index.bind())
                self._expiries.send_due(domain, parts.index, report)
            except MdmError as fault:
                faults.append(fault)
        if faults:
            raise faults[0]
        return report

    def _decode(self, records: Sequence[Delivery]) -> tuple[dict[str, list[_Decoded]], list[QuarantineEntry]]:
        decoded: dict[str, list[_Decoded]] = {}
        rejections = []
        for position, record in enumerate(records):
            try:
                held = unpack(record)
            except RejectedEventError as error:
                rejections.append(self._rejections.entry(record, error))
                continue
            for delivery in held:
                try:
                    by_domain: dict[str, list[ChangeEvent]] = {}
                    for event in self._decoder.decode(delivery):
                        by_domain.setdefault(event.domain, []).append(event)
                    for domain, events in by_domain.items():
                        decoded.setdefault(domain, []).append(_Decoded(position, delivery, tuple(events)))
                except RejectedEventError as error:
                    rejections.append(self._rejections.entry(delivery, error))
        return decoded, rejections

    def _apply(self, domain: str, items: Sequence[_Decoded], report: StreamReport) -> set[str]:
        """Commit the events of one domain; return the records among them that are erased."""
        parts = self._domains[domain]
        if report.first_failed is not None:
            # A domain before this one failed. If that is because Redis does not answer, one more call says so: its
            # attempts are not made for every domain again, or the function's time would be up before it has answered.
            parts.outbox.read(1)
        positioned = [(item.position, event) for item in items for event in item.events]
        batch = parts.engine.process([event for _, event in positioned])
        report.totals.add(batch)
        if batch.failed:
            first = min(positioned[i][0] for i in batch.failed)
            report.first_failed = first if report.first_failed is None else min(first, report.first_failed)
            report.cause = batch.cause
        if parts.merges.note(batch.merges):
            report.storms.append(domain)
            parts.hold("golden records merge faster than merges_per_minute_max")
            parts.merges.calm()  # and not before: a hold that failed is tried again with the next batch
        return batch.erased

    def _finish(self, domain: str, rows: Sequence[ArchivedRecord], report: StreamReport, binding: Binding) -> None:
        """Archive what was committed, make sure that it was not in vain, and publish.

        ``binding`` is what the index was bound to before the batch was first read: had another epoch gone live, or
        another server been taken over, between two commits of the batch, only the later ones would be sure to be there.
        It is compared before the archive is written, and again after it, right before the question that confirms it.
        """
        index, outbox = self._domains[domain].index, self._domains[domain].outbox
        if not rows and not outbox.read(1):
            return
        reached = outbox.position()
        index.require_unchanged(binding)
        report.archived += self._append_once.append(domain, rows, reached)
        index.require_unchanged(binding)
        erased = outbox.erased_among(sorted({ref for row in rows for ref in row.refs if row.kind in VALUE_KINDS}))
        for ref in sorted(erased):
            # Erased since it was committed. Whoever erases looks into the archive after that; we, after writing to it.
            self._archive.erase(domain, ref, rest_without(ref, self._decoder))
        large_bytes = self._domains[domain].golden_bytes_warn
        published = publish_outbox(outbox, self._golden, through=reached, large_bytes=large_bytes)
        report.published += published.changes
        report.refused += published.refused
        report.large += published.large
