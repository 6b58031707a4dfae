"""Rejected events: kept in quarantine before the batch counts as done, and reported on the golden feed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mdm_stream.core.model import ChangeEvent, RecordEvent, make_ref
from mdm_stream.dead_letters.quarantine import QuarantineEntry, QuarantineStore, quarantine_report
from mdm_stream.decode import claimed_identity
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.reasons import rejection
from mdm_stream.errors import RejectedEventError
from mdm_stream.feed.envelope import quarantine_message
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.index.port import Index
from mdm_stream.resolve.report import StreamReport


class Rejections:
    """Where rejected events go. ``indexes`` say, by domain, which records are erased."""

    def __init__(
        self,
        quarantine: QuarantineStore,
        golden: FeedPublisher,
        indexes: Mapping[str, Index],
        now_us: Callable[[], int],
    ) -> None:
        self._quarantine = quarantine
        self._golden = golden
        self._indexes = indexes
        self._now_us = now_us

    def entry(self, delivery: Delivery, error: RejectedEventError) -> QuarantineEntry:
        """Return what the quarantine keeps of a rejected delivery."""
        claimed = claimed_identity(delivery.raw)
        return QuarantineEntry(
            delivery, error.reasons, self._now_us(), claimed.domain, claimed.source, claimed.record_id
        )

    def held(self, delivery: Delivery, events: Sequence[ChangeEvent]) -> QuarantineEntry:
        """Return what the quarantine keeps of a delivery of a held source, until the source is released."""
        event = next(event for event in events if isinstance(event, RecordEvent))
        (reason,) = rejection(
            "source_held",
            "source",
            "is held by an operator; this event is kept, and sent again by: mdm-stream source release",
        ).reasons
        return QuarantineEntry(delivery, (reason,), self._now_us(), event.domain, event.source, event.record_id)

    def keep(self, rejections: Sequence[QuarantineEntry], report: StreamReport) -> None:
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
        report.quarantined += len(kept)
        report.reasons.update(entry.reasons[0].code for entry, _ in kept)
        report.dropped += len(rejections) - len(kept)
        messages = [quarantine_message(quarantine_report(*each)) for each in kept]
        # The event itself is kept; a report that no stream takes is noted here.
        report.send(self._golden, messages)

    def _of_erased_records(self, entries: Sequence[QuarantineEntry]) -> set[str]:
        """Return the ids of those that claim to be of an erased record; without a domain, of one in any of them."""
        found = set()
        for domain, index in self._indexes.items():
            claims = {
                entry.quarantine_id: make_ref(entry.source, entry.record_id)
                for entry in entries
                if entry.source is not None and entry.record_id is not None and entry.domain in (None, domain)
            }
            if claims:
                index.refresh()
                records = index.read_records(sorted(set(claims.values())))
                erased = {ref for ref, record in records.items() if record.state.erased}
                found |= {each for each, ref in claims.items() if ref in erased}
        return found
