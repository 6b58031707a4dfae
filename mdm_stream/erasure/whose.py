"""Whose an event is: by what it says if the rules accept it, else by what it claims, else nobody knows."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from mdm_stream.archive.rows import kept_events
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import ChangeEvent, make_ref, split_ref
from mdm_stream.decode import Decoder, Delivery, claimed_identity, unpack
from mdm_stream.erasure.values import Values
from mdm_stream.errors import RejectedEventError

Whose = Literal["theirs", "others", "unclear"]

OTHER_DOMAIN = ""
"""Stands for a record of another domain, of which nothing is known here. It is no reference."""


@dataclass(frozen=True, slots=True)
class Said:
    """Whose an event is, its bytes without any wrapping, the records that it names or claims to be of, and the events
    that it says if the rules accept it.
    """

    whose: Whose
    raw: bytes
    refs: tuple[str, ...] = ()
    events: tuple[ChangeEvent, ...] = ()


class Owners:
    """Tells the events of some records of one domain from those of others."""

    def __init__(self, decoder: Decoder, domain: str, refs: Collection[str]) -> None:
        """Take a decoder of all rules in use, and the records' domain and references."""
        self.domain = domain
        self._decoder = decoder
        self._refs = frozenset(refs)
        ids = sorted({split_ref(ref)[1] for ref in refs})
        # A record id that is a part of a longer word is not meant.
        self._ids = [re.compile(rb"(?<![0-9A-Za-z])" + re.escape(each.encode()) + rb"(?![0-9A-Za-z])") for each in ids]

    def of(self, record: Delivery) -> list[Said]:
        """Return whose the events are that a record of the change stream holds, most often one.

        An event that names one of the records and another one too holds values of both, and is theirs. Verdicts and
        erasures hold no values of anybody, and are others'.
        """
        try:
            return [self._said(delivery) for delivery in unpack(record)]
        except RejectedEventError:
            return [self._claimed(record.raw)]

    def rest(self, said: Said) -> list[bytes]:
        """Return what is left of an event that is theirs: what it says of other records, in canonical form."""
        return [encode_event(event) for event in self._kept(said.events)]

    def names_one(self, raw: bytes, values: Values) -> bool:
        """Tell whether bytes that do not say whose they are hold one of the record ids and one of some values."""
        return any(each.search(raw) for each in self._ids) and bool(values.found_in(raw))

    def _said(self, delivery: Delivery) -> Said:
        try:
            events = self._decoder.decode(delivery)
        except RejectedEventError:
            return self._claimed(delivery.raw)
        refs = dict.fromkeys(
            ref if event.domain == self.domain else OTHER_DOMAIN for event in events for ref in event.refs
        )
        whose: Whose = "theirs" if len(self._kept(events)) < len(events) else "others"
        return Said(whose, delivery.raw, tuple(refs), events)

    def _claimed(self, raw: bytes) -> Said:
        claimed = claimed_identity(raw)
        if claimed.source is None or claimed.record_id is None:
            return Said("unclear", raw)
        ref = make_ref(claimed.source, claimed.record_id)
        if claimed.domain not in (None, self.domain):
            ref = OTHER_DOMAIN
        return Said("theirs" if ref in self._refs else "others", raw, (ref,))

    def _kept(self, events: Sequence[ChangeEvent]) -> list[ChangeEvent]:
        own = [event for event in events if event.domain == self.domain]
        return [event for event in events if event.domain != self.domain] + kept_events(own, self._refs)
