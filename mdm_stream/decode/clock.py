"""The time of an event, as far as its arrival allows: no further ahead, not before a floor, and born when it may be;
and the history of its source that it belongs to by that time, and by the log that it was written to.

A time that is never overtaken would win survivorship for ever, and one before all others would take a cluster's anchor
and with it the golden id. Arrival is what the stream says, and is archived with the event, so that a rebuild decides
the same; where a delivery has none (a file's row), times are taken as they are, from the floor on.
"""

from __future__ import annotations

from mdm_stream.core.histories import history_of, in_history, is_reserved
from mdm_stream.core.model import ChangeEvent, EraseEvent, RecordEvent, Version
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
    ahead_us = DAY_US if source is None else source.clock_ahead_us
    if delivery.arrived and event.event_time_us > delivery.arrival_time_us + ahead_us:
        raise rejection(
            "event_time_ahead", "event_time", "is further ahead of the event's arrival than clock_ahead allows"
        )
    if source is None or not isinstance(event, RecordEvent):
        return event
    check_floor(event.event_time_us, source)
    version = version_in_history(event, source, delivery)
    born_at_us = _born_at_us(event.event_time_us, source, delivery)
    if born_at_us == event.event_time_us and version is event.version:
        return event
    return _born(event, version, born_at_us)


def version_in_history(event: RecordEvent, source: Source, delivery: Delivery) -> Version:
    """Return the version of an event that has its bare position as yet.

    The log's own time decides where an event says it, else the event's; but no further ahead of its arrival than
    ``clock_ahead`` allows: so nothing that has arrived by now can belong to a history that begins later than that.
    """
    position = event.version
    if is_reserved(position):
        raise rejection("wrong_format", "version", "begins with a character that no version may begin with")
    if not source.histories:
        return position
    time_us = event.event_time_us if event.place.time_us is None else event.place.time_us
    if delivery.arrived:
        time_us = min(time_us, delivery.arrival_time_us + source.clock_ahead_us)
    return in_history(history_of(source.histories, event.place, time_us), position)


def _born(event: RecordEvent, version: Version, born_at_us: int) -> RecordEvent:
    # Not dataclasses.replace, which takes three times as long, for nearly every event of a stream.
    return RecordEvent(
        event.domain,
        event.source,
        event.record_id,
        event.op,
        version,
        event.event_time_us,
        event.attributes,
        born_at_us,
        event.place,
    )


def check_floor(time_us: int, source: Source) -> None:
    """Refuse a time before the source's floor."""
    if time_us < source.event_time_floor_us:
        raise rejection("event_time_before_floor", "event_time", "is before the source's event_time_floor")


def _born_at_us(time_us: int, source: Source, delivery: Delivery) -> int:
    is_history = source.history_until_us is not None and delivery.arrival_time_us < source.history_until_us
    if not delivery.arrived or is_history:
        return time_us
    return max(time_us, delivery.arrival_time_us - source.backdating_us)
