"""Where rejected events are kept, with their reasons and their very bytes, until somebody redrives them.

One object an event, named by a digest: a redelivery overwrites what the first delivery wrote. Bytes with a version
and a time of their own say the same wherever they arrive, and so do bytes that no decoder reads: they are kept once,
however often somebody sends them. An event that lacks either takes it from where it lies on the stream, so two
deliveries of the same bytes are two events, both of which may count once they are redriven: its place is a part of its
name. So is the stream by which it arrived, which decides what it may say, and of an envelope that was refused as one
the stream on which it lay: a copy that a sender without a right puts there hides no event that has it.

An object is JSON: ``quarantine_id``, ``domain``, ``source``, ``record_id`` (null if they could not be read),
``reasons`` (a list of ``code``, ``path``, ``message``), ``received_from``, ``redriven_on`` (the stream on which it was
sent again, null if it was not), ``key_id`` (the key that signed it, null if none did), ``position`` and
``arrival_time`` (null if they were not known), ``quarantined_at``, ``raw_bytes`` (a count) and ``raw_base64``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson

from mdm_stream.aws.deadline import Deadline
from mdm_stream.contracts.golden import QuarantinedEvent
from mdm_stream.contracts.reason import QuarantineReason
from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.core.name_patterns import DOMAIN_PATTERN
from mdm_stream.core.times import format_time_us, parse_time_us
from mdm_stream.decode.delivery import Delivery, split_place
from mdm_stream.decode.formats import depends_on_receipt
from mdm_stream.errors import Reason, TerminalError
from mdm_stream.objects.opening import open_object_store
from mdm_stream.objects.store import MissingObjectError, ObjectStore

UNKNOWN_DOMAIN = "unknown"
_REFUSED = frozenset({"not_authorised", "bad_envelope"})
"""Reasons by which nothing that an envelope claims of its event is believed."""
_PARALLEL_PUTS = 8
"""A batch full of bad events must not wait for one round trip after the other; the SDK's pool has 10 connections."""


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """One rejected event, as it was delivered: with its place it is redriven; without one it gets a new place then.

    ``domain``, ``source`` and ``record_id`` are what the event claims, where that can be read.
    """

    delivery: Delivery
    reasons: tuple[Reason, ...]
    quarantined_at_us: int
    domain: str | None = None
    source: str | None = None
    record_id: str | None = None

    @property
    def quarantine_id(self) -> str:
        """The entry's id: the same for every redelivery of the event."""
        refused = any(reason.code in _REFUSED for reason in self.reasons)
        return quarantine_id_of(self.delivery, refused_on=self.delivery.redriven_on if refused else "")


class QuarantineStore:
    """Keeps rejected events as objects. Putting an event again is harmless: it overwrites itself."""

    def __init__(self, objects: ObjectStore) -> None:
        """Take where the objects are kept."""
        self._objects = objects

    def until(self, deadline: Deadline) -> None:
        """Begin no request to the store from now on that might not end by then."""
        self._objects.until(deadline)

    def put(self, entries: Sequence[QuarantineEntry]) -> list[str]:
        """Keep all entries and return where, in their order: when this returns they are safe.

        Of entries with one name the last is kept. ``TransientError`` or ``TerminalError`` if one could not be kept;
        others may have been.
        """
        names = [object_name(entry) for entry in entries]
        kept = dict(zip(names, entries, strict=True))
        if kept:
            with ThreadPoolExecutor(max_workers=min(_PARALLEL_PUTS, len(kept))) as pool:
                # Each result is asked for, so that no error is passed over.
                list(pool.map(lambda name: self._objects.put(name, encode_entry(kept[name])), kept))
        return [self._objects.location(name) for name in names]

    def get(self, domain: str, quarantine_id: str) -> QuarantineEntry | None:
        """Return one entry of a domain, ``None`` if there is none of that id."""
        try:
            return decode_entry(self._objects.get(object_name_of(domain, quarantine_id)))
        except MissingObjectError:
            return None

    def remove(self, entries: Sequence[QuarantineEntry]) -> None:
        """Remove entries for good; one that is not there is no error."""
        if entries:
            self._objects.delete([object_name(entry) for entry in entries])


def open_quarantine(url: str, *, s3_client: Any = None, kms_key_id: str = "") -> QuarantineStore:
    """Return the store at ``file:///folder`` or ``s3://bucket/prefix``; ``ConfigurationError`` for any other address.

    Without ``s3_client`` one is made from the environment's region and credentials.
    """
    return QuarantineStore(open_object_store(url, s3_client=s3_client, kms_key_id=kms_key_id))


def quarantine_id_of(delivery: Delivery, refused_on: str = "") -> str:
    """Return the id of a rejected event: 32 hex digits (BLAKE2b-128).

    They depend on its bytes, the stream by which it arrived, and on its place if that is known and a part of what it
    says (see ``depends_on_receipt``). ``refused_on`` is the stream on which it lay in an envelope that was refused.
    """
    placed = delivery.placed and depends_on_receipt(delivery.raw)
    return quarantine_id_from(
        digest_of_bytes(delivery.raw),
        receipt=(delivery.place, delivery.arrival_time_us) if placed else None,
        stream=delivery.stream if delivery.arrived else None,
        refused_on=refused_on,
    )


def quarantine_id_from(
    raw_digest: str, *, receipt: tuple[str, int] | None, stream: str | None, refused_on: str = ""
) -> str:
    """Return the id of a rejected event of which the bytes are not at hand: their digest is enough.

    ``receipt`` is its place and arrival if what it says depends on them; ``stream`` that by which it arrived, if it
    did.
    """
    said = [raw_digest]
    if receipt is not None:
        said += [receipt[0], str(receipt[1])]
    if stream is not None:
        said.append(f"stream {stream}")
    if refused_on:
        said.append(f"refused on {refused_on}")
    return said[0] if len(said) == 1 else digest_of_bytes(" ".join(said).encode())


def object_name(entry: QuarantineEntry) -> str:
    """Return the name of an entry's object in the store: ``domain/id.json``, or ``unknown/id.json``."""
    known = entry.domain is not None and re.fullmatch(DOMAIN_PATTERN, entry.domain)
    return object_name_of(entry.domain if known else None, entry.quarantine_id)


def object_name_of(domain: str | None, quarantine_id: str) -> str:
    """Return the name of the object of a domain's entry, or of one that claims no domain."""
    return f"{domain or UNKNOWN_DOMAIN}/{quarantine_id}.json"


def quarantine_report(entry: QuarantineEntry, location: str) -> QuarantinedEvent:
    """Return what the golden feed carries of an entry that is kept at ``location``."""
    return QuarantinedEvent(
        quarantine_id=entry.quarantine_id,
        domain=entry.domain,
        source=entry.source,
        record_id=entry.record_id,
        reasons=[QuarantineReason(code=r.code, path=r.path, message=r.message) for r in entry.reasons],
        raw_bytes=len(entry.delivery.raw),
        location=location,
        received_from=entry.delivery.origin,
        quarantined_at=format_time_us(entry.quarantined_at_us),
    )


def encode_entry(entry: QuarantineEntry) -> bytes:
    """Return the JSON object that is kept of an entry."""
    delivery = entry.delivery
    return orjson.dumps({
        "quarantine_id": entry.quarantine_id,
        "domain": entry.domain,
        "source": entry.source,
        "record_id": entry.record_id,
        "reasons": [asdict(reason) for reason in entry.reasons],
        "received_from": delivery.origin,
        "redriven_on": delivery.redriven_on or None,
        "key_id": delivery.key_id or None,
        "position": delivery.place if delivery.placed else None,
        "arrival_time": format_time_us(delivery.arrival_time_us) if delivery.placed else None,
        "quarantined_at": format_time_us(entry.quarantined_at_us),
        "raw_bytes": len(delivery.raw),
        "raw_base64": base64.b64encode(delivery.raw).decode("ascii"),
    })  # fmt: skip


def decode_entry(content: bytes) -> QuarantineEntry:
    """Return the entry that an object holds; ``TerminalError`` if it holds none.

    Objects of releases that kept no position have an unplaced delivery.
    """
    try:
        kept = orjson.loads(content)
        reasons = tuple(Reason(str(r["code"]), str(r["path"]), str(r["message"])) for r in kept["reasons"])
        position, arrival_time = kept.get("position"), kept.get("arrival_time")
        place = split_place(_place_of(position)) if position is not None else ("", 0)
        raw, origin = base64.b64decode(kept["raw_base64"], validate=True), str(kept["received_from"])
        delivery = (
            Delivery.unplaced(raw, origin)
            if position is None
            else Delivery(raw, place[0], parse_time_us(arrival_time), origin, place[1])
        )
        redriven_on, key_id = (_text_or_none(kept.get(name)) or "" for name in ("redriven_on", "key_id"))
        return QuarantineEntry(
            replace(delivery, redriven_on=redriven_on, key_id=key_id),
            reasons=reasons,
            quarantined_at_us=parse_time_us(kept["quarantined_at"]),
            domain=_text_or_none(kept["domain"]),
            source=_text_or_none(kept["source"]),
            record_id=_text_or_none(kept["record_id"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TerminalError("the object holds no quarantined event, or only a part of one") from error


def _place_of(value: object) -> str:
    if value == "":
        raise ValueError("an empty position, which would say that there is none")
    return str(value)


def _text_or_none(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError("neither a text nor null")
