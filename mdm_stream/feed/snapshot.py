"""Taking a snapshot of the golden feed: the snapshot before, and what the stream has had since (log compaction).

A snapshot is a pure function of the messages that the feed carried, and of nothing else: no index is asked. A reader
that applies it, and then the tail of the stream from its marks on, has what the feed said, however long ago the stream
forgot it. However many runs gathered the messages, in whatever order and with whatever repetition, the parts are equal.

1. The tail of the stream goes into a scratch database (``snapshot_fold``), claim checks with the data that they lead
to. 2. Group by group, what the snapshot before has is added; a group that gains nothing is named again. 3. Values of
records that are known to be erased are taken out, also of what was written before the erasure. 4. Parts are written,
and at last the manifest. Killed before that, the snapshot before stands, and the next run begins from it.

Memory is bounded by one read of the stream, a few parts (``PART_BYTES_MAX`` and the largest message each) and the
erased records; the scratch database takes the room of the tail on the disk, or for ``newest`` that of the snapshot.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

import orjson

from mdm_stream.aws.read_shards import ARRIVAL_MARGIN_S, Marks, RecordsGoneError, StreamReader
from mdm_stream.contracts.golden import ClaimCheck, Follow, parse_message
from mdm_stream.core.times import format_time_us
from mdm_stream.errors import RejectedEventError, TerminalError
from mdm_stream.feed.claims import DamagedClaimError, MissingClaimError
from mdm_stream.feed.snapshot_fold import ERASURES, RecordsByDomain, SnapshotFold
from mdm_stream.feed.snapshot_store import (
    FeedSnapshots,
    Kind,
    Ranges,
    SnapshotManifest,
    SnapshotPart,
    TypedMessage,
    missing_in,
)

PART_BYTES_MAX = 16 * 1024**2
"""Messages of one part before they are packed; some 16,000 ordinary ones. A larger message is a part of its own."""

PROGRESS_EVERY_MESSAGES = 10_000

Redact = Callable[[bytes, RecordsByDomain], bytes | None]
"""Returns a message without the values of erased records: itself if it has none, ``None`` if nothing of it may stay."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class SnapshotReport:
    """What a run did.

    ``read`` messages of the stream, duplicates too. ``rewritten`` parts, of all that there are. ``from_the_oldest``:
    the stream did not hold any more what was read of it last, so all that it holds was read. ``unreadable`` messages
    have no id or type and are left out; of ``without_data`` the claim objects are gone, so that they hold a reference
    that leads nowhere; ``left_out`` are of a type that this release does not know, and named an erased record.
    """

    manifest: SnapshotManifest
    read: int
    rewritten: int
    from_the_oldest: bool
    unreadable: int
    without_data: int
    left_out: int


class TakeSnapshot:
    """One run that takes a snapshot. ``redact`` takes erased values out of a message of the feed."""

    def __init__(
        self,
        snapshots: FeedSnapshots,
        reader: StreamReader,
        stream: str,
        *,
        follow: Follow,
        redact: Redact,
        on_progress: Progress = lambda _what, _done, _expected: None,
        clock_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        """Take the store, and the stream's reader and name; ``follow`` gets at the data of claim checks."""
        self._snapshots = snapshots
        self._reader = reader
        self._stream = stream
        self._follow = follow
        self._redact = redact
        self._on_progress = on_progress
        self._clock_us = clock_us
        self._read = self._without_data = self._left_out = self._rewritten = 0

    def run(self, kind: Kind = "history", *, allow_gap: bool = False, also: Iterable[bytes] = ()) -> SnapshotReport:
        """Take the next snapshot, and return what became of it.

        ``also`` are messages that the stream never had: a domain's first epoch, which was filled in bulk.

        ``TerminalError``, and the snapshot before stands, if messages between it and the oldest that the stream holds
        are gone: with ``allow_gap`` the new one lacks them and says so. ``OvertakenError`` (transient) if another run
        or an erasure was faster.
        """
        base = self._snapshots.latest(kind)
        if base is None:
            # An erasure that comes meanwhile publishes the next one, and so overtakes this run.
            base = SnapshotManifest(kind, 1, self._stream)
            self._snapshots.publish(base)
        with closing(SnapshotFold(kind)) as fold:
            self._load(fold, [part for part in base.parts if part.group.startswith(ERASURES)])
            erased_before, began_us = _count(fold.erased), self._clock_us()
            for raw in also:
                fold.add(raw)
            marks, from_the_oldest = self._read_tail(base, fold)
            positions = fold.positions(base.positions)
            if from_the_oldest and not allow_gap:
                _refuse_gap(base.positions, positions)
            # Of records whose erasure the snapshot before knew, it has no value.
            touches_all = _count(fold.erased) > erased_before
            parts = tuple(self._parts(base, fold, touches_all=touches_all))
            manifest = SnapshotManifest(
                kind,
                base.generation + 1,
                self._stream,
                marks,
                positions,
                parts,
                format_time_us(self._clock_us()),
                format_time_us(began_us - round(ARRIVAL_MARGIN_S * 1_000_000)),
            )
            self._snapshots.publish(manifest)
            return SnapshotReport(
                manifest,
                self._read,
                self._rewritten,
                from_the_oldest,
                fold.unreadable,
                self._without_data,
                self._left_out,
            )

    def _read_tail(self, base: SnapshotManifest, fold: SnapshotFold) -> tuple[Marks, bool]:
        """Add what the stream has had since; return its marks, and whether it was read from its oldest record."""
        if base.stream == self._stream and base.marks:
            marks = dict(base.marks)
            try:
                self._add_all(marks, fold)
            except RecordsGoneError:
                pass  # trimmed, or a shard that was closed: what there is still may follow on all the same
            else:
                return marks, False
        marks = {}
        self._add_all(marks, fold)
        return marks, not base.is_empty

    def _add_all(self, marks: Marks, fold: SnapshotFold) -> None:
        for record in self._reader.records(marks):
            fold.add(self._with_data(record.data))
            self._read += 1
            if self._read % PROGRESS_EVERY_MESSAGES == 0:
                self._on_progress("reading the feed", self._read, 0)

    def _with_data(self, raw: bytes) -> bytes:
        """Return a message with its data, if it was a claim check and they are there."""
        if b'"dataref"' not in raw:
            return raw
        try:
            claim = parse_message(raw)
        except RejectedEventError:
            return raw
        if not isinstance(claim, ClaimCheck):
            return raw
        try:
            data = self._follow(claim)
        except (MissingClaimError, DamagedClaimError):
            self._without_data += 1
            return raw
        envelope = orjson.loads(raw)
        kept = {name: value for name, value in envelope.items() if name not in {"dataref", "datasize", "datasha256"}}
        return orjson.dumps({**kept, "data": orjson.Fragment(data)})

    def _parts(self, base: SnapshotManifest, fold: SnapshotFold, *, touches_all: bool) -> Iterator[SnapshotPart]:
        """Yield the parts of the snapshot that follows on ``base``, written or named again."""
        held = dict[str, list[SnapshotPart]]()
        for part in base.parts:
            held.setdefault(part.group, []).append(part)
        added = set(fold.groups())
        if base.kind == "newest":
            self._load(fold, [part for part in base.parts if not part.group.startswith(ERASURES)])
            fold.prune()
        for done, group in enumerate(groups := sorted({*held, *fold.groups()})):
            self._on_progress("writing parts", done, len(groups))
            before = held.get(group, [])
            if base.kind == "history":
                if group not in added and not touches_all:
                    yield from before
                    continue
                if not group.startswith(ERASURES):
                    self._load(fold, before)
            for messages in in_portions(self._redacted(group, fold)):
                part = self._snapshots.put_part(base, group, messages, before)
                self._rewritten += part not in before
                yield part
            fold.forget(group)

    def _load(self, fold: SnapshotFold, parts: list[SnapshotPart]) -> None:
        for _, lines in self._snapshots.lines(parts):
            for line in lines:
                fold.add(line)

    def _redacted(self, group: str, fold: SnapshotFold) -> Iterator[TypedMessage]:
        for kind, raw in fold.messages(group):
            left = self._redact(raw, fold.erased) if fold.erased else raw
            if left is None:
                self._left_out += 1
            else:
                yield kind, left


def in_portions(messages: Iterable[TypedMessage]) -> Iterator[list[TypedMessage]]:
    """Yield messages part by part, cut where so many bytes are reached: equal parts for equal messages."""
    portion, size_bytes = list[TypedMessage](), 0
    for kind, raw in messages:
        if portion and size_bytes + len(raw) > PART_BYTES_MAX:
            yield portion
            portion, size_bytes = [], 0
        portion.append((kind, raw))
        size_bytes += len(raw) + 1
    if portion:
        yield portion


def _count(records: RecordsByDomain) -> int:
    return sum(map(len, records.values()))


def _refuse_gap(before: Ranges, after: Ranges) -> None:
    """Raise if the messages that were added leave numbers out that follow on those before."""
    known = missing_in(before)
    gaps = [f"{count - known.get(place, 0):,} of {place}" for place, count in missing_in(after).items()
            if count > known.get(place, 0)]  # fmt: skip
    if gaps:
        raise TerminalError(
            f"the stream has dropped messages that no snapshot holds: {', '.join(gaps)} (domain and epoch). Rebuild "
            "these domains, which tells the feed what readers lack, or take the snapshot with --allow-gap; take one "
            "more often than the stream's retention"
        )
