"""What a local stack can forget: records of its streams, and what Redis wrote before, on the disk too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mdm_stream.local.event_source.checkpoints import Checkpoints
from mdm_stream.local.kinesis.forgetting import CHECKPOINT_FOLDER, LOG_FOLDER, REDIS_FOLDER, LocalTraces
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.servers.redis import RedisServer

STREAM, SHARD = "changes", "shardId-000000000000"
MARKER = "Quendolberga"


class Machine:
    """A state folder with both servers running on it."""

    def __init__(self, state: Path, kinesis: KinesisServer, redis_server: RedisServer) -> None:
        self.state, self.kinesis, self.client = state, kinesis, redis_server.client()
        kinesis.client().create_stream(StreamName=STREAM, ShardCount=1)
        self.traces = LocalTraces(state, (kinesis.endpoint_url, kinesis.keys), [STREAM], kinesis.client(), self.client)

    def put(self, text: str) -> str:
        """Put a record on the stream; return its number."""
        record = {"StreamName": STREAM, "PartitionKey": "k", "Data": text.encode()}
        return str(self.kinesis.client().put_record(**record)["SequenceNumber"])

    def checkpoint(self, consumer: str, sequence_number: str) -> None:
        """Say that a consumer has done all up to a record."""
        checkpoints = Checkpoints(self.state / CHECKPOINT_FOLDER / f"{consumer}@{STREAM}.json", STREAM)
        checkpoints.set(SHARD, sequence_number)
        checkpoints.save()

    def on_stream(self) -> list[bytes]:
        """Return what readers of the stream see."""
        client = self.kinesis.client()
        place = {"StreamName": STREAM, "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = client.get_shard_iterator(**place)["ShardIterator"]
        return [record["Data"] for record in client.get_records(ShardIterator=iterator)["Records"]]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Servers that keep their files."""
    with KinesisServer(tmp_path / "kinesis") as kinesis, RedisServer(tmp_path / REDIS_FOLDER) as redis_server:
        yield Machine(tmp_path, kinesis, redis_server)


def test_streams_forget_what_every_consumer_has_done(machine: Machine) -> None:
    """And the journal with them; what is still to be done stays, and numbering goes on."""
    first, second, third = (machine.put(text) for text in (MARKER, "later", "last"))
    assert machine.traces.files_with([MARKER]) == ["kinesis/journal.jsonl"]
    assert machine.traces.trim_streams() == 0
    machine.checkpoint("one", third)
    machine.checkpoint("other", first)
    assert machine.traces.trim_streams() == 1
    assert machine.on_stream() == [b"later", b"last"]
    assert machine.traces.files_with([MARKER]) == []
    assert machine.traces.files_with(["later"]) == ["kinesis/journal.jsonl"]
    assert int(machine.put("next")) > int(third) > int(second)


def test_a_consumer_that_is_behind_is_seen(machine: Machine) -> None:
    """Only what had arrived by then counts: on a stream that never rests somebody is always behind."""
    first = machine.put("first")
    machine.checkpoint("one", first)
    second = machine.put("second")
    now_us = time.time_ns() // 1000 + 1_000
    assert not machine.traces.consumers_are_past(now_us)
    machine.checkpoint("one", second)
    time.sleep(0.05)
    machine.put("third")
    assert machine.traces.consumers_are_past(now_us)


def test_redis_forgets_on_the_disk_what_it_has_forgotten(machine: Machine) -> None:
    """Before that, what was deleted is still in its file; what is there stays there."""
    machine.client.hset("key", mapping={"gone": MARKER * 10, "here": "Balthasar" * 10})
    machine.client.hdel("key", "gone")
    deadline_s = time.monotonic() + 5
    while not machine.traces.files_with([MARKER]) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert machine.traces.files_with([MARKER])
    machine.traces.rewrite_index_file()
    assert machine.traces.files_with([MARKER]) == []
    assert machine.traces.files_with(["Balthasar"])
    machine.traces.rewrite_index_file()
    assert machine.client.hgetall("key") == {b"here": b"Balthasar" * 10}


def test_a_redis_without_a_file_has_nothing_to_rewrite(machine: Machine) -> None:
    """It is not asked to write one."""
    with RedisServer() as in_memory:
        traces = LocalTraces(
            machine.state, (machine.kinesis.endpoint_url, machine.kinesis.keys), [], None, in_memory.client()
        )
        traces.rewrite_index_file()


def test_logs_are_looked_into(machine: Machine) -> None:
    """A value in a log is left as much as anywhere; an empty file holds nothing."""
    (machine.state / LOG_FOLDER).mkdir()
    (machine.state / LOG_FOLDER / "resolve.log").write_text(f"somebody logged {MARKER}")
    (machine.state / LOG_FOLDER / "empty.log").touch()
    assert machine.traces.files_with([MARKER, "other"]) == ["logs/resolve.log"]
