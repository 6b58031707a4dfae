"""A shard on which nothing happens is read less often, and at once as before when something does."""

from __future__ import annotations

import threading
from pathlib import Path

from mdm_stream.local.event_source.checkpoints import Checkpoints
from mdm_stream.local.event_source.lanes import ShardCursor
from mdm_stream.local.event_source.mapping import EventSource, ShardRecord
from mdm_stream.local.event_source.poller import PollerOptions
from mdm_stream.local.event_source.shard_feed import Fetched
from mdm_stream.local.event_source.shard_reader import IDLE_FACTOR, IDLE_READS, ShardReader, Surroundings


class ScriptedFeed:
    """A shard that gives what it is told to."""

    stream_arn = "arn:aws:kinesis:us-east-1:123456789012:stream/s"

    def __init__(self) -> None:
        self.answer = Fetched(())

    def fetch(self, shard_id, after, start):
        """Return the answer."""
        return self.answer


def test_an_idle_shard_is_read_half_as_often_until_a_record_comes(tmp_path: Path):
    """After so many reads without a record, and no record waits longer than a fifth of a second for its read."""
    feed = ScriptedFeed()
    around = Surroundings(
        feed, Checkpoints(tmp_path / "c", "s"), lambda: 0.0, threading.Event(), 0.1, lambda *_: None, lambda _: None
    )
    source = EventSource()
    reader = ShardReader("shard-0", ShardCursor(source, None), "TRIM_HORIZON", around, closed=False)
    assert [reader._fetch()[1] for _ in range(IDLE_READS)] == [0.1] * IDLE_READS
    assert reader._fetch()[1] == 0.1 * IDLE_FACTOR
    feed.answer = Fetched((ShardRecord("1", "key", b"1", 0.0),))
    assert reader._fetch()[1] == 0.1
    feed.answer = Fetched(())
    assert reader._fetch()[1] == 0.1
    assert PollerOptions().poll_interval_s * IDLE_FACTOR <= 0.2
