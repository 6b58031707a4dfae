"""One worker of ``workers.py``: the resolve consumer's Lambda handler on half of one shard.

    python benchmarks/half_shard.py --endpoint URL --stream NAME --shard ID --lane 0 --checkpoints FILE --ready FILE

Takes the records whose partition keys fall into its lane, by the rule that spreads a shard over lanes at a
parallelization factor of 2. The handler's settings come from the environment. Runs until SIGTERM, or SIGKILL.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import zlib
from dataclasses import replace
from pathlib import Path

from mdm_stream.aws.loopback import loopback_client
from mdm_stream.local.event_source.checkpoints import Checkpoints
from mdm_stream.local.event_source.mapping import EventSource, ShardRecord
from mdm_stream.local.event_source.poller import Poller, PollerOptions
from mdm_stream.local.event_source.process import load_handler
from mdm_stream.local.event_source.shard_feed import Fetched, KinesisFeed, ShardFeed, ShardInfo, StartingPosition

HANDLER = "consumers.resolve.handler:handler"
LANES = 2
BATCH_SIZE = 25
"""Small, so that a stream of some thousand events has many moments at which to die."""
TICK_S = 0.5
POLL_INTERVAL_S = 0.05


class LaneFeed:
    """One lane of one shard, as a stream of its own."""

    def __init__(self, feed: ShardFeed, shard_id: str, lane: int) -> None:
        """Take the whole stream, and which part of it is wanted."""
        self.stream_arn = feed.stream_arn
        self._feed = feed
        self._shard_id = shard_id
        self._lane = lane
        self._told: str | None = None
        self._read_to: str | None = None

    def shards(self) -> list[ShardInfo]:
        """Return the one shard."""
        return [shard for shard in self._feed.shards() if shard.shard_id == self._shard_id]

    def fetch(self, shard_id: str, after: str | None, start: StartingPosition) -> Fetched:
        """Return the lane's records after a sequence number; what it passed over is not read again."""
        fetched = self._feed.fetch(shard_id, self._read_to if after == self._told else after, start)
        mine = tuple(record for record in fetched.records if lane_of(record) == self._lane)
        if fetched.records:
            self._read_to = fetched.records[-1].sequence
            self._told = mine[-1].sequence if mine else after
        return replace(fetched, records=mine)


def lane_of(record: ShardRecord) -> int:
    """Return which lane a record goes to."""
    return zlib.crc32(record.partition_key.encode()) % LANES


def main() -> None:
    """Work until stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--endpoint", "--stream", "--shard"):
        parser.add_argument(name, required=True)
    parser.add_argument("--lane", type=int, required=True)
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--ready", type=Path, required=True, help="a file that appears when the worker takes records")
    options = parser.parse_args()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    feed = KinesisFeed(loopback_client("kinesis", options.endpoint), options.stream)
    poller = Poller(
        LaneFeed(feed, options.shard, options.lane),
        load_handler(HANDLER),
        EventSource(batch_size=BATCH_SIZE),
        Checkpoints(options.checkpoints, options.stream),
        options=PollerOptions(poll_interval_s=POLL_INTERVAL_S, tick_s=TICK_S),
    )
    signal.signal(signal.SIGTERM, lambda _number, _frame: poller.stop())
    options.ready.touch()
    poller.run()


if __name__ == "__main__":
    main()
