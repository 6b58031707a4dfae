"""What the archive holds of the events that are traced. It has no index by record: every object is looked into."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from mdm_stream.archive import ArchivedRecord, ArchiveObject, SourceMarks
from mdm_stream.archive.read import decode_object, decode_refs, each_object, list_objects
from mdm_stream.archive.rows import delivery_of
from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.decode import Decoder
from mdm_stream.errors import RejectedEventError
from mdm_stream.objects.store import ObjectStore
from mdm_stream.trace.findings import AcceptedDelivery, ArchivedPlace
from mdm_stream.trace.subject import EventSelector

Advance = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is to do."""

_Row = tuple[ArchiveObject, int, ArchivedRecord]


class ArchiveTrace:
    """Reads rows of one domain's archive. ``since_day`` (``YYYY-MM-DD``) leaves out what was archived before it."""

    def __init__(self, store: ObjectStore, domain: str, *, since_day: str = "", advance: Advance | None = None) -> None:
        """Take the archive's store. Nothing is read yet."""
        self._store = store
        self._domain = domain
        self._since_day = since_day
        self._advance = advance or (lambda _what, _done, _of: None)
        self.objects = 0
        """Objects that the last reading has looked into."""

    def find(self, selector: EventSelector) -> list[str]:
        """Return the references of the rows that a place on a stream or the digest of an event's bytes names."""
        found: dict[str, None] = {}
        for _, _, row in self._rows(None):
            if selector.at(row.origin) and selector.raw_digest in ("", digest_of_bytes(row.raw)):
                found.update(dict.fromkeys(row.refs))
        return list(found)

    def deliveries(
        self, refs: Collection[str], decoder: Decoder, marks: SourceMarks | None = None
    ) -> list[AcceptedDelivery]:
        """Return the deliveries that name any of some records; rows of one delivery are one.

        ``decoder`` is one of archived events. ``marks`` say what operators have taken out.
        """
        rows: dict[tuple[str, int, str, bytes], list[_Row]] = {}
        for found in self._rows(set(refs)):
            row = found[2]
            rows.setdefault((row.position, row.arrival_time_us, row.origin, row.raw), []).append(found)
        return [self._delivery(same, decoder, marks) for same in rows.values()]

    def _delivery(self, rows: Sequence[_Row], decoder: Decoder, marks: SourceMarks | None) -> AcceptedDelivery:
        placed = sorted(
            (_order(found.witness), ArchivedPlace(found.name, number, found.day, found.witness, _is_batch(found)))
            for found, number, _ in rows
        )
        row = rows[0][2]
        delivery, problem = delivery_of(row), ""
        try:
            events = tuple(event for event in decoder.decode(delivery) if event.domain == self._domain)
        except RejectedEventError as error:
            events, problem = (), ", ".join(reason.code for reason in error.reasons)
        counting = events if marks is None else marks.counting(events, delivery.arrival_time_us)
        return AcceptedDelivery(delivery, row.refs, tuple(place for _, place in placed), events, counting, problem)

    def _rows(self, refs: set[str] | None) -> Iterator[_Row]:
        """Yield the rows that name one of ``refs``, or all; each with its object and its number in it."""
        seen = set()
        listed = list_objects(self._store, self._domain)
        if self._since_day:
            seen = {found.name for found in listed if found.day < self._since_day}
        expected, self.objects = len(listed) - len(seen), 0
        for found, content in each_object(self._store, self._domain, seen):
            self.objects += 1
            self._advance("look into the archive", self.objects, max(expected, self.objects))
            if refs is not None and not any(
                not refs.isdisjoint(named) for _, named in decode_refs(found.name, content)
            ):
                continue
            for number, row in enumerate(decode_object(found.name, content), start=1):
                if refs is None or not refs.isdisjoint(row.refs):
                    yield found, number, row


def _is_batch(found: ArchiveObject) -> bool:
    """Tell whether an object is of one batch, whose witness an index has had."""
    return found.kind == "segment" and found.witness != EpochPosition(0, 0, 0)


def _order(witness: EpochPosition) -> tuple[int, int, int]:
    return witness.epoch, witness.clock, witness.sequence
