"""What a trace is asked about: the ways to name an event, and a golden id. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mdm_stream.core.model import split_ref
from mdm_stream.errors import ConfigurationError

_GOLDEN_ID = re.compile(r"g[0-9a-f]{24}", re.ASCII)
_LETTER_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_PLACE = re.compile(
    r"(?:(?P<stream>[A-Za-z0-9_.-]{1,128})/)?(?P<shard>shardId-[0-9]{1,20}):(?P<sequence>[0-9]{1,128})", re.ASCII
)
SUBJECT_CHARS_MAX = 8_192
"""Longer than any name of an event."""


@dataclass(frozen=True, slots=True)
class EventSelector:
    """Which deliveries are meant: those that meet everything said here; what is empty says nothing.

    ``version`` is as people read it. ``raw_digest`` is that of the event's bytes. ``sequence`` is a sequence number of
    ``shard``, without leading zeros. ``letter_id`` is the id of a dead letter.
    """

    ref: str = ""
    version: str = ""
    raw_digest: str = ""
    stream: str = ""
    shard: str = ""
    sequence: str = ""
    letter_id: str = ""

    def at(self, origin: str) -> bool:
        """Tell whether a delivery that lay there (``stream/shard:sequence``) is one of those that are meant."""
        if not self.shard:
            return True
        stream, _, place = origin.partition("/")
        return place == f"{self.shard}:{self.sequence}" and self.stream in ("", stream)

    def described(self) -> str:
        """Return what is meant, for a sentence."""
        if self.shard:
            return f"the record at {self.stream + '/' if self.stream else ''}{self.shard}:{self.sequence}"
        if self.letter_id:
            return f"dead letter {self.letter_id}"
        return f"{self.ref} at version {self.version}" if self.version else self.ref


@dataclass(frozen=True, slots=True)
class TraceSubject:
    """What is traced: a golden record, or the deliveries of the first of ``selectors`` of which anything is known."""

    golden_id: str = ""
    selectors: tuple[EventSelector, ...] = ()
    domain: str = ""
    """The domain, where the name itself says it."""


def parse_subject(text: str) -> TraceSubject | None:
    """Return what a name means; ``None`` if it can only be an id of the events API, which a key opens.

    A golden id; ``[STREAM/]shardId-...:SEQUENCE``; the id of a quarantined event (32 hex digits); or a record,
    ``SOURCE/RECORD_ID``, and at its end perhaps ``@VERSION``. An id may hold an ``@`` itself, so both readings are
    returned then, the whole text first. ``ConfigurationError`` for what is none of all.
    """
    if not text or len(text) > SUBJECT_CHARS_MAX:
        raise ConfigurationError(f"a name to trace has 1 to {SUBJECT_CHARS_MAX:,} characters, not {len(text):,}")
    if _GOLDEN_ID.fullmatch(text):
        return TraceSubject(golden_id=text)
    if place := _PLACE.fullmatch(text):
        sequence = place["sequence"].lstrip("0") or "0"
        selector = EventSelector(stream=place["stream"] or "", shard=place["shard"], sequence=sequence)
        return TraceSubject(selectors=(selector,))
    if _LETTER_ID.fullmatch(text):
        return TraceSubject(selectors=(EventSelector(letter_id=text),))
    if "/" not in text:
        return None
    if not all(split_ref(text)):
        raise ConfigurationError(f"{text!r} names no record: write SOURCE/RECORD_ID")
    selectors = [EventSelector(ref=text)]
    ref, _, version = text.rpartition("@")
    if version and all(split_ref(ref)):
        selectors.append(EventSelector(ref=ref, version=version))
    return TraceSubject(selectors=tuple(selectors))
