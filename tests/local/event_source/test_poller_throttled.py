"""Reading a throttled stream: the poller waits and goes on where it was; nothing is passed over or read twice."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mdm_stream.errors import TransientError
from mdm_stream.local.event_source.checkpoints import Checkpoints
from mdm_stream.local.event_source.mapping import EventSource
from mdm_stream.local.event_source.poller import Poller, PollerOptions
from mdm_stream.local.event_source.shard_feed import KinesisFeed
from mdm_stream.local.kinesis.server import KinesisServer

STREAM = "s"
RECORDS = 600
PER_PUT = 50
QUICK = PollerOptions(poll_interval_s=0.01, discovery_interval_s=0.5, concurrency=2)


class ThrottledReads:
    """A Kinesis client on which a share of the reads is refused, by a seed."""

    def __init__(self, client: Any, seed: int, share: float) -> None:
        self._client = client
        self._randomness = Random(seed)
        self.share = share
        self.refused = 0

    def get_records(self, **request: Any) -> dict[str, Any]:
        """Refuse, or read."""
        if self._randomness.random() < self.share:
            self.refused += 1
            raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "GetRecords")
        return self._client.get_records(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


@pytest.fixture
def server() -> Iterator[KinesisServer]:
    """A stream of two shards."""
    with KinesisServer() as running:
        running.client().create_stream(StreamName=STREAM, ShardCount=2)
        yield running


def put(client: Any, first: int, count: int) -> None:
    """Put numbered records, spread over the shards."""
    for start in range(first, first + count, PER_PUT):
        numbers = range(start, min(start + PER_PUT, first + count))
        entries = [{"PartitionKey": f"key-{n % 16}", "Data": str(n).encode()} for n in numbers]
        assert client.put_records(StreamName=STREAM, Records=entries)["FailedRecordCount"] == 0


def test_a_throttled_stream_is_read_to_its_end(server: KinesisServer, tmp_path: Path) -> None:
    """Two reads of three are refused; each record comes once, those of a key in order, and refusals are counted."""
    reads = ThrottledReads(server.client(), seed=1, share=0.66)
    put(server.client(), 0, RECORDS)
    seen: list[int] = []

    def handle(event: dict[str, Any], _: Any) -> dict[str, Any]:
        seen.extend(int(base64.b64decode(item["kinesis"]["data"])) for item in event.get("Records", ()))
        return {"batchItemFailures": []}

    feed = KinesisFeed(reads, STREAM)
    poller = Poller(feed, handle, EventSource(batch_size=40), Checkpoints(tmp_path / "c", STREAM), options=QUICK)
    thread = threading.Thread(target=poller.run)
    thread.start()
    deadline_s = time.monotonic() + 60
    while len(seen) < RECORDS and time.monotonic() < deadline_s:
        time.sleep(0.01)
    poller.stop()
    thread.join()
    assert sorted(seen) == list(range(RECORDS))
    for key in range(16):
        of_key = [number for number in seen if number % 16 == key]
        assert of_key == sorted(of_key)
    assert 0 < poller.counters().read_errors <= reads.refused


def test_a_reader_at_the_tip_passes_over_nothing_while_it_is_refused(server: KinesisServer) -> None:
    """With LATEST the place is the iterator alone: it is kept through a refusal, and what came meanwhile is read."""
    reads = ThrottledReads(server.client(), seed=1, share=0.0)
    feed = KinesisFeed(reads, STREAM)
    shards = [info.shard_id for info in feed.shards()]
    assert [feed.fetch(shard, None, "LATEST").records for shard in shards] == [(), ()]
    reads.share = 1.0
    for shard in shards:
        with pytest.raises(TransientError, match="ProvisionedThroughputExceededException"):
            feed.fetch(shard, None, "LATEST")
    put(server.client(), 0, PER_PUT)
    reads.share = 0.0
    found = [int(record.data) for shard in shards for record in feed.fetch(shard, None, "LATEST").records]
    assert sorted(found) == list(range(PER_PUT))
