"""Snapshots of the golden feed and erasure: values of erased records in messages that the stream forgot long ago.

The next snapshot is published, in which what the warehouse has in its history is left of each message, and what was
before it is removed with all its versions. It is published even where nothing had to go: a run that takes a snapshot at
this moment may have read values before the erasure was on the feed, and is overtaken by it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import orjson

from mdm_stream.core.model import split_ref
from mdm_stream.errors import TransientError
from mdm_stream.feed.snapshot import in_portions
from mdm_stream.feed.snapshot_store import (
    KINDS,
    FeedSnapshots,
    Kind,
    OvertakenError,
    SnapshotManifest,
    SnapshotPart,
    TypedMessage,
)
from mdm_stream.warehouse.feed_redaction import redact_message
from mdm_stream.warehouse.redaction import ErasedRecords

SNAPSHOTS = "feed_snapshots"

ATTEMPTS_MAX = 20
"""Each attempt but one follows another run that has published a snapshot in the middle of ours."""


def erase_in_snapshots(snapshots: FeedSnapshots, domain: str, refs: Collection[str]) -> int:
    """Take the values of some records out of every snapshot; return how many parts held any. Idempotent.

    Reads all parts, a few at a time. The feed has told the erasure before: later snapshots take it from there.
    """
    erased = {domain: {split_ref(ref) for ref in refs}}
    return sum(_erase(snapshots, kind, erased) for kind in KINDS)


def _erase(snapshots: FeedSnapshots, kind: Kind, erased: ErasedRecords) -> int:
    for _ in range(ATTEMPTS_MAX):
        base = snapshots.latest(kind)
        if base is None:
            return 0  # no run has ever begun; one that begins now finds the erasure on the feed
        try:
            parts = tuple(_left(snapshots, base, erased))
            snapshots.publish(replace(base, generation=base.generation + 1, parts=parts))
        except OvertakenError:
            continue
        return len({part.name for part in base.parts} - {part.name for part in parts})
    raise TransientError("snapshots of the feed are taken all the time; repeat the erasure")


def _left(snapshots: FeedSnapshots, base: SnapshotManifest, erased: ErasedRecords) -> Iterator[SnapshotPart]:
    for part, lines in snapshots.lines(base.parts):
        left = [redact_message(line, erased) for line in lines]
        if left == lines:
            yield part
        else:
            kept: list[TypedMessage] = [(str(orjson.loads(line)["type"]), line) for line in left if line is not None]
            for messages in in_portions(kept):
                yield snapshots.put_part(base, part.group, messages, ())
