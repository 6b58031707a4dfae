"""moto's shard with the costs and the guarantees that a stream of days needs.

moto's own walks the whole shard on every read and lists all its keys on every write, gives two concurrent writers the
same sequence number, and starts again at 1 when its records are gone. This one keeps an ordered index, numbers without
gaps in its own counter, shows a record to readers only once the journal holds it, and can forget old records.
"""

from __future__ import annotations

import datetime as dt
import threading
from bisect import bisect_right

from moto.core.utils import unix_time
from moto.kinesis import models
from moto.kinesis.models import KinesisBackend, Record, Shard

RECORDS_A_READ_MAX = 10_000
BYTES_A_READ_MAX = 10 * 1024 * 1024
"""GetRecords returns at most 10,000 records and 10 MiB (Kinesis Data Streams quotas)."""


class OrderedShard(Shard):
    """One shard. Writers are serialised by the caller; readers may run beside them.

    A put is invisible until ``publish``: a consumer could otherwise checkpoint a sequence number that a crash
    takes back and gives to another record, which that consumer would then never see.
    """

    def __init__(
        self,
        shard_id: int,
        starting_hash: int,
        ending_hash: int,
        parent: str | None = None,
        adjacent_parent: str | None = None,
    ) -> None:
        super().__init__(shard_id, starting_hash, ending_hash, parent, adjacent_parent)
        self._order: list[int] = []
        self._last = 0
        self._visible = 0
        self._index = threading.Lock()

    def put_record(self, partition_key: str, data: str, explicit_hash_key: str) -> str:
        """Store a record under the next number, invisible; moto's signature."""
        return str(self._store(self._last + 1, partition_key, data, explicit_hash_key).sequence_number)

    def restore(self, sequence: int, partition_key: str, data: str, hash_key: str | None, arrived_us: int) -> None:
        """Put back a record of the journal under its own number and arrival time. Numbers must rise."""
        record = self._store(sequence, partition_key, data, hash_key or "")
        arrived = dt.datetime.fromtimestamp(arrived_us / 1_000_000, dt.UTC)
        record.created_at_datetime = arrived.replace(tzinfo=None)  # moto's times are naive UTC
        record.created_at = unix_time(record.created_at_datetime)

    def unpublished(self) -> list[Record]:
        """Return the records that readers do not see yet, in order."""
        with self._index:
            return [self.records[sequence] for sequence in self._order[bisect_right(self._order, self._visible) :]]

    def publish(self) -> None:
        """Show readers everything that was put so far."""
        self._visible = self._last

    def skip_to(self, sequence: int) -> None:
        """Never give away a number up to ``sequence`` again."""
        self._last = max(self._last, sequence)

    def trim(self, through: int, keep_records: int) -> int:
        """Forget records up to ``through``, but keep the newest ``keep_records``; return how many went."""
        with self._index:
            count = min(bisect_right(self._order, through), max(0, len(self._order) - keep_records))
            for sequence in self._order[:count]:
                del self.records[sequence]
            del self._order[:count]
        return count

    def get_records(self, last_sequence_id: str, limit: int | None) -> tuple[list[Record], int, int]:
        """Return the visible records after a number, the last number returned, and how far behind that is in ms."""
        after = int(last_sequence_id)
        with self._index:
            start = bisect_right(self._order, after)
            visible = bisect_right(self._order, self._visible)
            end = min(visible, start + min(limit or RECORDS_A_READ_MAX, RECORDS_A_READ_MAX))
            found = [self.records[sequence] for sequence in self._order[start:end]]
            newest = self.records[self._order[-1]] if self._order else None
        found = _within_bytes(found)
        if not found or newest is None:
            return [], after, 0
        return found, found[-1].sequence_number, max(0, int((newest.created_at - found[-1].created_at) * 1000))

    def get_min_sequence_number(self) -> int:
        """Return the oldest number kept, or 0."""
        return self._order[0] if self._order else 0

    def get_max_sequence_number(self) -> int:
        """Return the newest number that readers may see."""
        return self._visible

    def _store(self, sequence: int, partition_key: str, data: str, hash_key: str) -> Record:
        record = Record(partition_key, data, sequence, hash_key)
        with self._index:
            self.records[sequence] = record
            self._order.append(sequence)
            self._last = sequence
        return record


def install_in_moto() -> None:
    """Make moto build its streams from ``OrderedShard``, in this process. Idempotent.

    Kinesis metrics are switched off: moto would keep one data point a request, for ever.
    """
    models.Shard = OrderedShard  # type: ignore[misc]
    KinesisBackend._send_stream_metrics = lambda *_args, **_kwargs: None  # type: ignore[method-assign]  # noqa: SLF001


def _within_bytes(records: list[Record]) -> list[Record]:
    """Cut a read at the byte limit; the first record always fits."""
    total = 0
    for position, record in enumerate(records):
        total += len(record.data) * 3 // 4
        if total > BYTES_A_READ_MAX and position:
            return records[:position]
    return records
