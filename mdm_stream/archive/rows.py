"""What is archived of a record of the change stream, and what is left of it once a record that it names is erased."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mdm_stream.archive.erase import Rest
from mdm_stream.archive.record import ArchivedRecord, RecordKind
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import ChangeEvent, EraseEvent, OverrideEvent, RecordEvent
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.delivery import split_place
from mdm_stream.errors import RejectedEventError, TerminalError


def rows_of(
    domain: str, events: Sequence[ChangeEvent], delivery: Delivery, erased: Collection[str] = ()
) -> list[ArchivedRecord]:
    """Return the rows of one unpacked delivery, whose ``events`` are all of ``domain``.

    That is the delivery as it came; or, if one of its events says something of a record in ``erased``, a row for each
    other event, in canonical form, since the bytes hold both.
    """
    kept = kept_events(events, erased)

    def row(said: Sequence[ChangeEvent], content: bytes) -> ArchivedRecord:
        refs = tuple(dict.fromkeys(ref for event in said for ref in event.refs))
        return ArchivedRecord(
            domain=domain,
            refs=refs,
            position=delivery.place,
            arrival_time_us=delivery.arrival_time_us,
            origin=delivery.origin,
            raw=content,
            kind=_kind_of(said[0]),
            redriven_on=delivery.redriven_on,
            key_id=delivery.key_id,
        )

    if len(kept) == len(events):
        return [row(kept, delivery.raw)]
    return [row([event], encode_event(event)) for event in kept]


def delivery_of(row: ArchivedRecord) -> Delivery:
    """Return the delivery of which a row was archived: decoded again it says the same."""
    position, subsequence = split_place(row.position)
    return Delivery(row.raw, position, row.arrival_time_us, row.origin, subsequence, row.redriven_on, row.key_id)


def kept_events(events: Sequence[ChangeEvent], erased: Collection[str]) -> list[ChangeEvent]:
    """Return the events that hold no value of an erased record."""
    return [event for event in events if not (isinstance(event, RecordEvent | OverrideEvent) and event.ref in erased)]


def rest_without(ref: str, decoder: Decoder) -> Rest:
    """Return what ``Archive.erase`` asks for: how a row is divided that names the erased record and others.

    It raises ``TerminalError`` for a row that the rules of the decoder do not accept: they cannot tell it apart.
    """

    def rest(row: ArchivedRecord) -> list[ArchivedRecord]:
        delivery = delivery_of(row)
        try:
            decoded = decoder.decode(delivery)
        except RejectedEventError as error:
            raise TerminalError(
                "the archive has a row of the erased record and of others, and these rules do not accept it "
                f"({error.reasons[0].code}); erase with the rules under which it was accepted"
            ) from error
        events = [event for event in decoded if event.domain == row.domain]
        return rows_of(row.domain, events, delivery, {ref})

    return rest


def _kind_of(event: ChangeEvent) -> RecordKind:
    if isinstance(event, RecordEvent):
        return "record"
    if isinstance(event, OverrideEvent):
        return "override"
    return "erase" if isinstance(event, EraseEvent) else "verdict"
