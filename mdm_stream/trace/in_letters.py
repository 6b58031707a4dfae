"""What lies among the dead letters of the events that are traced. Every object is looked into: nothing names them all.

A letter that cannot be read is counted. Of the bytes of an event nothing is kept but the version that they claim.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.core.model import make_ref
from mdm_stream.dead_letters import DeadEvent, DeadLetters, read_contents
from mdm_stream.dead_letters.letters import REDRIVING
from mdm_stream.decode import claimed_identity, unpack
from mdm_stream.errors import RejectedEventError, TerminalError
from mdm_stream.trace.findings import RefusedDelivery
from mdm_stream.trace.subject import EventSelector

_VERSION_DIGITS_MAX = 4_000


def refused_deliveries(
    stores: Sequence[DeadLetters], selectors: Sequence[EventSelector], domain: str
) -> tuple[list[RefusedDelivery], int]:
    """Return the dead letters of the events that one of ``selectors`` means, and how many letters cannot be read.

    An event that claims no domain may be one of any. A batch that failed counts once for each of its events.
    """
    found: list[RefusedDelivery] = []
    unreadable = 0
    for store in stores:
        for name, content in store.each_object():
            try:
                contents = read_contents(store.kind, content)
            except TerminalError:
                unreadable += 1
                continue
            for event in contents.events:
                for each in _unpacked(event):
                    letter = RefusedDelivery(
                        letter_id=store.letter_id(name),
                        kind=store.kind,
                        when_us=contents.when_us,
                        where=name,
                        claimed=each.claimed,
                        delivery=each.delivery,
                        reasons=contents.reasons,
                        condition=contents.condition or "",
                        redriving=name.startswith(f"{REDRIVING}/"),
                        version=_claimed_version(each.delivery.raw),
                    )
                    if any(means(selector, letter, domain) for selector in selectors):
                        found.append(letter)
    return found, unreadable


def means(selector: EventSelector, letter: RefusedDelivery, domain: str) -> bool:
    """Tell whether a selector means this event. One whose bytes claim no version may be of any."""
    claimed, delivery = letter.claimed, letter.delivery
    if claimed.domain not in (None, domain) or selector.letter_id not in ("", letter.letter_id):
        return False
    if selector.ref and (claimed.source is None or make_ref(claimed.source, claimed.record_id or "") != selector.ref):
        return False
    if selector.version and letter.version not in ("", selector.version):
        return False
    if delivery is None:
        return not (selector.shard or selector.raw_digest)
    if selector.raw_digest and digest_of_bytes(delivery.raw) != selector.raw_digest:
        return False
    return selector.at(delivery.origin)


def _unpacked(event: DeadEvent) -> list[DeadEvent]:
    """Return the events of a dead letter one by one: a batch holds records of the stream, with several in each."""
    try:
        held = unpack(event.delivery)
    except RejectedEventError:
        return [event]
    return [DeadEvent(each, claimed_identity(each.raw), event.stream, event.partition_key) for each in held]


def _claimed_version(raw: bytes) -> str:
    try:
        event = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return ""
    version = event.get("version") if isinstance(event, dict) else None
    if isinstance(version, bool) or not isinstance(version, int | str):
        return ""
    return str(version)[:_VERSION_DIGITS_MAX]
