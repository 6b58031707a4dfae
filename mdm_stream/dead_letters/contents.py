"""What a dead letter's object holds: events as they were first delivered, and why they did not get through. Pure.

A quarantined event is one event with reasons (see ``mdm_stream.dead_letters.quarantine``). An on-failure object is what
Lambda writes to an S3 destination of a Kinesis event source: a JSON document about the batch that failed
(``timestamp``, ``requestContext.condition``), in whose ``payload`` is the event of the invocation, as JSON text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from mdm_stream.core.times import TIME_US_MAX, TIME_US_MIN, parse_time_us
from mdm_stream.dead_letters.quarantine import decode_entry
from mdm_stream.decode import ClaimedIdentity, Delivery, claimed_identity, unpack
from mdm_stream.decode.kinesis_event import kinesis_record
from mdm_stream.errors import Reason, RejectedEventError, TerminalError

Kind = Literal["quarantine", "on_failure"]

PARTITION_KEY_CHARS_MAX = 256
"""The limit of Kinesis: a longer one is nothing that it ever delivered."""

# A stream's own ARN, or that of a registered consumer of it, which goes on after the stream's name.


@dataclass(frozen=True, slots=True)
class DeadEvent:
    """One event, as it was delivered: from the quarantine an unpacked one, from a batch the record of the stream.

    ``stream`` is None if it came by the change stream, as everything in the quarantine. ``partition_key`` is the one
    that it was sent with, if that is known. ``holds`` counts the events in it: an aggregate has several.
    """

    delivery: Delivery
    claimed: ClaimedIdentity
    stream: str | None = None
    partition_key: str | None = None
    holds: int = 1


@dataclass(frozen=True, slots=True)
class Contents:
    """The events of one dead letter, in the order of the stream, and what became of them when.

    A quarantined event has ``reasons``, a batch that was given up has a ``condition``.
    """

    events: tuple[DeadEvent, ...]
    when_us: int
    reasons: tuple[Reason, ...] = ()
    condition: str | None = None

    @property
    def causes(self) -> tuple[str, ...]:
        """The codes by which dead letters are selected."""
        return tuple(reason.code for reason in self.reasons) or ((self.condition,) if self.condition else ())

    @property
    def claimed(self) -> ClaimedIdentity:
        """What all of its events claim; None where they differ."""
        return _common_claims([event.claimed for event in self.events])


def read_contents(kind: Kind, content: bytes) -> Contents:
    """Return what an object holds; ``TerminalError`` says, without a value, what is wrong with it."""
    return _quarantined(content) if kind == "quarantine" else _given_up(content)


def _quarantined(content: bytes) -> Contents:
    entry = decode_entry(content)
    claimed = ClaimedIdentity(entry.domain, entry.source, entry.record_id)
    return Contents((DeadEvent(entry.delivery, claimed),), entry.quarantined_at_us, reasons=entry.reasons)


def _given_up(content: bytes) -> Contents:
    try:
        document = orjson.loads(content)
        condition = str(document["requestContext"]["condition"])
        when_us = parse_time_us(document["timestamp"])
        payload = document.get("payload")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TerminalError("the object is no document that Lambda writes for a failed batch") from error
    if payload is None:
        raise TerminalError(
            "the document has no payload: read the records from the stream while it still holds them, and let an S3 "
            "bucket be the destination (queues and topics get no payload)"
        )
    try:
        event = orjson.loads(payload) if isinstance(payload, str) else payload
        records = tuple(_record(record) for record in event["Records"])
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise TerminalError("the document's payload is no event of a Kinesis event source") from error
    if not records:
        raise TerminalError("the document's payload has no records")
    return Contents(records, when_us, condition=condition)


def _record(item: Mapping[str, Any]) -> DeadEvent:
    record = kinesis_record(item)
    number, key = record.sequence_number, record.partition_key
    if not (number.isascii() and number.isdigit()):
        raise ValueError("no record of a Kinesis stream")
    if (
        not TIME_US_MIN <= record.delivery.arrival_time_us <= TIME_US_MAX
        or not 1 <= len(key) <= PARTITION_KEY_CHARS_MAX
    ):
        raise ValueError("no record that Kinesis would take")
    claims = _claims(record.delivery)
    return DeadEvent(record.delivery, _common_claims(claims), record.stream, str(key), len(claims))


def _claims(delivery: Delivery) -> list[ClaimedIdentity]:
    """Return what a record of the stream claims to be about, for each event in it, also if it lay there wrapped."""
    try:
        return [claimed_identity(held.raw) for held in unpack(delivery)]
    except RejectedEventError:
        return [ClaimedIdentity()]


def _common_claims(of_all: Sequence[ClaimedIdentity]) -> ClaimedIdentity:
    return ClaimedIdentity(
        *(_common([getattr(claimed, name) for claimed in of_all]) for name in ("domain", "source", "record_id"))
    )


def _common(values: list[str | None]) -> str | None:
    return values[0] if len(set(values)) == 1 else None
