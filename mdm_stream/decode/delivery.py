"""An event as it was delivered: its bytes, where they lay, when they arrived. A replay sees the same as a stream."""

from __future__ import annotations

import re
from dataclasses import dataclass

POSITION_DIGITS = 64
"""Kinesis sequence numbers have up to 56 digits; padded to this width their text order is their number order."""

SUBSEQUENCE_DIGITS = 6
"""Room for every user record that an aggregate may hold."""
PLACE = re.compile(rf"([0-9]+)\.([0-9]{{{SUBSEQUENCE_DIGITS}}})", re.ASCII)
"""A place that is not the first in its record."""

ARRIVALS_FROM_US = 946_684_800_000_000
"""2000-01-01: no stream of ours has taken anything before."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Bytes, and their place. ``position`` orders the deliveries of one shard or file, as text.

    ``subsequence`` orders those that one record of the stream holds; it is 0 where the record is one event, and for the
    first of several. ``origin``
    tells where the bytes lay: ``stream/shard:sequence``, or a file's name. Of what was sent again in an envelope it is
    where that claims to have arrived first, and ``redriven_on`` is the stream on which the envelope lay. ``key_id`` is
    the key that signed it, once that was verified.
    """

    raw: bytes
    position: str
    arrival_time_us: int
    origin: str = ""
    subsequence: int = 0
    redriven_on: str = ""
    key_id: str = ""

    @classmethod
    def from_kinesis(cls, raw: bytes, sequence_number: str, arrival_time_s: float, origin: str = "") -> Delivery:
        """Return that of a Kinesis record; ``arrival_time_s`` is its approximateArrivalTimestamp.

        Kinesis keeps that time in milliseconds, and so do we: the float's own noise below them is dropped.
        """
        return cls(raw, sequence_number.zfill(POSITION_DIGITS), round(arrival_time_s * 1_000) * 1_000, origin)

    @classmethod
    def from_row(cls, raw: bytes, row: int, origin: str = "") -> Delivery:
        """Return that of a file's row (1 is the first). It has no arrival time: microsecond ``row`` of 1970 is it."""
        return cls(raw, row_position(row), row, origin)

    @classmethod
    def unplaced(cls, raw: bytes, origin: str = "") -> Delivery:
        """Return that of bytes whose place is not known, or does not matter."""
        return cls(raw, "", 0, origin)

    def part(self, raw: bytes, subsequence: int) -> Delivery:
        """Return that of one of several events in these bytes."""
        # Not dataclasses.replace, which takes four times as long, for every event of an aggregate.
        return Delivery(
            raw, self.position, self.arrival_time_us, self.origin, subsequence, self.redriven_on, self.key_id
        )

    @property
    def stream(self) -> str:
        """The stream on which the bytes lay, or are said to have lain if they were redriven."""
        return self.origin.partition("/")[0]

    @property
    def shard(self) -> str:
        """Stream and shard in which the bytes lay, or are said to have lain if they were redriven."""
        return self.origin.rpartition(":")[0]

    @property
    def arrived(self) -> bool:
        """Whether ``arrival_time_us`` is when it came in: a file's row has a number there, other bytes nothing."""
        return self.arrival_time_us >= ARRIVALS_FROM_US

    @property
    def place(self) -> str:
        """Position and subsequence as one text, which orders deliveries: the form in which a place is kept."""
        return f"{self.position}.{self.subsequence:0{SUBSEQUENCE_DIGITS}d}" if self.subsequence else self.position

    @property
    def placed(self) -> bool:
        """Whether its place is known."""
        return self.position != ""


def split_place(place: str) -> tuple[str, int]:
    """Return the position and the subsequence of a place; whatever has no subsequence is a position."""
    match = PLACE.fullmatch(place)
    return (match[1], int(match[2])) if match else (place, 0)


def row_position(row: int) -> str:
    """Return the position of a file's row, 1 for the first."""
    return str(row).zfill(POSITION_DIGITS)
