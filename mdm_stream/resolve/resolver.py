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
from dataclasses import asdict, dataclass, field

from mdm_stream.archive import AppendOnce, Archive, ArchivedRecord
from mdm_stream.archive.record import VALUE_KINDS
from mdm_stream.archive.rows import rest_without, rows_of
from mdm_stream.aws.put_records import KeyedMessage
from mdm_stream.contracts.change import encode_event
from mdm_stream.contracts.golden import QuarantinedEvent, QuarantineReason
from mdm_stream.core.model import ChangeEvent, Version, make_ref
from mdm_stream.core.overrides import expiries_due
from mdm_stream.core.times import format_time_us
from mdm_stream.dead_letters.quarantine import QuarantineEntry, QuarantineStore
from mdm_stream.decode import Decoder, Delivery, claimed_identity, unpack
from mdm_stream.engine.batch import BatchReport, Engine
from mdm_stream.errors import MdmError, RejectedEventError, TransientError
from mdm_stream.feed.envelope import quarantine_message
from mdm_stream.feed.publisher import GOLDEN_BYTES_WARN, FeedPublisher, LargeGolden, publish_outbox
from mdm_stream.index.errors import EpochChangedError
from mdm_stream.index.port import Binding, Index, Outbox
from mdm_stream.resolve.merge_watch import MergeWatch

EXPIRY_RESEND_US = 300_000_000
"""An expiry that was sent is given five minutes to come back on the change stream, before it is sent again. It is
harmless twice, but a consumer that is held or far behind would be sent one with each tick.
"""


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


@dataclass(slots=True)
class StreamReport:
    """What became of a batch.

    ``first_failed`` is the position of the first record that must be delivered again (``None``: all are done).
    ``archived`` counts the rows that were not in the archive already, as far as this process knows. ``dropped`` counts
    rejected events that claim to be of an erased record: nothing is kept of these. ``storms`` names the domains whose
    merges went past the limit. ``refused`` names messages that a stream refuses for themselves, whatever is sent with
    them, and ``large`` golden records that have grown large; neither holds anything back.
    """

    records: int = 0
    quarantined: int = 0
    archived: int = 0
    published: int = 0
    expired: int = 0
    first_failed: int | None = None
    cause: str = ""
    dropped: int = 0
    storms: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    large: list[LargeGolden] = field(default_factory=list)
    totals: BatchReport = field(default_factory=BatchReport)

    def summary(self) -> dict[str, object]:
        """Return the counts for a log line; no value of a record is in it."""
        names = ["records", "quarantined", "dropped", "archived", "published", "expired"]
        names += ["first_failed", "cause", "storms", "refused"]
        counts: dict[str, object] = {name: getattr(self, name) for name in names}
        for name in ("absorbed", "collisions", "pairs", "conflicts", "reevaluated", "changes", "merges"):
            counts[name] = getattr(self.totals, name)
        counts["golden_large"] = [asdict(golden) for golden in self.large]
        return counts


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
        self._quarantine = quarantine
        self._golden = golden
        self._changes = changes
        self._now_us = now_us
        self._expiries_per_tick_max = expiries_per_tick_max
        self._sent_us: dict[tuple[str, str, Version, int], int] = {}

    def handle(self, records: Sequence[Delivery]) -> StreamReport:
        """Apply a batch. Idempotent. Nothing from ``first_failed`` on is claimed done, though some of it may be."""
        report = StreamReport(records=len(records))
        decoded, rejections = self._decode(records)
        try:
            self._reject(rejections, report)
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
                self._expire(domain, report)
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
                rejections.append(self._rejection(record, error))
                continue
            for delivery in held:
                try:
                    by_domain: dict[str, list[ChangeEvent]] = {}
                    for event in self._decoder.decode(delivery):
                        by_domain.setdefault(event.domain, []).append(event)
                    for domain, events in by_domain.items():
                        decoded.setdefault(domain, []).append(_Decoded(position, delivery, tuple(events)))
                except RejectedEventError as error:
                    rejections.append(self._rejection(delivery, error))
        return decoded, rejections

    def _rejection(self, delivery: Delivery, error: RejectedEventError) -> QuarantineEntry:
        claimed = claimed_identity(delivery.raw)
        return QuarantineEntry(
            delivery, error.reasons, self._now_us(), claimed.domain, claimed.source, claimed.record_id
        )

    def _reject(self, rejections: Sequence[QuarantineEntry], report: StreamReport) -> None:
        """Keep rejected events first, then report them on the feed; keep nothing of a record that is erased.

        Whoever erases first writes the erasure and then looks for values, in the quarantine too. Here a value is
        written first, and then it is asked for the erasure: one of the two sees the other.
        """
        if not rejections:
            return
        kept = list(zip(rejections, self._quarantine.put(rejections), strict=True))
        erased = self._of_erased_records(rejections)
        if erased:
            self._quarantine.remove([entry for entry in rejections if entry.quarantine_id in erased])
            kept = [(entry, location) for entry, location in kept if entry.quarantine_id not in erased]
        report.quarantined, report.dropped = len(kept), len(rejections) - len(kept)
        messages = [quarantine_message(_quarantine_report(*each)) for each in kept]
        # The event itself is kept; a report that no stream takes is noted here.
        self._send(self._golden, messages, report)

    def _send(self, publisher: FeedPublisher, messages: Sequence[KeyedMessage], report: StreamReport) -> set[int]:
        """Publish messages that are not from an outbox; note those refused for themselves, and return their places."""
        refused = publisher.publish(messages) or []
        report.refused += [f"{messages[each.position][0]}: {each.code}" for each in refused]
        return {each.position for each in refused}

    def _of_erased_records(self, entries: Sequence[QuarantineEntry]) -> set[str]:
        """Return the ids of those that claim to be of an erased record; without a domain, of one in any of them."""
        found = set()
        for domain, parts in self._domains.items():
            claims = {
                entry.quarantine_id: make_ref(entry.source, entry.record_id)
                for entry in entries
                if entry.source is not None and entry.record_id is not None and entry.domain in (None, domain)
            }
            if claims:
                parts.index.refresh()
                records = parts.index.read_records(sorted(set(claims.values())))
                erased = {ref for ref, record in records.items() if record.state.erased}
                found |= {each for each, ref in claims.items() if ref in erased}
        return found

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

    def _expire(self, domain: str, report: StreamReport) -> None:
        """Put the events on the change stream that end overrides whose time has come."""
        now_us = self._now_us()
        index = self._domains[domain].index
        records = index.read_records(index.due(now_us, self._expiries_per_tick_max))
        due = {
            (domain, event.ref, event.version, event.event_time_us): event
            for ref, record in records.items()
            for event in expiries_due(domain, ref, record.state, now_us)
        }
        self._sent_us = {key: at_us for key, at_us in self._sent_us.items() if at_us > now_us - EXPIRY_RESEND_US}
        events = [event for key, event in due.items() if key not in self._sent_us]
        if events:
            messages = [(f"{domain}/{event.ref}"[:256], encode_event(event)) for event in events]
            refused = self._send(self._changes, messages, report)
            self._sent_us |= {key: now_us for key in due if key not in self._sent_us}
            report.expired += len(events) - len(refused)


def _quarantine_report(entry: QuarantineEntry, location: str) -> QuarantinedEvent:
    return QuarantinedEvent(
        quarantine_id=entry.quarantine_id,
        domain=entry.domain,
        source=entry.source,
        record_id=entry.record_id,
        reasons=[QuarantineReason(code=r.code, path=r.path, message=r.message) for r in entry.reasons],
        raw_bytes=len(entry.delivery.raw),
        location=location,
        received_from=entry.delivery.origin,
        quarantined_at=format_time_us(entry.quarantined_at_us),
    )
