"""The time of an event, as far as its arrival allows: no further ahead, not before a floor, and born when it may be;
and the history of its source that it belongs to by that time, and by the log that it was written to.

A time that is never overtaken would win survivorship for ever, and one before all others would take a cluster's anchor
and with it the golden id. Arrival is what the stream says, and is archived with the event, so that a rebuild decides
the same; where a delivery has none (a file's row), times are taken as they are, from the floor on.
"""

from __future__ import annotations

from collections.abc import Mapping

from mdm_stream.core.histories import history_of, in_history, is_reserved
from mdm_stream.core.model import ChangeEvent, EraseEvent, LogPlace, RecordEvent, RecordOp, Value, Version
from mdm_stream.core.ruleset import DAY_US, Source
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.reasons import rejection


def dated(event: ChangeEvent, source: Source | None, delivery: Delivery) -> ChangeEvent:
    """Return an event with its birth, and its version in its history; ``source`` is that of a record event.

    ``RejectedEventError`` with ``event_time_ahead`` or ``event_time_before_floor``, or for a version that begins as
    those of later histories do. An erasure holds whatever it says.
    """
    if isinstance(event, EraseEvent):
        return event
    if source is None or not isinstance(event, RecordEvent):
        _check_ahead(event.event_time_us, DAY_US if source is None else source.clock_ahead_us, delivery)
        return event
    return dated_record(
        event.domain,
        source,
        event.record_id,
        event.op,
        event.version,
        event.event_time_us,
        event.attributes,
        event.place,
        delivery,
    )


def dated_record(  # noqa: PLR0913, PLR0917 - the parts of an event by place, as its own constructor takes them
    domain: str,
    source: Source,
    record_id: str,
    op: RecordOp,
    position: Version,
    time_us: int,
    attributes: Mapping[str, Value],
    place: LogPlace,
    delivery: Delivery,
) -> RecordEvent:
    """Return the event of a record as ``dated`` does, made of its parts: each event of a stream is made once."""
    _check_ahead(time_us, source.clock_ahead_us, delivery)
    check_floor(time_us, source)
    version = version_in_history(position, time_us, place, source, delivery)
    born_at_us = _born_at_us(time_us, source, delivery)
    return RecordEvent(
        domain,
        source.name,
        record_id,
        op,
        version,
        time_us,
        attributes,
        None if born_at_us == time_us and version is position else born_at_us,
        place,
    )


def version_in_history(position: Version, time_us: int, place: LogPlace, source: Source, delivery: Delivery) -> Version:
    """Return the version of a change at a bare position, made at ``time_us``: that itself where there is no history.

    The log's own time decides where an event says it, else the event's; but no further ahead of its arrival than
    ``clock_ahead`` allows: so nothing that has arrived by now can belong to a history that begins later than that.
    """
    if is_reserved(position):
        raise rejection("wrong_format", "version", "begins with a character that no version may begin with")
    if not source.histories:
        return position
    time_us = place.time_in(time_us)
    if delivery.arrived:
        time_us = min(time_us, delivery.arrival_time_us + source.clock_ahead_us)
    return in_history(history_of(source.histories, place, time_us), position)


def _check_ahead(time_us: int, ahead_us: int, delivery: Delivery) -> None:
    if time_us > delivery.arrival_time_us + ahead_us and delivery.arrived:
        raise rejection(
            "event_time_ahead", "event_time", "is further ahead of the event's arrival than clock_ahead allows"
        )


def check_floor(time_us: int, source: Source) -> None:
    """Refuse a time before the source's floor."""
    if time_us < source.event_time_floor_us:
        raise rejection("event_time_before_floor", "event_time", "is before the source's event_time_floor")


def _born_at_us(time_us: int, source: Source, delivery: Delivery) -> int:
    earliest_us = delivery.arrival_time_us - source.backdating_us
    if time_us >= earliest_us or not delivery.arrived:
        return time_us
    is_history = source.history_until_us is not None and delivery.arrival_time_us < source.history_until_us
    return time_us if is_history else earliest_us
