"""The time of an event, as far as its arrival allows: no further ahead, not before a floor, and born when it may be.

A time that is never overtaken would win survivorship for ever, and one before all others would take a cluster's anchor
and with it the golden id. Arrival is what the stream says, and is archived with the event, so that a rebuild decides
the same; where a delivery has none (a file's row), times are taken as they are, from the floor on.
"""

from __future__ import annotations

from mdm_stream.core.model import ChangeEvent, EraseEvent, RecordEvent
from mdm_stream.core.ruleset import DAY_US, Source
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.reasons import rejection


def dated(event: ChangeEvent, source: Source | None, delivery: Delivery) -> ChangeEvent:
    """Return an event with its birth; ``source`` is that of a record event.

    ``RejectedEventError`` with ``event_time_ahead`` or ``event_time_before_floor``. An erasure holds whatever it says.
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
    born_at_us = _born_at_us(event.event_time_us, source, delivery)
    return event if born_at_us == event.event_time_us else _born(event, born_at_us)


def _born(event: RecordEvent, born_at_us: int) -> RecordEvent:
    # Not dataclasses.replace, which takes three times as long, for nearly every event of a stream.
    return RecordEvent(
        event.domain,
        event.source,
        event.record_id,
        event.op,
        event.version,
        event.event_time_us,
        event.attributes,
        born_at_us,
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
