"""What the publisher promises and reports: its settings and their limits, its counts, and what was not delivered."""

from __future__ import annotations

from dataclasses import dataclass

from mdm_stream.aws.put_records import BYTES_PER_CALL_MAX, RECORD_BYTES_MAX, RECORDS_PER_CALL_MAX
from mdm_stream.errors import TerminalError
from producers.kpl import SLICES_MAX


@dataclass(frozen=True, slots=True)
class PublisherSettings:
    """How the publisher batches, waits and gives up. ``ValueError`` if the limits contradict each other.

    ``linger_s`` is how long an event may wait for others to share its request. ``buffer_records_max`` and
    ``buffer_bytes_max`` bound what waits; ``put`` blocks when it is full, for ``put_timeout_s``. An event is given up
    after ``attempts_max`` requests, or ``delivery_timeout_s`` after it was put. The n-th retry waits a random time up
    to ``backoff_base_s`` * 2^(n-1), at most ``backoff_max_s`` ("full jitter").

    With ``aggregate_bytes_max`` (0: not) events share records of the stream, of that many bytes at most with their
    partition key, as KPL aggregates; an event that is larger has one of its own. ``aggregate_slices`` is how many such
    records one request may hold: at least as many as the stream has shards, and for good (see ``producers.kpl``).
    """

    batch_records_max: int = RECORDS_PER_CALL_MAX
    batch_bytes_max: int = BYTES_PER_CALL_MAX
    record_bytes_max: int = RECORD_BYTES_MAX
    linger_s: float = 0.05
    buffer_records_max: int = 10_000
    buffer_bytes_max: int = 32 * 1024 * 1024
    put_timeout_s: float = 30.0
    attempts_max: int = 20
    delivery_timeout_s: float = 120.0
    backoff_base_s: float = 0.1
    backoff_max_s: float = 5.0
    failures_max: int = 1_000
    aggregate_bytes_max: int = 0
    aggregate_slices: int = 64

    def __post_init__(self) -> None:
        """Check the limits and the relations between them."""
        holds = (
            1 <= self.batch_records_max <= RECORDS_PER_CALL_MAX,
            1 <= self.record_bytes_max <= self.batch_bytes_max <= BYTES_PER_CALL_MAX,
            self.record_bytes_max <= self.buffer_bytes_max,
            self.buffer_records_max >= 1,
            self.attempts_max >= 1,
            self.failures_max >= 1,
            self.linger_s >= 0,
            self.put_timeout_s >= 0,
            self.delivery_timeout_s > 0,
            0 <= self.backoff_base_s <= self.backoff_max_s,
            0 <= self.aggregate_bytes_max <= self.record_bytes_max,
            1 <= self.aggregate_slices <= SLICES_MAX,
        )
        if not all(holds):
            raise ValueError(
                "publisher limits must be positive, within those of PutRecords (500 records, 5 MiB), and fit each "
                "other: aggregate <= record <= batch, record <= buffer, first backoff <= longest",
            )


@dataclass(frozen=True, slots=True)
class DeliveryFailure:
    """One event that was given up. ``code`` is Kinesis's last error code, or why the publisher stopped trying."""

    partition_key: str
    data: bytes
    attempts: int
    code: str


@dataclass(frozen=True, slots=True)
class PublisherCounts:
    """What happened so far. ``accepted`` = ``delivered`` + ``failed`` + what is still waiting."""

    accepted: int = 0
    delivered: int = 0
    failed: int = 0
    retried: int = 0
    throttled: int = 0
    requests: int = 0


class PublishError(TerminalError):
    """Events were not delivered. ``failures`` has them all, in the order in which they were, for the caller to keep."""

    def __init__(self, failures: tuple[DeliveryFailure, ...]) -> None:
        """Take at least one failure."""
        self.failures = failures
        codes = ", ".join(sorted({failure.code for failure in failures}))
        super().__init__(f"{len(failures)} events were not delivered ({codes})")


class EventTooLargeError(TerminalError):
    """An event that the stream would refuse for its size; it was not accepted."""
