"""What waits to be sent: events in line behind each other, and batches of what stands first in the lines.

Pure: no threads, no clock. Each partition key has a line, or, with aggregation, each slice of the hash keys. What is
sent of a line as one record of the stream is a parcel: its first event, or as many of the first ones as an aggregate
takes. A batch holds at most one parcel of a line, and a line whose parcel is under way or waits for its retry is in no
batch. Everything here takes constant time an event (the retry queue logarithmic).
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from mdm_stream.contracts.kpl import ENVELOPE_BYTES, USER_RECORD_OVERHEAD_BYTES_MAX, USER_RECORDS_MAX
from producers.delivery import PublisherSettings
from producers.kpl import aggregate, slice_hash_key, slice_key, slice_of


@dataclass(slots=True)
class BufferedRecord:
    """One event that waits. ``number`` counts up as events are put; ``code`` is the last failure's."""

    number: int
    line: str
    key: str
    data: bytes
    size_bytes: int
    put_at_s: float
    attempts: int = 0
    code: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Events that are sent as one record: the first ones of a line, in their order.

    ``size_bytes`` is what the record has at most, its partition key included; ``hash_key`` its explicit one, if any.
    """

    line: str
    entries: Sequence[BufferedRecord]
    size_bytes: int
    hash_key: str = ""

    def record(self) -> dict[str, object]:
        """Return the record as PutRecords takes it. One event goes as it is, several as an aggregate."""
        data = self.entries[0].data
        if len(self.entries) > 1:
            data = aggregate((entry.key, entry.data) for entry in self.entries)
        record: dict[str, object] = {"Data": data, "PartitionKey": self.line}
        return {**record, "ExplicitHashKey": self.hash_key} if self.hash_key else record


class EventBuffer:
    """The events that were put and are neither delivered nor given up. Times are seconds of any steady clock."""

    def __init__(self, settings: PublisherSettings) -> None:
        """Take the limits of a batch, of the buffer, and of the wait for company."""
        self._settings = settings
        self._waiting: OrderedDict[int, BufferedRecord] = OrderedDict()
        self._lines: dict[str, deque[BufferedRecord]] = {}
        self._ready: deque[str] = deque()
        self._retrying: list[tuple[float, int, str]] = []
        self._bytes = 0
        self._due_at_s = math.inf
        self.next_number = 0
        slices = settings.aggregate_slices if settings.aggregate_bytes_max else 0
        self._hash_keys = {slice_key(number, slices): slice_hash_key(number, slices) for number in range(slices)}
        self._slices = list(self._hash_keys)

    def __len__(self) -> int:
        """Return how many events wait, those under way included."""
        return len(self._waiting)

    @property
    def oldest_number(self) -> int:
        """The number of the oldest event that waits; that of the next event if none does."""
        return next(iter(self._waiting), self.next_number)

    def has_room(self, size_bytes: int) -> bool:
        """Tell whether an event of that size may be added."""
        settings = self._settings
        return len(self._waiting) < settings.buffer_records_max and (
            self._bytes + size_bytes <= settings.buffer_bytes_max
        )

    def size_of(self, key: str, data: bytes) -> int:
        """Return what an event counts: its bytes, and the longer one of the partition keys that it may be sent with."""
        sent_with = len(self._slices[-1]) if self._slices else 0
        return len(data) + max(len(key.encode()), sent_with)

    def add(self, key: str, data: bytes, size_bytes: int, now_s: float) -> bool:
        """Take an event at the end of its line; tell whether the sender should look again."""
        name = self._slices[slice_of(key, len(self._slices))] if self._slices else key
        entry = BufferedRecord(self.next_number, name, key, data, size_bytes, now_s)
        self.next_number += 1
        self._waiting[entry.number] = entry
        self._bytes += size_bytes
        line = self._lines.get(name)
        if line is not None:
            line.append(entry)
            return self._bytes >= self._settings.batch_bytes_max
        self._lines[name] = deque((entry,))
        self._ready.append(name)
        was_idle = self._due_at_s == math.inf
        self._due_at_s = min(self._due_at_s, now_s + self._settings.linger_s)
        return was_idle or self._is_full()

    def take(self, now_s: float, *, at_once: bool) -> tuple[list[Parcel], list[BufferedRecord]]:
        """Return the next batch, and the events met on the way whose delivery time-out has passed.

        Both empty if nothing is due. What is returned must be settled: all events of a parcel, each event by itself.
        ``at_once`` sends what is ready without waiting for company.
        """
        while self._retrying and self._retrying[0][0] <= now_s:
            _, _, name = heapq.heappop(self._retrying)
            self._ready.append(name)
            self._due_at_s = now_s
        if not (self._ready and (at_once or self._due_at_s <= now_s or self._is_full())):
            return [], []
        batch: list[Parcel] = []
        expired: list[BufferedRecord] = []
        size_bytes = 0
        while self._ready and len(batch) < self._settings.batch_records_max:
            line = self._lines[self._ready[0]]
            if self._is_expired(line[0], now_s):
                expired.append(line[0])
            else:
                parcel = self._parcel(line, now_s)
                if size_bytes + parcel.size_bytes > self._settings.batch_bytes_max:
                    break
                batch.append(parcel)
                size_bytes += parcel.size_bytes
            self._ready.popleft()
        # What did not fit may gather company again; it has lingered since it was put, so never longer in all.
        rest = self._lines[self._ready[0]][0] if self._ready else None
        self._due_at_s = math.inf if rest is None else rest.put_at_s + self._settings.linger_s
        return batch, expired

    def wait_s(self, now_s: float) -> float | None:
        """Return how long nothing will be due if no event is added; None if for ever."""
        next_at_s = min(self._due_at_s, self._retrying[0][0] if self._retrying else math.inf)
        return None if next_at_s == math.inf else max(0.0, next_at_s - now_s)

    def settle(
        self, done: Sequence[BufferedRecord], again: Sequence[BufferedRecord], now_s: float, at_s: float
    ) -> None:
        """Forget events that were delivered or given up, the first ones of a line; keep those behind them for ``at_s``.

        If none is kept, the next event of the line is ready. One that is sent by itself has waited enough; one that may
        have company waits as long for it as it would have at first.
        """
        for entry in done:
            del self._waiting[entry.number]
            self._bytes -= entry.size_bytes
            self._lines[entry.line].popleft()
        if again:
            heapq.heappush(self._retrying, (at_s, again[0].number, again[0].line))
            return
        name = done[0].line
        line = self._lines[name]
        if not line:
            del self._lines[name]
            return
        self._ready.append(name)
        due_at_s = line[0].put_at_s + self._settings.linger_s if self._slices else now_s
        self._due_at_s = min(self._due_at_s, due_at_s)

    def drain(self) -> list[BufferedRecord]:
        """Forget every event and return them, oldest first."""
        entries = list(self._waiting.values())
        for container in (self._waiting, self._lines, self._ready, self._retrying):
            container.clear()
        self._bytes = 0
        self._due_at_s = math.inf
        return entries

    def _is_full(self) -> bool:
        settings = self._settings
        return len(self._ready) >= settings.batch_records_max or self._bytes >= settings.batch_bytes_max

    def _is_expired(self, entry: BufferedRecord, now_s: float) -> bool:
        return now_s - entry.put_at_s > self._settings.delivery_timeout_s

    def _parcel(self, line: deque[BufferedRecord], now_s: float) -> Parcel:
        first = line[0]
        if not self._slices:
            return Parcel(first.line, (first,), first.size_bytes)
        entries: list[BufferedRecord] = []
        size_bytes = ENVELOPE_BYTES + len(first.line)
        for entry in islice(line, USER_RECORDS_MAX):
            size_bytes += entry.size_bytes + USER_RECORD_OVERHEAD_BYTES_MAX
            if entries and (size_bytes > self._settings.aggregate_bytes_max or self._is_expired(entry, now_s)):
                size_bytes -= entry.size_bytes + USER_RECORD_OVERHEAD_BYTES_MAX
                break
            entries.append(entry)
        if len(entries) == 1:
            size_bytes = first.size_bytes
        return Parcel(first.line, tuple(entries), size_bytes, self._hash_keys[first.line])
