"""From a batch of Kinesis records to the warehouse, with Lambda's rule for partial failures.

Lambda rewinds to the lowest sequence number that is reported and delivers everything from there again. So a batch
is applied up to the first record that cannot be read, and that record is reported; when the warehouse fails, the
first record of the batch is. Nothing is skipped: a feed message that cannot be read is a fault of our own
publisher, and after the event source's attempts it goes to the on-failure destination with its payload.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mdm_stream.contracts.golden import FeedEnvelope, parse_envelope
from mdm_stream.errors import MdmError, Reason, RejectedEventError
from mdm_stream.warehouse.warehouse import Applied, Warehouse


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of a batch.

    ``failed_sequence_number`` is where the event source must go on, with the ``error`` that stopped the batch there;
    both are None after a success. ``lag_ms_max`` is the time from the oldest applied commit until now, None where
    no golden change was applied.
    """

    records_applied: int
    lag_ms_max: float | None
    failed_sequence_number: str | None
    error: MdmError | None

    @property
    def response(self) -> dict[str, list[dict[str, str]]]:
        """The partial batch response of an event source with ReportBatchItemFailures."""
        if self.failed_sequence_number is None:
            return {"batchItemFailures": []}
        return {"batchItemFailures": [{"itemIdentifier": self.failed_sequence_number}]}


class WarehouseConsumer:
    """Applies batches of golden feed records and closes the warehouse when it has been idle."""

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        idle_close_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take the warehouse, which this consumer owns, and how long it may stay open without work."""
        self._warehouse = warehouse
        self._idle_close_s = idle_close_s
        self._monotonic_s = monotonic_s
        self._clock = clock
        self._last_used_s = monotonic_s()

    def apply_records(self, records: Sequence[Mapping[str, Any]]) -> BatchOutcome:
        """Apply the ``Records`` of a Kinesis event as one micro-batch. Idempotent; order within does not matter."""
        readable: list[FeedEnvelope] = []
        failed: str | None = None
        error: MdmError | None = None
        for record in records:
            try:
                readable.append(parse_envelope(_payload(record)))
            except RejectedEventError as rejection:
                failed, error = record["kinesis"]["sequenceNumber"], rejection
                break
        try:
            applied = self._warehouse.apply(readable)
        except MdmError as fault:
            return BatchOutcome(0, None, records[0]["kinesis"]["sequenceNumber"], fault)
        finally:
            self._last_used_s = self._monotonic_s()
        return BatchOutcome(len(readable), self._lag_ms(applied), failed, error)

    def close_when_idle(self) -> bool:
        """Close the warehouse if nothing was applied for ``idle_close_s``; return whether it was closed.

        Called on a schedule. The next batch opens it again.
        """
        if self._monotonic_s() - self._last_used_s < self._idle_close_s:
            return False
        self._warehouse.close()
        return True

    def _lag_ms(self, applied: Applied) -> float | None:
        if applied.oldest_committed_at is None:
            return None
        # The engine's clock may run ahead of ours; a negative lag would only confuse an alarm.
        return max(0.0, (self._clock() - applied.oldest_committed_at).total_seconds() * 1000)


def _payload(record: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(record["kinesis"]["data"], validate=True)
    except (binascii.Error, ValueError):
        raise RejectedEventError((Reason("feed.base64", "kinesis.data", "the data is not base64"),)) from None
