"""From a batch of Kinesis records to the warehouse, with Lambda's rule for partial failures.

Lambda rewinds to the lowest sequence number that is reported and delivers everything from there again. A message that
cannot be read, or that the warehouse refuses for itself, holds back no other one of its batch: the rest is applied, and
the message is reported. Nothing is skipped: it is a fault of our own, and after the event source's attempts the message
goes to the on-failure destination with its payload. When the warehouse fails for all, the first record under way is
reported.

A record of the stream may be a claim check for data many times its size, so a batch is applied in portions of so many
bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from mdm_stream.contracts.golden import ClaimCheck, Follow, UnknownTypeError, parse_message, redeem
from mdm_stream.core.faults import as_rejection
from mdm_stream.decode import Delivery
from mdm_stream.errors import ConfigurationError, MdmError, TerminalError
from mdm_stream.feed.claims import ClaimReader
from mdm_stream.telemetry.spans import NO_SPANS, Spans
from mdm_stream.warehouse.applied import Applied
from mdm_stream.warehouse.quick import quick_change
from mdm_stream.warehouse.staging import FeedMessage
from mdm_stream.warehouse.warehouse import Warehouse

PORTION_BYTES_MAX = 16 * 1024**2
"""Data of messages that is applied at a time, more than a batch without claim checks has; its rows take some ten times
that in memory. One message is applied whatever its size."""


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of a batch.

    ``first_failed`` is the place of the record where the event source must go on, with the ``error`` that it met; both
    are None after a success, and records behind it may have been applied all the same. ``lags_ms`` is the time from
    the commit of each applied message until now, of those that say when they were committed. ``records_skipped`` are
    messages of a type that a later release has added: they say nothing of the state.
    ``applied`` says what the records were that were applied, ``statements`` how many the batch ran in the database.
    """

    records_applied: int
    lags_ms: tuple[float, ...]
    first_failed: int | None
    error: MdmError | None
    records_skipped: int = 0
    applied: Applied | None = None
    statements: int = 0


class BatchObserver(Protocol):
    """What takes note of each batch. It raises nothing: a batch does not depend on it."""

    def started(self, records: Sequence[Delivery]) -> Any:
        """Take note of a batch that is about to be applied; return what ``ended`` is called with."""
        ...

    def ended(self, run: Any, applied: Applied, error: Exception | None, *, appends: bool) -> None:
        """Take note of what was applied of it, and of what it failed with."""
        ...

    def take_counts(self) -> Mapping[str, int]:
        """Return its own metrics since the last call, by name."""
        ...


class WarehouseConsumer:
    """Applies batches of golden feed records and closes the warehouse when it has been idle."""

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        idle_close_s: float,
        follow: Follow | None = None,
        observer: BatchObserver | None = None,
        spans: Spans = NO_SPANS,
        monotonic_s: Callable[[], float] = time.monotonic,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take the warehouse, which this consumer owns, and how long it may stay open without work.

        ``follow`` gets at data that is kept elsewhere; left out, it goes where the messages say.
        ``observer`` takes note of each batch that has records. ``spans`` times the stages.
        """
        self._warehouse = warehouse
        self._follow = follow or ClaimReader()
        self._observer = observer
        self._spans = spans
        self._idle_close_s = idle_close_s
        self._monotonic_s = monotonic_s
        self._clock = clock
        self._last_used_s = monotonic_s()

    def apply_records(self, records: Sequence[Delivery]) -> BatchOutcome:
        """Apply records of the golden feed as one micro-batch. Idempotent; order within does not matter."""
        statements = self._warehouse.statements
        if self._observer is None or not records:
            outcome = self._apply_records(records)
            return replace(outcome, statements=self._warehouse.statements - statements)
        with self._spans.stage("lineage"):
            observed = self._observer.started(records)
        outcome = self._apply_records(records)
        outcome = replace(outcome, statements=self._warehouse.statements - statements)
        applied = outcome.applied or Applied(0, 0, 0, None)
        with self._spans.stage("lineage"):
            self._observer.ended(observed, applied, outcome.error, appends=self._warehouse.appends)
        return outcome

    def observed(self) -> Mapping[str, int]:
        """Return the metrics of the observer since the last call, by name; none without one."""
        return {} if self._observer is None else self._observer.take_counts()

    def _apply_records(self, records: Sequence[Delivery]) -> BatchOutcome:
        run, unread = _Applying(), dict[int, MdmError]()
        portions = self._portions(records, run, unread)
        while True:
            with self._spans.stage("decode"):
                portion = next(portions)
            self._apply(portion.messages, run)
            if portion.is_last:
                break
        run.failed |= unread
        lags_ms = self._lags_ms(run.total.committed_at)
        if run.first_failed is None:
            return BatchOutcome(run.applied, lags_ms, None, None, run.skipped, run.total)
        fault = run.failed[run.first_failed]
        return BatchOutcome(run.applied, lags_ms, run.first_failed, fault, run.skipped, run.total)

    def _portions(self, records: Sequence[Delivery], run: _Applying, unread: dict[int, MdmError]) -> Iterator[_Portion]:
        """Yield the messages of a batch in portions, the last of which may be empty; note what cannot be read."""
        messages, held_bytes = list[tuple[int, FeedMessage]](), 0
        for place, record in enumerate(records):
            try:
                message, content_bytes = self._read(record)
            except UnknownTypeError:
                run.skipped += 1
                continue
            except Exception as error:  # noqa: BLE001 - one of the process is raised again
                unread[place] = _own_fault(error)
                if _is_of_one_message(unread[place]):
                    continue
                break
            if messages and held_bytes + content_bytes > PORTION_BYTES_MAX:
                yield _Portion(messages, is_last=False)
                messages, held_bytes = [], 0
            messages.append((place, message))
            held_bytes += content_bytes
        yield _Portion(messages, is_last=True)

    def _read(self, record: Delivery) -> tuple[FeedMessage, int]:
        """Return a record's message with its data, and how large that is."""
        quick = quick_change(record.raw) if self._warehouse.takes_quick else None
        if quick is not None:
            return quick, len(record.raw)
        message = parse_message(record.raw)
        if isinstance(message, ClaimCheck):
            return redeem(message, self._follow), message.datasize
        return message, len(record.raw)

    def _apply(self, portion: Sequence[tuple[int, FeedMessage]], run: _Applying) -> None:
        """Apply messages, unless the batch has stopped.

        A message that the database refuses for itself, whatever it is applied with, holds back no other one of the
        batch: halves of the portion find it.
        """
        if not portion or run.stopped is not None:
            return
        try:
            with self._spans.stage(self._warehouse.kind):
                applied = self._warehouse.apply([message for _, message in portion])
        except Exception as error:  # noqa: BLE001 - one of the process is raised again
            fault = _own_fault(error)
            if len(portion) < 2 or not _is_of_one_message(fault):
                run.refuse(portion[0][0], fault)
                return
        else:
            run.applied += len(portion)
            run.add(applied)
            return
        finally:
            self._last_used_s = self._monotonic_s()
        middle = len(portion) // 2
        self._apply(portion[:middle], run)
        self._apply(portion[middle:], run)

    def close_when_idle(self) -> bool:
        """Close the warehouse if nothing was applied for ``idle_close_s``; return whether it was closed.

        Called on a schedule. The next batch opens it again.
        """
        if self._monotonic_s() - self._last_used_s < self._idle_close_s:
            return False
        self._warehouse.close()
        return True

    def _lags_ms(self, committed_at: Sequence[datetime]) -> tuple[float, ...]:
        # The engine's clock may run ahead of ours; a negative lag would only confuse an alarm.
        now = self._clock()
        return tuple(max(0.0, (now - each).total_seconds() * 1000) for each in committed_at)


@dataclass(frozen=True, slots=True)
class _Portion:
    """Messages that are applied together, each with its place in the batch."""

    messages: Sequence[tuple[int, FeedMessage]]
    is_last: bool


@dataclass(slots=True)
class _Applying:
    """A batch under way: how many messages are applied, and by place those that are not; it stops where all fail."""

    applied: int = 0
    skipped: int = 0
    failed: dict[int, MdmError] = field(default_factory=dict)
    stopped: int | None = None
    total: Applied = field(default_factory=lambda: Applied(0, 0, 0, None))

    @property
    def first_failed(self) -> int | None:
        """Where the event source must go on."""
        return min(self.failed, default=None)

    def add(self, applied: Applied) -> None:
        """Count a portion that was applied."""
        before = self.total
        self.total = Applied(
            before.changes + applied.changes,
            before.erasures + applied.erasures,
            before.reports + applied.reports,
            _earlier(before.oldest_committed_at, applied.oldest_committed_at),
            before.files + applied.files,
            before.evidence + applied.evidence,
            (*before.committed_at, *applied.committed_at),
        )

    def refuse(self, place: int, fault: MdmError) -> None:
        """Note that a message is not applied, for a fault of its own or for one that meets all."""
        self.failed[place] = fault
        if not _is_of_one_message(fault):
            self.stopped = place


def _is_of_one_message(fault: MdmError) -> bool:
    return isinstance(fault, TerminalError) and not isinstance(fault, ConfigurationError)


def _own_fault(error: Exception) -> MdmError:
    """Return an error as one of ours. An unexpected one is told by type and place; one of the process is raised."""
    return error if isinstance(error, MdmError) else as_rejection(error)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)
