"""What became of an event: read from the index and the quarantine. Nothing is kept for it, and no consumer is asked.

The index says it first: a record's state names the version of each write that counts. What is not there is in the
quarantine under a name that follows from the event's bytes (and from its place, if that is a part of what it says), or
it still waits on the stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.errors import translated
from mdm_stream.aws.put_records import StreamPlace
from mdm_stream.contracts.events_api import Effect, EventStatus, GoldenPlace, ProblemReason
from mdm_stream.core.fold import Base, Patch, RecordState
from mdm_stream.core.model import split_ref, version_order
from mdm_stream.dead_letters.quarantine import QuarantineEntry, QuarantineStore, quarantine_id_from
from mdm_stream.decode.delivery import Delivery
from mdm_stream.errors import TerminalError
from mdm_stream.index.reader import IndexReader
from producers.events_api.event_ids import PostedEvent


class PlacesRead(Protocol):
    """What has to be known of the stream for an event whose place is a part of what it says."""

    def is_done(self, place: StreamPlace) -> bool:
        """Tell whether the consumers are past a place. They may be, and not say so yet."""
        ...

    def delivery(self, place: StreamPlace) -> Delivery | None:
        """Return the record at a place as it is delivered; ``None`` if the stream has forgotten it."""
        ...


class Outcomes:
    """Finds out what became of events. Thread safe."""

    def __init__(
        self,
        readers: Mapping[str, Callable[[], IndexReader]],
        quarantine: QuarantineStore,
        stream: str,
        places: PlacesRead,
    ) -> None:
        """Take what opens the index of each domain, the quarantine, the stream, and what is known of its places."""
        self._readers = readers
        self._quarantine = quarantine
        self._stream = stream
        self._places = places

    def of(self, event_id: str, event: PostedEvent) -> EventStatus | None:
        """Return what became of an event, ``None`` if its domain has no rules here any more."""
        open_reader = self._readers.get(event.domain)
        if open_reader is None:
            return None
        source = split_ref(event.ref)[0]
        reader = open_reader()
        reader.refresh()
        record = reader.read_records([event.ref]).get(event.ref)
        effect = effect_of(record.state, event) if record is not None else effect_of(RecordState(), event)
        rejected = None if effect in ("standing", "erased") else self._rejected(event)
        if rejected is not None:
            reasons = [ProblemReason(code=r.code, path=r.path, message=r.message) for r in rejected.reasons]
            return EventStatus(id=event_id, state="rejected", domain=event.domain, source=source, reasons=reasons)
        if effect is None:
            return EventStatus(id=event_id, state="accepted", domain=event.domain, source=source)
        golden_id = reader.golden_of([event.ref]).get(event.ref)
        reached = reader.reached()  # asked last: what was read before is on the feed by then, or on its way there
        golden = GoldenPlace(golden_id=golden_id, epoch=reached.epoch, sequence=reached.sequence)
        return EventStatus(
            id=event_id, state="applied", domain=event.domain, source=source, effect=effect, golden=golden
        )

    def _rejected(self, event: PostedEvent) -> QuarantineEntry | None:
        receipt = None
        if event.place is not None:
            if not self._places.is_done(event.place):
                return None
            delivery = self._places.delivery(event.place)
            if delivery is None:
                return None
            receipt = (delivery.place, delivery.arrival_time_us)
        quarantine_id = quarantine_id_from(event.raw_digest, receipt=receipt, stream=self._stream)
        return self._quarantine.get(event.domain, quarantine_id)


def effect_of(state: RecordState, event: PostedEvent) -> Effect | None:
    """Return what a write does in a state of its record, ``None`` if that does not know of it yet. Pure."""
    if state.erased:
        return "erased"
    if event.op != "patch":
        return _against(state.base, event)
    if not event.column:
        return "none"
    held: list[Base | Patch] = list(state.patches.values())
    if any(_against(patch, event) == "standing" for patch in held):
        return "standing"  # of a patch whose columns were partly written since, the others stand
    newer = [_against(each, event) for each in (state.patches.get(event.column), state.base)]
    return "superseded" if "superseded" in newer else None


def _against(held: Base | Patch | None, event: PostedEvent) -> Effect | None:
    """Return whether a write is the one that is held, or below it."""
    if held is None:
        return None
    if held.version == event.version and (not event.digest or held.digest == event.digest):
        return "standing"
    order = (version_order(event.version), event.digest)
    return "superseded" if order < (version_order(held.version), held.digest) else None


@dataclass(slots=True)
class StreamPlaces:
    """Places of the change stream: how far consumers say that they have come, and the record at a place."""

    kinesis: Any
    stream: str
    done: Callable[[], Mapping[str, str]]
    """Returns by ``stream/shard`` the sequence number of the last record that is done."""

    def is_done(self, place: StreamPlace) -> bool:
        """Tell whether the consumers are past a place."""
        reached = self.done().get(f"{self.stream}/{place.shard_id}")
        return reached is not None and int(reached) >= int(place.sequence_number)

    def delivery(self, place: StreamPlace) -> Delivery | None:
        """Return the record at a place. It spends one of the reads that a shard allows: ask ``is_done`` first."""
        try:
            iterator = self.kinesis.get_shard_iterator(
                StreamName=self.stream,
                ShardId=place.shard_id,
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                StartingSequenceNumber=place.sequence_number,
            )["ShardIterator"]
            records = self.kinesis.get_records(ShardIterator=iterator, Limit=1)["Records"]
        except (BotoCoreError, ClientError) as error:
            fault = translated(error, "read the change stream")
            if isinstance(fault, TerminalError):
                return None  # the shard is gone, or the place has been forgotten
            raise fault from error
        if not records or records[0]["SequenceNumber"] != place.sequence_number:
            return None
        record = records[0]
        arrived_s = record["ApproximateArrivalTimestamp"].timestamp()
        return Delivery.from_kinesis(record["Data"], place.sequence_number, arrived_s)
