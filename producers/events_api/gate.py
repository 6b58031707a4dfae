"""The gate: whether an event may go on the stream. It says what the resolve consumer would say, by the same code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import orjson

from mdm_stream.aws.put_records import StreamPlace
from mdm_stream.core.canonical import digest_of, digest_of_bytes
from mdm_stream.core.model import RecordEvent
from mdm_stream.decode import Decoder, Delivery, claimed_identity
from mdm_stream.decode.authority import OPS, RECORD_OPS, Authority
from mdm_stream.decode.delivery import POSITION_DIGITS
from mdm_stream.decode.formats import depends_on_receipt
from mdm_stream.decode.reasons import rejection
from mdm_stream.errors import RejectedEventError
from producers.events_api.callers import Caller
from producers.events_api.event_ids import PostedEvent
from producers.events_api.problems import rejected
from producers.partition_key import partition_key

_STEWARDS_OPS = frozenset(OPS) - RECORD_OPS - {"redrive"}
_UNPLACED = "0" * POSITION_DIGITS


@dataclass(frozen=True, slots=True)
class CheckedEvent:
    """An event that may go on the stream: its bytes as they came, its key, and what it says."""

    raw: bytes
    partition_key: str
    event: RecordEvent
    depends_on_receipt: bool


class EventGate:
    """Judges events by the rules and the policy of the consumer, and by the caller's right. Thread safe."""

    def __init__(
        self, decoder: Decoder, authority: Authority, stream: str, event_bytes_max: int, now_us: Callable[[], int]
    ) -> None:
        """Take a decoder of canonical events, who may say what, and the stream on which events will lie."""
        self._decoder = decoder
        self._authority = authority
        self._stream = stream
        self._event_bytes_max = event_bytes_max
        self._now_us = now_us

    def check(self, raw: bytes, caller: Caller) -> CheckedEvent:
        """Return an event that may go on the stream; ``ProblemError`` with all reasons for one that may not."""
        if len(raw) > self._event_bytes_max:
            message = f"has {len(raw):,} bytes, and an event at most {self._event_bytes_max:,}"
            raise rejected(rejection("too_large", "", message).reasons)
        try:
            event = self._judged(raw, caller)
        except RejectedEventError as error:
            raise rejected(error.reasons) from None
        key = partition_key(event.domain, event.source, event.record_id)
        return CheckedEvent(raw, key, event, depends_on_receipt(raw))

    def posted(self, checked: CheckedEvent, place: StreamPlace) -> PostedEvent:
        """Return what the id of an event holds, now that it lies on the stream."""
        event, digest, shard, sequence = checked.event, "", "", ""
        if checked.depends_on_receipt:
            shard, sequence = place.shard_id, place.sequence_number
            event = self._decoded(checked.raw, sequence.zfill(POSITION_DIGITS))
        else:
            digest = digest_of([event.op, event.event_time_us, dict(event.attributes)])
        column = min(event.attributes, default="") if event.op == "patch" else ""
        return PostedEvent(
            event.domain,
            event.ref,
            event.op,
            event.version,
            digest,
            column,
            digest_of_bytes(checked.raw),
            shard,
            sequence,
        )

    def _judged(self, raw: bytes, caller: Caller) -> RecordEvent:
        try:
            event = self._decoded(raw, _UNPLACED)
        except RejectedEventError:
            _refuse_by_claim(raw, caller)
            raise
        _require_right(caller, event.op, event.source)
        delivery = self._authority.identified(self._delivery(raw, _UNPLACED))
        self._authority.require(delivery, (event,))
        return event

    def _decoded(self, raw: bytes, position: str) -> RecordEvent:
        events = self._decoder.decode(self._delivery(raw, position))
        if not events:
            raise rejection("empty", "", "says nothing; send an event")
        event = events[0]
        if not isinstance(event, RecordEvent):
            raise _of_stewards()
        return event

    def _delivery(self, raw: bytes, position: str) -> Delivery:
        return Delivery(raw, position, self._now_us(), f"{self._stream}/events-api:0")


def _refuse_by_claim(raw: bytes, caller: Caller) -> None:
    """Refuse an event that is wrong in other ways too for what its sender may never say, as far as that can be read."""
    source = claimed_identity(raw).source
    try:
        event = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return
    op = event.get("op") if isinstance(event, dict) else None
    if isinstance(op, str) and op in _STEWARDS_OPS:
        raise _of_stewards()
    if source is not None:
        _require_right(caller, "", source)


def _require_right(caller: Caller, op: str, source: str) -> None:
    if caller.grant.sources is not None and source not in caller.grant.sources:
        raise rejection("not_authorised", "source", "is not among the sources that this caller may write")
    if op and op not in caller.grant.ops:
        raise rejection("not_authorised", "op", "is none of the operations that this caller may send")


def _of_stewards() -> RejectedEventError:
    return rejection(
        "not_authorised",
        "op",
        "is said by stewards and operators, on the steward stream: mdm-stream review, override or erase",
    )
