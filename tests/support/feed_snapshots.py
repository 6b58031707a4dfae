"""Streams of golden feed messages in a list, and snapshots taken of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mdm_stream.aws.read_shards import Marks, RecordsGoneError, StreamedRecord
from mdm_stream.contracts.golden import FeedEnvelope
from mdm_stream.feed.snapshot import SnapshotReport, TakeSnapshot
from mdm_stream.feed.snapshot_store import FeedSnapshots, Kind
from mdm_stream.objects.store import ObjectStore
from mdm_stream.warehouse.feed_redaction import redact_message

STREAM, SHARD = "golden", "shardId-0"


def raw(message: FeedEnvelope) -> bytes:
    """A message as it is on the stream."""
    return message.model_dump_json().encode()


class ListedStream:
    """A stream of one shard that can forget its oldest records; read as ``StreamReader`` reads one."""

    def __init__(self, *messages: FeedEnvelope | bytes) -> None:
        self.records_held: list[StreamedRecord] = []
        self._number = 0
        self.put(*messages)

    def put(self, *messages: FeedEnvelope | bytes) -> None:
        """Add messages at the end."""
        for message in messages:
            self._number += 1
            data = message if isinstance(message, bytes) else raw(message)
            self.records_held.append(StreamedRecord(SHARD, f"{self._number:06d}", 1.7e9, data))

    def forget(self, count: int) -> None:
        """Drop the oldest records, as retention does."""
        del self.records_held[:count]

    def records(self, marks: Marks | None = None) -> Iterator[StreamedRecord]:
        """As ``StreamReader.records``."""
        marks = {} if marks is None else marks
        after = marks.get(SHARD, "")
        if after and not any(record.sequence_number == after for record in self.records_held):
            raise RecordsGoneError("gone")
        for record in list(self.records_held):
            if record.sequence_number > after:
                yield record
                marks[SHARD] = record.sequence_number


def take(
    store: ObjectStore, stream: Any, kind: Kind = "history", *, follow: Any = None, allow_gap: bool = False
) -> SnapshotReport:
    """Take a snapshot of a stream."""
    taking = TakeSnapshot(
        FeedSnapshots(store), stream, STREAM, follow=follow or (lambda _: b""), redact=redact_message,
        clock_us=lambda: 1_700_000_000_000_000,
    )  # fmt: skip
    return taking.run(kind, allow_gap=allow_gap)


def messages_in(store: ObjectStore, kind: Kind = "history") -> list[bytes]:
    """All messages of the latest snapshot."""
    snapshots = FeedSnapshots(store)
    manifest = snapshots.latest(kind)
    assert manifest is not None
    return [line for _, lines in snapshots.lines(manifest.parts) for line in lines]


def names_in(store: ObjectStore) -> list[str]:
    """The names of all objects."""
    return [each.name for each in store.list("")]


def batches(messages: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    """Messages, so many at a time."""
    for start in range(0, len(messages), size):
        yield messages[start : start + size]
