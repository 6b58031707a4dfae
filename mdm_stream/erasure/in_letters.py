"""Dead letters and erasure: whose the values in them are, and what is left of them without these.

A dead letter holds what lay on one of the two streams: events of the change stream, or, where the warehouse consumer
gave up, messages of the golden feed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

import orjson

from mdm_stream.contracts.evidence import RecordChanged
from mdm_stream.contracts.golden import ClaimCheck, FeedEnvelope, GoldenChange, encode_message, parse_message
from mdm_stream.core.model import split_ref
from mdm_stream.dead_letters import DeadEvent, DeadLetters, read_contents
from mdm_stream.dead_letters.erase import LettersErased, erase_events
from mdm_stream.decode.unpacking import repacked
from mdm_stream.erasure.evidence import Evidence
from mdm_stream.erasure.needles import Needles
from mdm_stream.erasure.whose import Owners, Said
from mdm_stream.errors import RejectedEventError, TerminalError
from mdm_stream.warehouse.redaction import RecordIdentity, redact_change, redact_record

UNCLEAR = "event that does not say whose it is"
UNREADABLE = "unreadable object"
BESIDE = "reasons or origin of an event"

ID_CHARS_SURE = 3
"""A shorter record id stands in a payload as a version, a flag or a count as well."""


def look_into_letters(letters: DeadLetters, owners: Owners, evidence: Evidence) -> None:
    """Note what every dead letter of a store holds, and what is kept beside its events: names, reasons, origins."""
    for name, content in letters.each_object():
        where = letters.letter_id(name)
        try:
            held = read_contents(letters.kind, content)
        except TerminalError:
            evidence.unclear(letters.kind, UNREADABLE, content, where=where)
            continue
        for event in held.events:
            _note(letters.kind, event, owners, evidence, where)
        if letters.kind == "quarantine":
            beside = orjson.dumps([name, [asdict(reason) for reason in held.reasons], held.events[0].delivery.origin])
            evidence.unclear(letters.kind, BESIDE, beside, where=where, may_name_them=True)


def erase_in_letters(
    letters: DeadLetters, owners: Owners, refs: Collection[str], own: Collection[str]
) -> LettersErased:
    """Take out what is theirs, and what does not say whose it is but surely is theirs; see ``Certainty``.

    Of an event that names others too, and of a golden change, what is theirs alone goes.
    """
    keys, certainty = [split_ref(ref) for ref in refs], Certainty(refs, own)

    def rest(event: DeadEvent) -> list[bytes] | None:
        message = _golden_message(event.delivery.raw)
        if message is not None:
            return _redacted(message, owners.domain, keys)
        said = owners.of(event.delivery)
        rests = [_rest_of(each, owners, certainty) for each in said]
        if all(each is None for each in rests):
            return None
        try:
            return repacked(event.delivery, rests)
        except RejectedEventError:  # a wrapping that cannot be taken off is one event, and is theirs
            return [raw for rest in rests for raw in rest or ()]

    return erase_events(letters, rest, certainty.is_theirs)


class Certainty:
    """Tells bytes that surely are of some records, though they do not say so, from those that may be.

    Surely theirs is what holds the id of one of them letter by letter, as a word, and as a word, too, a value that
    nobody else has. An id of fewer than ``ID_CHARS_SURE`` characters is in too many bytes by chance.
    """

    def __init__(self, refs: Collection[str], own: Collection[str]) -> None:
        """Take the records, and the values that they alone have."""
        ids = {split_ref(ref)[1] for ref in refs}
        self._own = frozenset(own)
        self._needles = Needles(own, {each for each in ids if len(each) >= ID_CHARS_SURE})

    def is_theirs(self, raw: bytes) -> bool:
        """Tell whether bytes that do not say whose they are surely are theirs."""
        found = self._needles.found_in(raw)
        return found.exact_ids and not found.words.isdisjoint(self._own)


def _note(store: str, event: DeadEvent, owners: Owners, evidence: Evidence, where: str) -> None:
    message = _golden_message(event.delivery.raw)
    if message is not None:
        change = None if isinstance(message, ClaimCheck) else message.data
        if isinstance(change, GoldenChange) and change.domain == owners.domain:
            evidence.golden(store, "golden change", change.model_dump())
        elif isinstance(change, RecordChanged) and change.domain == owners.domain:
            evidence.record(store, "source record", change.model_dump())
        return
    for said in owners.of(event.delivery):
        if said.whose == "theirs":
            evidence.theirs(store, "event", where=where)
        elif said.whose == "others":
            evidence.others(said.raw, said.refs)
        else:
            evidence.unclear(store, UNCLEAR, said.raw, where=where, may_name_them=owners.claims_other(said))


def _rest_of(said: Said, owners: Owners, certainty: Certainty) -> list[bytes] | None:
    """Return what is left of an event; ``None`` if it is not to be touched."""
    if said.whose == "theirs":
        return owners.rest(said)
    if said.whose == "unclear" and not said.refs and certainty.is_theirs(said.raw):
        return []
    return None


def _redacted(message: FeedEnvelope | ClaimCheck, domain: str, keys: Collection[RecordIdentity]) -> list[bytes] | None:
    """Return a message without the values of some records; ``None`` if it has none. A claim check has none."""
    if isinstance(message, ClaimCheck):
        return None
    change = message.data
    redacted: GoldenChange | RecordChanged | None = None
    if isinstance(change, GoldenChange) and change.domain == domain:
        redacted = redact_change(change, keys)
    elif isinstance(change, RecordChanged) and change.domain == domain:
        redacted = redact_record(change, keys)
    return None if redacted is None else [encode_message(message.model_copy(update={"data": redacted}))]


def _golden_message(raw: bytes) -> FeedEnvelope | ClaimCheck | None:
    try:
        return parse_message(raw, strict=True)
    except RejectedEventError:
        return None
