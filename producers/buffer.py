"""What waits to be sent: events in line behind each other by key, and batches of the keys' first ones.

Pure: no threads, no clock. A batch holds at most one event of a key, and a key whose event is under way or waits for
its retry is in no batch. Everything here takes constant time an event (the retry queue logarithmic).
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict, deque
from dataclasses import dataclass

from producers.delivery import PublisherSettings


@dataclass(slots=True)
class BufferedRecord:
    """One event that waits. ``number`` counts up as events are put; ``code`` is the last failure's."""

    number: int
    key: str
    data: bytes
    size_bytes: int
    put_at_s: float
    attempts: int = 0
    code: str = ""


class EventBuffer:
    """The events that were put and are neither delivered nor given up. Times are seconds of any steady clock."""

    def __init__(self, settings: PublisherSettings) -> None:
        """Take the limits of a batch, of the buffer, and of the wait for company."""
        self._settings = settings
        self._waiting: OrderedDict[int, BufferedRecord] = OrderedDict()
        self._by_key: dict[str, deque[BufferedRecord]] = {}
        self._ready: deque[str] = deque()
        self._retrying: list[tuple[float, int, str]] = []
        self._bytes = 0
        self._due_at_s = math.inf
        self.next_number = 0

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

    def add(self, key: str, data: bytes, size_bytes: int, now_s: float) -> bool:
        """Take an event at the end of its key's line; tell whether the sender should look again."""
        entry = BufferedRecord(self.next_number, key, data, size_bytes, now_s)
        self.next_number += 1
        self._waiting[entry.number] = entry
        self._bytes += size_bytes
        line = self._by_key.get(key)
        if line is not None:
            line.append(entry)
            return self._bytes >= self._settings.batch_bytes_max
        self._by_key[key] = deque((entry,))
        self._ready.append(key)
        was_idle = self._due_at_s == math.inf
        self._due_at_s = min(self._due_at_s, now_s + self._settings.linger_s)
        return was_idle or self._is_full()

    def take(self, now_s: float, *, at_once: bool) -> tuple[list[BufferedRecord], list[BufferedRecord]]:
        """Return the next batch, and the events met on the way whose delivery time-out has passed.

        Both empty if nothing is due. Each event returned must be settled: by ``finish``, or ``retry``.
        ``at_once`` sends what is ready without waiting for company.
        """
        while self._retrying and self._retrying[0][0] <= now_s:
            _, _, key = heapq.heappop(self._retrying)
            self._ready.append(key)
            self._due_at_s = now_s
        if not (self._ready and (at_once or self._due_at_s <= now_s or self._is_full())):
            return [], []
        batch: list[BufferedRecord] = []
        expired: list[BufferedRecord] = []
        size_bytes = 0
        while self._ready and len(batch) < self._settings.batch_records_max:
            entry = self._by_key[self._ready[0]][0]
            if now_s - entry.put_at_s > self._settings.delivery_timeout_s:
                expired.append(entry)
            elif size_bytes + entry.size_bytes > self._settings.batch_bytes_max:
                break
            else:
                batch.append(entry)
                size_bytes += entry.size_bytes
            self._ready.popleft()
        # What did not fit may gather company again; it has lingered since it was put, so never longer in all.
        rest = self._by_key[self._ready[0]][0] if self._ready else None
        self._due_at_s = math.inf if rest is None else rest.put_at_s + self._settings.linger_s
        return batch, expired

    def wait_s(self, now_s: float) -> float | None:
        """Return how long nothing will be due if no event is added; None if for ever."""
        next_at_s = min(self._due_at_s, self._retrying[0][0] if self._retrying else math.inf)
        return None if next_at_s == math.inf else max(0.0, next_at_s - now_s)

    def finish(self, entry: BufferedRecord, now_s: float) -> None:
        """Forget an event that was delivered or given up; the next one of its key is ready, and has waited enough."""
        del self._waiting[entry.number]
        self._bytes -= entry.size_bytes
        line = self._by_key[entry.key]
        line.popleft()
        if not line:
            del self._by_key[entry.key]
            return
        self._ready.append(entry.key)
        self._due_at_s = now_s

    def retry(self, entry: BufferedRecord, at_s: float) -> None:
        """Keep an event at the head of its key's line, to be sent again at that time."""
        heapq.heappush(self._retrying, (at_s, entry.number, entry.key))

    def drain(self) -> list[BufferedRecord]:
        """Forget every event and return them, oldest first."""
        entries = list(self._waiting.values())
        for container in (self._waiting, self._by_key, self._ready, self._retrying):
            container.clear()
        self._bytes = 0
        self._due_at_s = math.inf
        return entries

    def _is_full(self) -> bool:
        settings = self._settings
        return len(self._ready) >= settings.batch_records_max or self._bytes >= settings.batch_bytes_max
