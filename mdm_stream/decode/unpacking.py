"""What a record of the change stream holds. Whoever reads the stream unpacks first: resolver, erasure, dead letters.

A reader that skipped this would decode a wrapping instead of an event: it would reject what the others accept, and
an erasure would not see the values in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mdm_stream.core.faults import as_rejection
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.redrive_envelope import unwrap

Layer = Callable[[Delivery], tuple[Delivery, ...]]
"""Takes one wrapping off: returns what is in it, in order, or the delivery itself if it has none of this kind.
``RejectedEventError`` if the wrapping is damaged. A layer bounds what it returns, in bytes and in number."""

UNKNOWN_STREAM = "?"
"""On which an envelope lay whose place is not known; no stream has that name."""


def _first_delivery(delivery: Delivery) -> tuple[Delivery, ...]:
    """A redriven event lies in an envelope, which says where and when it arrived first; that bounds its own size."""
    redriven = unwrap(delivery.raw)
    return (delivery if redriven is None else replace(redriven, redriven_on=delivery.stream or UNKNOWN_STREAM),)


LAYERS: tuple[Layer, ...] = (_first_delivery,)
"""From the outermost wrapping inwards. Each is taken off once at most, so that unpacking ends."""


def unpack(delivery: Delivery) -> tuple[Delivery, ...]:
    """Return the deliveries that a record of the stream holds, in order: most often the record itself.

    Idempotent. ``RejectedEventError`` if a wrapping is damaged; the record is then rejected as a whole. So it is, with
    reason ``engine_fault``, if taking a wrapping off meets an unexpected fault.
    """
    held: tuple[Delivery, ...] = (delivery,)
    try:
        for layer in LAYERS:
            held = tuple(inner for outer in held for inner in layer(outer))
    except Exception as error:
        raise as_rejection(error) from error
    return held
