"""What is archived with an event: where it lies and when it arrived. A redelivery and a replay see the same."""

from __future__ import annotations

from dataclasses import dataclass

POSITION_DIGITS = 64
"""Kinesis sequence numbers have up to 56 digits; padded to this width their text order is their number order."""


@dataclass(frozen=True, slots=True)
class Received:
    """The archive's part of an event: ``position`` orders the events of one shard or file, as text."""

    position: str
    arrival_time_us: int

    @classmethod
    def from_kinesis(cls, sequence_number: str, arrival_time_s: float) -> Received:
        """Return that of a Kinesis record; ``arrival_time_s`` is its approximateArrivalTimestamp.

        Kinesis keeps that time in milliseconds, and so do we: the float's own noise below them is dropped.
        """
        return cls(sequence_number.zfill(POSITION_DIGITS), round(arrival_time_s * 1_000) * 1_000)

    @classmethod
    def from_row(cls, row: int) -> Received:
        """Return that of a file's row (1 is the first). It has no arrival time: microsecond ``row`` of 1970 is it."""
        return cls(str(row).zfill(POSITION_DIGITS), row)
