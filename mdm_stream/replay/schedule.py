"""What a replay delivers, and in which order: events of files, perhaps shuffled, perhaps some of them twice."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.core.fold import Foldable
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.wire_formats import FormatName
from mdm_stream.decode import Delivery, file_events
from mdm_stream.decode.files.csv_rows import CsvFile
from mdm_stream.errors import RejectedEventError


@dataclass(frozen=True, slots=True)
class Rejected:
    """Bytes that hold no event, in which file, and why; of a row also its line, header and record."""

    delivery: Delivery
    error: RejectedEventError
    line: int | None = None
    header: tuple[str, ...] = ()
    record: tuple[str, str, str] | None = None


def read_files(
    paths: Sequence[Path],
    format_: FormatName | None,
    source: str | None,
    rulesets: Mapping[str, Ruleset],
    on_ignored: Callable[[], None] = lambda: None,
) -> Iterator[ChangeEvent | Rejected]:
    """Yield the events of files, one file after the other, and what was rejected; rows to ignore are called out."""
    for path in paths:
        for raw, item in file_events(path, format_, source, rulesets, on_ignored=on_ignored):
            yield Rejected(Delivery.unplaced(raw, path.name), item) if isinstance(item, RejectedEventError) else item


def read_rows(
    pieces: Iterable[bytes], name: str, source: str | None, rulesets: Mapping[str, Ruleset], loaded_at_us: int
) -> Iterator[ChangeEvent | Rejected]:
    """Yield the events of a CSV file, loaded at a time, and what was rejected."""
    file = CsvFile(pieces, rulesets, source, loaded_at_us)
    for row in file.rows():
        if isinstance(row.outcome, RejectedEventError):
            yield Rejected(Delivery.unplaced(row.raw, name), row.outcome, row.line, file.header, row.record)
        else:
            yield row.outcome


def disturbed(
    items: Iterable[ChangeEvent | Rejected], shuffle_seed: int | None, duplicate_fraction: float
) -> Iterable[ChangeEvent | Rejected]:
    """Return the items in another order, some of them twice; unchanged, and streamed, if neither is asked for.

    ``duplicate_fraction`` (0..1) of the items are delivered again at some later place. Versions are never touched. The
    same seed gives the same delivery. Everything is held in memory: some 1 KB an event.
    """
    if shuffle_seed is None and not duplicate_fraction:
        return items
    randomness = random.Random(shuffle_seed or 0)  # noqa: S311 - a reproducible order, no secret
    delivery = list(items)
    again = randomness.sample(delivery, round(len(delivery) * duplicate_fraction))
    if shuffle_seed is not None:
        delivery += again
        randomness.shuffle(delivery)
        return delivery
    keyed = [(float(position), item) for position, item in enumerate(delivery)]
    keyed += [(randomness.uniform(0, len(delivery)), item) for item in again]
    return [item for _, item in sorted(keyed, key=lambda pair: pair[0])]


class LaneBatches:
    """Parts events into batches for workers: those that stand together go together, and then it is another's turn.

    Rows that stand together share blocking keys more often than others (a household, a mailing list), and two workers
    that write one key at the same time cost each other another attempt. An event of a record of which a worker may
    still have one goes to that worker, so that the events of a record are applied in their order; for that the records
    of its last ``kept`` batches are remembered, which must be as many as it can have.
    """

    def __init__(self, lanes: int, size: int, kept: int) -> None:
        self._size = size
        self._kept = kept
        self._turn = 0
        self._open: list[list[ChangeEvent]] = [[] for _ in range(lanes)]
        self._given: list[deque[list[ChangeEvent]]] = [deque() for _ in range(lanes)]
        self._last: dict[str, tuple[int, list[ChangeEvent]]] = {}

    def add(self, event: ChangeEvent) -> tuple[int, list[ChangeEvent]] | None:
        """Take an event; return a lane and its batch if that is full now."""
        held = self._last.get(event.refs[0])
        lane = self._turn if held is None else held[0]
        batch = self._open[lane]
        batch.append(event)
        self._last[event.refs[0]] = lane, batch
        if len(batch) < self._size:
            return None
        if lane == self._turn:
            self._turn = (lane + 1) % len(self._open)
        return self._give(lane)

    def rest(self) -> Iterator[tuple[int, list[ChangeEvent]]]:
        """Yield the batches that are not full."""
        yield from (self._give(lane) for lane, batch in enumerate(self._open) if batch)

    def _give(self, lane: int) -> tuple[int, list[ChangeEvent]]:
        batch, self._open[lane] = self._open[lane], []
        given = self._given[lane]
        given.append(batch)
        if len(given) > self._kept:
            done = given.popleft()
            for event in done:
                held = self._last.get(event.refs[0])
                if held is not None and held[1] is done:
                    del self._last[event.refs[0]]
        return lane, batch


def lane_of(event: Foldable, lanes: int) -> int:
    """Return the worker that an event goes to: all events of one record go to one, as on a stream's shards."""
    return int(digest_of_bytes(event.refs[0].encode(), 4), 16) % lanes
