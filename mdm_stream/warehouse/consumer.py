"""From a batch of Kinesis records to the warehouse, with Lambda's rule for partial failures.

Lambda rewinds to the lowest sequence number that is reported and delivers everything from there again. So a batch
is applied up to the first record that cannot be read, and that record is reported; when the warehouse fails, the
first record of those that were under way is. Nothing is skipped: a feed message that cannot be read is a fault of our
own publisher, and after the event source's attempts it goes to the on-failure destination with its payload.

A record of the stream may be a claim check for data many times its size, so a batch is applied in portions of so many
bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mdm_stream.contracts.golden import ClaimCheck, FeedEnvelope, Follow, parse_message, redeem
from mdm_stream.decode import Delivery
from mdm_stream.errors import ConfigurationError, MdmError, TerminalError
from mdm_stream.feed.claims import ClaimReader
from mdm_stream.warehouse.warehouse import Warehouse

PORTION_BYTES_MAX = 16 * 1024**2
"""Data of messages that is applied at a time, more than a batch without claim checks has; its rows take some ten times
that in memory. One message is applied whatever its size."""


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of a batch.

    ``first_failed`` is the place of the record where the event source must go on, with the ``error`` that stopped the
    batch there; both are None after a success. ``lag_ms_max`` is the time from the oldest applied commit until now,
    None where no golden change was applied.
    """

    records_applied: int
    lag_ms_max: float | None
    first_failed: int | None
    error: MdmError | None


class WarehouseConsumer:
    """Applies batches of golden feed records and closes the warehouse when it has been idle."""

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        idle_close_s: float,
        follow: Follow | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take the warehouse, which this consumer owns, and how long it may stay open without work.

        ``follow`` gets at data that is kept elsewhere; left out, it goes where the messages say.
        """
        self._warehouse = warehouse
        self._follow = follow or ClaimReader()
        self._idle_close_s = idle_close_s
        self._monotonic_s = monotonic_s
        self._clock = clock
        self._last_used_s = monotonic_s()

    def apply_records(self, records: Sequence[Delivery]) -> BatchOutcome:
        """Apply records of the golden feed as one micro-batch. Idempotent; order within does not matter."""
        portion, first, portion_bytes = list[FeedEnvelope](), 0, 0
        oldest: datetime | None = None
        stopped: tuple[int, MdmError] | None = None
        for place, record in enumerate(records):
            try:
                message, content_bytes = self._read(record)
            except MdmError as unread:
                stopped = place, unread
                break
            if portion and portion_bytes + content_bytes > PORTION_BYTES_MAX:
                done, oldest, fault = self._apply(portion, oldest)
                if fault is not None:
                    return _outcome(first + done, self._lag_ms(oldest), (first + done, fault))
                portion, first, portion_bytes = [], place, 0
            portion.append(message)
            portion_bytes += content_bytes
        done, oldest, fault = self._apply(portion, oldest)
        if fault is not None:
            stopped = first + done, fault
        return _outcome(first + done, self._lag_ms(oldest), stopped)

    def _read(self, record: Delivery) -> tuple[FeedEnvelope, int]:
        """Return a record's message with its data, and how large that is."""
        message = parse_message(record.raw)
        if isinstance(message, ClaimCheck):
            return redeem(message, self._follow), message.datasize
        return message, len(record.raw)

    def _apply(
        self, portion: Sequence[FeedEnvelope], oldest: datetime | None
    ) -> tuple[int, datetime | None, MdmError | None]:
        """Apply messages; return how many are done from the first on, their oldest commit, and what stopped there.

        A message that the database refuses for itself, whatever it is applied with, holds back none before it: halves
        of the portion find it.
        """
        try:
            applied = self._warehouse.apply(portion)
        except TerminalError as fault:
            if len(portion) < 2 or isinstance(fault, ConfigurationError):
                return 0, oldest, fault
        except MdmError as fault:
            return 0, oldest, fault
        else:
            return len(portion), _earlier(oldest, applied.oldest_committed_at), None
        finally:
            self._last_used_s = self._monotonic_s()
        middle = len(portion) // 2
        done, oldest, stopped = self._apply(portion[:middle], oldest)
        if stopped is None:
            more, oldest, stopped = self._apply(portion[middle:], oldest)
            done += more
        return done, oldest, stopped

    def close_when_idle(self) -> bool:
        """Close the warehouse if nothing was applied for ``idle_close_s``; return whether it was closed.

        Called on a schedule. The next batch opens it again.
        """
        if self._monotonic_s() - self._last_used_s < self._idle_close_s:
            return False
        self._warehouse.close()
        return True

    def _lag_ms(self, oldest_committed_at: datetime | None) -> float | None:
        if oldest_committed_at is None:
            return None
        # The engine's clock may run ahead of ours; a negative lag would only confuse an alarm.
        return max(0.0, (self._clock() - oldest_committed_at).total_seconds() * 1000)


def _outcome(done: int, lag_ms: float | None, stopped: tuple[int, MdmError] | None) -> BatchOutcome:
    first_failed, fault = (None, None) if stopped is None else stopped
    return BatchOutcome(done, lag_ms, first_failed, fault)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)
