"""The lineage of one batch: a run that starts before it is applied, and is complete or failed after it.

A run's id is made from the batch: its records' places on the stream and their bytes. So a batch that is delivered
again is the same run again. What is sent holds names, counts and places; no value of a record, and no error but our
own, whose messages hold none either.

Nothing here fails a batch. An event that cannot be sent is counted and given no second try; after one that failed,
nothing is sent for a minute, so a server that does not answer costs a minute's batches ``timeout_s`` together.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.decode import Delivery
from mdm_stream.warehouse.applied import Applied
from mdm_stream.warehouse.lineage.tables import TableNames, rows_written

PAUSE_S = 60.0
"""How long nothing is sent after an event that could not be."""

SHARDS_MAX = 100
"""Shards that one event names; a batch of Lambda is of one."""

_ORIGIN = re.compile(r"([^/]+)/([^:]+):(\d+)")
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShardRange:
    """What a batch has of a shard: the first and last sequence number, and how many records."""

    shard: str
    first: str
    last: str
    records: int


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run: its id, where it read, and from when it is."""

    run_id: str
    stream: str
    shards: tuple[ShardRange, ...]
    records: int


@dataclass(frozen=True, slots=True)
class Written:
    """A table that a run wrote to: its name, its columns with types and descriptions, and how many rows."""

    namespace: str
    name: str
    columns: Sequence[tuple[str, str, str]]
    rows: int


State = Literal["START", "COMPLETE", "FAIL"]


class Telling(Protocol):
    """What puts a run into an event and sends it."""

    def send(self, run: RunFacts, state: State, at: datetime, written: Sequence[Written], error: str) -> None:
        """Send one event. Raises whatever it meets."""
        ...


@dataclass(slots=True)
class LineageCounts:
    """Events that were sent, that could not be, and that were left out in the pause after one that could not be."""

    sent: int = 0
    failed: int = 0
    left_out: int = 0


@dataclass(slots=True)
class BatchLineage:
    """Tells the lineage of batches; see the module's note. Safe for one thread at a time."""

    telling: Telling
    tables: TableNames
    namespace: str
    job: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic_s: Callable[[], float] = time.monotonic
    counts: LineageCounts = field(default_factory=LineageCounts)
    _silent_until_s: float = 0.0

    def started(self, records: Sequence[Delivery]) -> RunFacts:
        """Tell that a batch is about to be applied; return what ``ended`` takes."""
        run = run_of(records, self.namespace, self.job)
        self._send(run, "START", (), "")
        return run

    def ended(self, run: RunFacts, applied: Applied, error: Exception | None, *, appends: bool) -> None:
        """Tell what was applied of a batch, and what it failed with."""
        rows = rows_written(applied, appends=appends)
        written = [
            Written(self.tables.namespace, self.tables.name_of(table), self.tables.columns_of(table), count)
            for table, count in rows.items()
        ]
        self._send(run, "COMPLETE" if error is None else "FAIL", written, "" if error is None else str(error))

    def take_counts(self) -> dict[str, int]:
        """Return the metrics since the last call."""
        counts, self.counts = self.counts, LineageCounts()
        return {"LineageEventsSent": counts.sent, "LineageEventsFailed": counts.failed + counts.left_out}

    def _send(self, run: RunFacts, state: State, written: Sequence[Written], error: str) -> None:
        if self.monotonic_s() < self._silent_until_s:
            self.counts.left_out += 1
            return
        try:
            self.telling.send(run, state, self.clock(), written, error)
        except Exception as fault:  # noqa: BLE001 - whatever a library or a server does, the batch goes on
            self.counts.failed += 1
            self._silent_until_s = self.monotonic_s() + PAUSE_S
            _logger.warning("lineage: %s could not be sent (%s)", state, type(fault).__name__)
        else:
            self.counts.sent += 1


def run_of(records: Sequence[Delivery], namespace: str, job: str) -> RunFacts:
    """Return the run of a batch: the same for the same records in the same places, and another for any other."""
    places: dict[tuple[str, str], list[str]] = {}
    for record in records:
        match = _ORIGIN.fullmatch(record.origin)
        number = record.position.lstrip("0") or "0"
        stream, shard, number = (match[1], match[2], match[3]) if match else ("", "", number)
        places.setdefault((stream, shard), []).append(number)
    digest = digest_of_bytes(b"\n".join(part for each in records for part in (each.origin.encode(), each.raw)))
    of_job = uuid.uuid5(uuid.NAMESPACE_URL, f"mdm-stream:{namespace}/{job}")
    shards = tuple(_range(shard, numbers) for (_, shard), numbers in sorted(places.items()))
    stream = next((stream for stream, _ in sorted(places) if stream), "golden")
    return RunFacts(str(uuid.uuid5(of_job, digest)), stream, shards[:SHARDS_MAX], len(records))


def _range(shard: str, numbers: Sequence[str]) -> ShardRange:
    ordered: list[str] = sorted(numbers, key=int)
    return ShardRange(shard, ordered[0], ordered[-1], len(ordered))
