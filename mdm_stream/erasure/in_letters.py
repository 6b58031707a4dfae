"""Dead letters and erasure: whose the values in them are, and what is left of them without these.

A dead letter holds what lay on one of the two streams: events of the change stream, or, where the warehouse consumer
gave up, messages of the golden feed.
"""

from __future__ import annotations

from collections.abc import Collection

from mdm_stream.contracts.golden import ClaimCheck, FeedEnvelope, GoldenChange, parse_message
from mdm_stream.core.model import split_ref
from mdm_stream.dead_letters import DeadEvent, DeadLetters, read_contents
from mdm_stream.dead_letters.erase import LettersErased, erase_events
from mdm_stream.erasure.evidence import Evidence
from mdm_stream.erasure.values import Values
from mdm_stream.erasure.whose import Owners, Said
from mdm_stream.errors import RejectedEventError, TerminalError
from mdm_stream.warehouse.redaction import RecordIdentity, redact_change


def look_into_letters(letters: DeadLetters, owners: Owners, evidence: Evidence) -> None:
    """Note what every dead letter of a store holds."""
    for _, content in letters.each_object():
        try:
            events = read_contents(letters.kind, content).events
        except TerminalError:
            evidence.unclear(letters.kind, "unreadable object", content)
            continue
        for event in events:
            _note(letters.kind, event, owners, evidence)


def erase_in_letters(
    letters: DeadLetters, owners: Owners, refs: Collection[str], own: Collection[str]
) -> LettersErased:
    """Take out what is theirs, and what does not say whose it is but has one of their ids and of their ``own`` values.

    Of an event that names others too, and of a golden change, what is theirs alone goes.
    """
    keys, values = [split_ref(ref) for ref in refs], Values(own)

    def rest(event: DeadEvent) -> list[bytes] | None:
        message = _golden_message(event.delivery.raw)
        if message is not None:
            return _redacted(message, owners.domain, keys)
        said = owners.of(event.delivery)
        rests = [_rest_of(each, owners, values) for each in said]
        if all(each is None for each in rests):
            return None
        return [raw for each, rest in zip(said, rests, strict=True) for raw in ([each.raw] if rest is None else rest)]

    return erase_events(letters, rest)


def _note(store: str, event: DeadEvent, owners: Owners, evidence: Evidence) -> None:
    message = _golden_message(event.delivery.raw)
    if message is not None:
        change = None if isinstance(message, ClaimCheck) else message.data
        if isinstance(change, GoldenChange) and change.domain == owners.domain:
            evidence.golden(store, "golden change", change.model_dump())
        return
    for said in owners.of(event.delivery):
        if said.whose == "theirs":
            evidence.theirs(store, "event")
        elif said.whose == "others":
            evidence.others(said.raw, said.refs)
        else:
            evidence.unclear(store, "event that does not say whose it is", said.raw)


def _rest_of(said: Said, owners: Owners, values: Values) -> list[bytes] | None:
    """Return what is left of an event; ``None`` if it is not to be touched."""
    if said.whose == "theirs":
        return owners.rest(said)
    return [] if said.whose == "unclear" and owners.names_one(said.raw, values) else None


def _redacted(message: FeedEnvelope | ClaimCheck, domain: str, keys: Collection[RecordIdentity]) -> list[bytes] | None:
    """Return a message without the values of some records; ``None`` if it has none. A claim check has none."""
    if isinstance(message, ClaimCheck):
        return None
    change = message.data
    redacted = redact_change(change, keys) if isinstance(change, GoldenChange) and change.domain == domain else None
    return None if redacted is None else [message.model_copy(update={"data": redacted}).model_dump_json().encode()]


def _golden_message(raw: bytes) -> FeedEnvelope | ClaimCheck | None:
    try:
        return parse_message(raw)
    except RejectedEventError:
        return None
