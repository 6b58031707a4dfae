"""What a record of the change stream holds. Whoever reads the stream unpacks first: resolver, erasure, dead letters.

A reader that skipped this would decode a wrapping instead of an event: it would reject what the others accept, and
an erasure would not see the values in it. Two wrappings are known: the envelope of what was redriven, and the aggregate
of the Kinesis Producer Library, which may lie in an envelope.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mdm_stream.contracts.kpl import UserRecord, aggregate_of, is_aggregate, user_records
from mdm_stream.core.faults import as_rejection
from mdm_stream.decode.delivery import Delivery
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.redrive_envelope import is_envelope, unwrap, wrap

Layer = Callable[[Delivery], tuple[Delivery, ...]]
"""Takes one wrapping off: returns what is in it, in order, or the delivery itself if it has none of this kind.
``RejectedEventError`` if the wrapping is damaged. A layer bounds what it returns, in bytes and in number."""

UNKNOWN_STREAM = "?"
"""On which an envelope lay whose place is not known; no stream has that name."""


def _first_delivery(delivery: Delivery) -> tuple[Delivery, ...]:
    """A redriven event lies in an envelope, which says where and when it arrived first; that bounds its own size."""
    redriven = unwrap(delivery.raw)
    return (delivery if redriven is None else replace(redriven, redriven_on=delivery.stream or UNKNOWN_STREAM),)


def _user_records(delivery: Delivery) -> tuple[Delivery, ...]:
    """An aggregate holds several events, each at its own place in the record. None of them is a wrapping."""
    if not is_aggregate(delivery.raw):
        return (delivery,)
    return tuple(
        delivery.part(each.content, number)
        for number, each in enumerate(_checked_user_records(delivery.raw))
        if each is not None
    )


def _checked_user_records(aggregate: bytes) -> list[UserRecord | None]:
    try:
        found = user_records(aggregate)
    except ValueError as error:
        raise rejection("bad_aggregate", "", str(error)) from None
    if any(each is not None and (is_aggregate(each.content) or is_envelope(each.content)) for each in found):
        raise rejection("bad_aggregate", "", "holds another aggregate or an envelope; what is sent is wrapped once")
    return found


LAYERS: tuple[Layer, ...] = (_first_delivery, _user_records)
"""From the outermost wrapping inwards. Each is taken off once at most, so that unpacking ends."""


def unpack(delivery: Delivery) -> tuple[Delivery, ...]:
    """Return the deliveries that a record of the stream holds, in order: most often the record itself.

    Idempotent. ``RejectedEventError`` if a wrapping is damaged; the record is then rejected as a whole. So it is, with
    reason ``engine_fault``, if taking a wrapping off meets an unexpected fault.
    """
    held: tuple[Delivery, ...] = (delivery,)
    try:
        for layer in LAYERS:
            held = layer(held[0]) if len(held) == 1 else tuple(inner for outer in held for inner in layer(outer))
    except Exception as error:
        raise as_rejection(error) from error
    return held


def repacked(record: Delivery, rests: Sequence[Sequence[bytes] | None]) -> list[bytes]:
    """Return what takes the place of a record of the stream of whose events only a part may stay.

    ``rests`` says of each delivery that ``unpack`` returns what stays of it: None for all. What an aggregate keeps
    stays in it, each at its place in the record; what further events a rest has, which bring versions and times of
    their own, stand beside it. Nothing is returned where nothing stays.
    """
    redriven = unwrap(record.raw)
    first = redriven or record
    if not is_aggregate(first.raw):
        return [raw for held, rest in zip(unpack(record), rests, strict=True) for raw in (_kept(held.raw, rest))]
    waiting, further = iter(rests), list[bytes]()
    kept: list[UserRecord | None] = []
    for each in _checked_user_records(first.raw):
        stays = [] if each is None else _kept(each.content, next(waiting))
        kept.append(replace(each, content=stays[0]) if each is not None and stays else None)
        further += stays[1:]
    if all(each is None for each in kept):
        return []
    aggregate = aggregate_of(kept)
    return [aggregate if redriven is None else wrap(replace(redriven, raw=aggregate)), *further]


def _kept(raw: bytes, rest: Sequence[bytes] | None) -> Sequence[bytes]:
    return [raw] if rest is None else rest
