"""What the resolve consumers do with a batch of the change stream: decode, quarantine, apply, publish.

Knows neither Lambda nor the KCL: a consumer gives it stream records in order, and is told the first one that must be
delivered again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mdm_stream.contracts.golden import QuarantinedEvent, QuarantineReason
from mdm_stream.contracts.times import format_time_us
from mdm_stream.core.model import ChangeEvent
from mdm_stream.decode import Decoder, Received, claimed_identity
from mdm_stream.engine.batch import BatchReport, Engine
from mdm_stream.errors import RejectedEventError, TransientError
from mdm_stream.feed.envelope import quarantine_message
from mdm_stream.feed.publisher import FeedPublisher, publish_outbox
from mdm_stream.index.port import Outbox
from mdm_stream.quarantine import QuarantineEntry, QuarantineStore, quarantine_id_of


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One record of the change stream. ``origin`` tells people where it lies: ``stream/shard:sequence``."""

    data: bytes
    received: Received
    origin: str


@dataclass(frozen=True, slots=True)
class DomainResolver:
    """The engine of one domain and the outbox that its commits fill."""

    engine: Engine
    outbox: Outbox


@dataclass(slots=True)
class StreamReport:
    """What became of a batch.

    ``first_failed`` is the position of the first record that must be delivered again (``None``: all are done).
    """

    records: int = 0
    quarantined: int = 0
    published: int = 0
    first_failed: int | None = None
    cause: str = ""
    totals: BatchReport = field(default_factory=BatchReport)

    def summary(self) -> dict[str, object]:
        """Return the counts for a log line; no value of a record is in it."""
        counts: dict[str, object] = {"records": self.records, "quarantined": self.quarantined}
        counts |= {"published": self.published, "first_failed": self.first_failed, "cause": self.cause}
        for name in ("absorbed", "collisions", "pairs", "conflicts", "reevaluated", "changes"):
            counts[name] = getattr(self.totals, name)
        return counts


class Resolver:
    """Handles batches of the change stream for all domains."""

    def __init__(
        self,
        decoder: Decoder,
        domains: Mapping[str, DomainResolver],
        publisher: FeedPublisher,
        quarantine: QuarantineStore,
        *,
        now_us: Callable[[], int],
    ) -> None:
        self._decoder = decoder
        self._domains = domains
        self._publisher = publisher
        self._quarantine = quarantine
        self._now_us = now_us

    def handle(self, records: Sequence[StreamRecord]) -> StreamReport:
        """Apply a batch. Idempotent. Nothing from ``first_failed`` on is claimed done, though some of it may be."""
        report = StreamReport(records=len(records))
        events, rejections = self._decode(records)
        report.quarantined = len(rejections)
        try:
            self._reject(rejections)
            for domain, positioned in events.items():
                self._apply(domain, positioned, report)
            self._publish(report)
        except TransientError as error:
            report.first_failed, report.cause = 0, str(error)
        return report

    def tick(self) -> StreamReport:
        """Do what waits without a batch: publish, drain the re-evaluation queues, publish what that changed."""
        report = StreamReport()
        self._publish(report)
        for domain in self._domains.values():
            report.totals.add(domain.engine.drain())
        self._publish(report)
        return report

    def _decode(
        self, records: Sequence[StreamRecord]
    ) -> tuple[dict[str, list[tuple[int, ChangeEvent]]], list[QuarantineEntry]]:
        events: dict[str, list[tuple[int, ChangeEvent]]] = {}
        rejections = []
        for position, record in enumerate(records):
            try:
                for event in self._decoder.decode(record.data, record.received):
                    events.setdefault(event.domain, []).append((position, event))
            except RejectedEventError as error:
                claimed = claimed_identity(record.data)
                rejections.append(
                    QuarantineEntry(
                        record.data,
                        error.reasons,
                        record.origin,
                        self._now_us(),
                        claimed.domain,
                        claimed.source,
                        claimed.record_id,
                    )
                )
        return events, rejections

    def _reject(self, rejections: Sequence[QuarantineEntry]) -> None:
        """Keep rejected events first, then report them on the feed."""
        if rejections:
            locations = self._quarantine.put(rejections)
            reports = [_quarantine_report(*kept) for kept in zip(rejections, locations, strict=True)]
            self._publisher.publish([quarantine_message(report) for report in reports])

    def _apply(self, domain: str, positioned: Sequence[tuple[int, ChangeEvent]], report: StreamReport) -> None:
        batch = self._domains[domain].engine.process([event for _, event in positioned])
        report.totals.add(batch)
        if batch.failed:
            first = min(positioned[i][0] for i in batch.failed)
            report.first_failed = first if report.first_failed is None else min(first, report.first_failed)
            report.cause = batch.cause

    def _publish(self, report: StreamReport) -> None:
        for domain in self._domains.values():
            report.published += len(publish_outbox(domain.outbox, self._publisher))


def _quarantine_report(entry: QuarantineEntry, location: str) -> QuarantinedEvent:
    return QuarantinedEvent(
        quarantine_id=quarantine_id_of(entry.raw),
        domain=entry.domain,
        source=entry.source,
        record_id=entry.record_id,
        reasons=[QuarantineReason(code=r.code, path=r.path, message=r.message) for r in entry.reasons],
        raw_bytes=len(entry.raw),
        location=location,
        received_from=entry.received_from,
        quarantined_at=format_time_us(entry.quarantined_at_us),
    )
