"""Whose an event is: by what it says if the rules accept it, else by what it claims, else nobody knows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from mdm_stream.archive.rows import kept_events
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import ChangeEvent, make_ref
from mdm_stream.decode import ClaimedIdentity, Decoder, Delivery, claimed_identity, unpack
from mdm_stream.erasure.claims import claims_in
from mdm_stream.errors import RejectedEventError

Whose = Literal["theirs", "others", "unclear"]

OTHER_DOMAIN = ""
"""Stands for a record of another domain, of which nothing is known here. It is no reference."""


@dataclass(frozen=True, slots=True)
class Said:
    """Whose an event is, its bytes without any wrapping, the records that it names or claims to be of, and the events
    that it says if the rules accept it.

    One that is ``unclear`` may have ``refs``, all that the objects in it claim: it is cut off, or holds several.
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

    def claims_other(self, said: Said) -> bool:
        """Tell whether an event that is not clear claims to be of other records alone."""
        return bool(said.refs) and self._refs.isdisjoint(said.refs)

    def _said(self, delivery: Delivery) -> Said:
        try:
            events = self._decoder.decode(delivery)
        except Exception:  # noqa: BLE001 - one that crashes the decoder is there to be erased, too
            return self._claimed(delivery.raw)
        refs = dict.fromkeys(
            ref if event.domain == self.domain else OTHER_DOMAIN for event in events for ref in event.refs
        )
        whose: Whose = "theirs" if len(self._kept(events)) < len(events) else "others"
        return Said(whose, delivery.raw, tuple(refs), events)

    def _claimed(self, raw: bytes) -> Said:
        claimed = claimed_identity(raw)
        if claimed.source is not None and claimed.record_id is not None:
            ref = self._ref_of(claimed)
            return Said("theirs" if ref in self._refs else "others", raw, (ref,))
        refs = tuple(sorted({self._ref_of(each) for each in claims_in(raw)}))
        # Of an event that is cut off nobody knows what else it would have said: it is theirs, or it is not clear.
        return Said("theirs" if len(refs) == 1 and refs[0] in self._refs else "unclear", raw, refs)

    def _ref_of(self, claimed: ClaimedIdentity) -> str:
        if claimed.domain not in (None, self.domain):
            return OTHER_DOMAIN
        return make_ref(claimed.source or "", claimed.record_id or "")

    def _kept(self, events: Sequence[ChangeEvent]) -> list[ChangeEvent]:
        own = [event for event in events if event.domain == self.domain]
        return [event for event in events if event.domain != self.domain] + kept_events(own, self._refs)
