"""From a record of a stream to the events that count: unpacked, decoded, and said by somebody who may say it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mdm_stream.core.model import ChangeEvent
from mdm_stream.decode import Decoder, Delivery, unpack
from mdm_stream.decode.authority import Authority
from mdm_stream.decode.redrive_envelope import check_first_place
from mdm_stream.errors import RejectedEventError

Accepted = tuple[ChangeEvent, ...]


@dataclass(frozen=True, slots=True)
class Intake:
    """How records are taken in. Holds no state between them."""

    decoder: Decoder
    authority: Authority

    def read(self, record: Delivery) -> Iterator[tuple[Delivery, Accepted | RejectedEventError]]:
        """Yield the deliveries that a record of the stream holds, each with its events or with why none count.

        The delivery says who signed it, as far as that could be told.
        """
        try:
            held = unpack(record)
        except RejectedEventError as error:
            yield record, error
            return
        for each in held:
            delivery = each
            try:
                self.authority.require_envelope(each)  # and first: what it claims decides nothing of what follows
            except RejectedEventError as error:
                yield delivery, error
                continue
            try:
                check_first_place(each, record)
            except RejectedEventError as error:  # kept with the place that it has here, not the one that it claims
                yield replace(record, raw=each.raw, subsequence=each.subsequence, redriven_on=each.redriven_on), error
                continue
            try:
                events = self.decoder.decode(delivery)
                delivery = self.authority.identified(each)
                self.authority.require(delivery, events)
            except RejectedEventError as error:
                yield delivery, error
            else:
                yield delivery, events
