"""A function whose time is nearly up answers before Lambda ends it, and claims nothing done that is not.

The real handler on a real Redis, which is silent when its process is stopped: it accepts connections and calls, and
never answers.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from end_state import stream_records

from mdm_stream.archive import Archive, open_archive
from mdm_stream.archive.rows import delivery_of
from mdm_stream.aws.loopback import loopback_environment
from mdm_stream.core.reference import resolve
from mdm_stream.decode import Decoder
from mdm_stream.local.event_source.mapping import FunctionContext, ShardRecord, kinesis_event, schedule_event
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.local.stack import GOLDEN_STREAM
from mdm_stream.rules import load_rulesets

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/mdm-changes"
MODULE = "consumers.resolve.handler"
REDIS_TIMEOUT_S, AWS_TIMEOUT_S = 0.3, 0.6
ENGINE_S = 0.5 + 2 * REDIS_TIMEOUT_S + AWS_TIMEOUT_S
"""What an engine needs to begin: the answer, a call of its own, and those that archive and publish what it commits."""
EVENTS = 20


class TimedWorld:
    """A warm function, with what it is connected to."""

    def __init__(self, module: Any, redis: RedisServer, kinesis: KinesisServer, archive: Archive) -> None:
        self.module, self.redis, self.kinesis, self.archive = module, redis, kinesis, archive
        self.sent = 0

    def batch(self) -> dict[str, Any]:
        """An event of new records, some of which match."""
        records = []
        for _ in range(EVENTS):
            self.sent += 1
            raw = orjson.dumps(
                {
                    "domain": "person",
                    "source": "crm",
                    "record_id": str(self.sent),
                    "op": "upsert",
                    "version": 1,
                    "event_time": "2026-01-01T00:00:00Z",
                    "attributes": {"given_name": "Ann", "email": f"a{self.sent // 2}@example.org"},
                }
            )
            records.append(ShardRecord(str(self.sent).zfill(56), "key", raw, time.time()))
        return kinesis_event(records, "shardId-000000000000", ARN)

    def call(self, event: dict[str, Any], left_s: float) -> tuple[int | None, float]:
        """Invoke the function; return the place of the first record that it names, and how long it took."""
        began_s = time.monotonic()
        response = self.module.handler(event, FunctionContext("resolve", timeout_s=left_s))
        took_s = time.monotonic() - began_s
        named = [each["itemIdentifier"] for each in response["batchItemFailures"]]
        numbers = [each["kinesis"]["sequenceNumber"] for each in event.get("Records", [])]
        return (numbers.index(named[0]) if named else None), took_s

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Redis takes what is sent to it, and answers nothing."""
        os.kill(self.redis.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.redis.pid, signal.SIGCONT)

    def archived(self) -> set[str]:
        """The records of which the archive has a row."""
        return {ref for row in self.archive.read_new("person", set()) for ref in row.refs}

    def require_all(self) -> None:
        """Nothing is lost: archive, index and feed are those of everything that was sent."""
        assert self.archived() == {f"crm/{number}" for number in range(1, self.sent + 1)}
        rules = load_rulesets(["person"])["person"]
        decoder = Decoder({"person": rules})
        events = [event for row in self.archive.read_new("person", set()) for event in decoder.decode(delivery_of(row))]
        parts = self.module.resolver._domains["person"]
        assert parts.index.snapshot() == resolve(rules, events)
        assert parts.outbox.read(1) == []
        feed = [orjson.loads(each["Data"]) for each in stream_records(self.kinesis.client(), GOLDEN_STREAM)]
        sequences = {each["data"]["sequence"] for each in feed}
        assert sequences == set(range(1, max(sequences) + 1))


@pytest.fixture
def start() -> Iterator[Callable[..., TimedWorld]]:
    """Start a function whose settings may differ."""
    with (
        tempfile.TemporaryDirectory(prefix="mdm-e2e-") as short,
        RedisServer(Path(short) / "redis", socket_path=Path(short) / "redis.sock") as redis_server,
        KinesisServer() as kinesis,
        pytest.MonkeyPatch.context() as patch,
    ):
        kinesis.client().create_stream(StreamName=GOLDEN_STREAM, ShardCount=1)
        kinesis.client("s3").create_bucket(Bucket="kept")

        def begin(**more: str) -> TimedWorld:
            settings = {
                "MDM_RULES": "person",
                "MDM_REDIS_URL": f"unix://{short}/redis.sock",
                "MDM_REDIS_TIMEOUT_S": str(REDIS_TIMEOUT_S),
                "MDM_AWS_TIMEOUT_S": str(AWS_TIMEOUT_S),
                "MDM_GOLDEN_STREAM": GOLDEN_STREAM,
                "MDM_KINESIS_ENDPOINT_URL": kinesis.endpoint_url,
                "MDM_ARCHIVE_URL": f"file://{short}/archive",
                "MDM_CHANGES_STREAM": "mdm-changes",
                "MDM_QUARANTINE_URL": f"file://{short}/quarantine",
            } | more
            for name, value in (loopback_environment(kinesis.endpoint_url, kinesis.keys, {}) | settings).items():
                patch.setenv(name, value)
            sys.modules.pop(MODULE, None)
            archive = open_archive(settings["MDM_ARCHIVE_URL"], s3_client=kinesis.client("s3"))
            return TimedWorld(importlib.import_module(MODULE), redis_server, kinesis, archive)

        yield begin
        sys.modules.pop(MODULE, None)


def test_three_seconds_are_enough_for_a_batch_that_meets_no_fault(start):
    """A deadline takes nothing from a function that is quick."""
    world = start()
    world.call(world.batch(), 60.0)
    first_failed, took_s = world.call(world.batch(), 3.0)
    assert first_failed is None
    assert took_s < 3.0
    world.require_all()


@pytest.mark.parametrize("left_s", [3.0, 1.0])
def test_a_silent_redis_is_answered_in_time(start, left_s):
    """The whole batch is named, nothing of it is claimed, and it is done when it is delivered again."""
    world = start()
    world.call(world.batch(), 60.0)
    batch = world.batch()
    with world.silence():
        first_failed, took_s = world.call(batch, left_s)
    assert first_failed == 0
    assert took_s < left_s
    assert world.call(batch, 60.0)[0] is None
    world.require_all()


def test_with_one_second_left_nothing_is_begun_that_may_not_end(start):
    """Committing without the time to archive and publish helps nobody: the batch is named at once."""
    world = start()
    assert ENGINE_S > 1.0
    batch = world.batch()
    first_failed, took_s = world.call(batch, 1.0)
    assert (first_failed, world.archived()) == (0, set())
    assert took_s < 1.0
    assert world.call(batch, 60.0)[0] is None
    world.require_all()


@pytest.mark.parametrize("left_s", [3.0, 1.0, 0.0])
def test_a_call_that_may_last_longer_than_the_function_is_not_begun(start, left_s):
    """With time-outs of 5 and 10 seconds; the answer says what to set."""
    world = start(MDM_REDIS_TIMEOUT_S="5", MDM_AWS_TIMEOUT_S="10")
    batch = world.batch()
    first_failed, took_s = world.call(batch, left_s)
    assert first_failed == 0
    assert took_s < 0.5
    assert world.call(batch, 60.0)[0] is None
    world.require_all()


@pytest.mark.parametrize("left_s", [3.0, 2.0])
def test_a_redis_that_falls_silent_between_commit_and_archive_loses_nothing(start, monkeypatch, left_s):
    """What was committed is not claimed: delivered again, it is absorbed, archived and published."""
    world = start()
    world.call(world.batch(), 60.0)
    parts = world.module.resolver._domains["person"]
    commit, batch = parts.index.commit, world.batch()
    stopped: list[int] = []

    def commit_and_stop(commits):
        outcomes = commit(commits)
        os.kill(world.redis.pid, signal.SIGSTOP)
        stopped.append(world.redis.pid)
        return outcomes

    monkeypatch.setattr(parts.index, "commit", commit_and_stop)
    try:
        first_failed, took_s = world.call(batch, left_s)
    finally:
        os.kill(world.redis.pid, signal.SIGCONT)
    assert stopped
    assert first_failed == 0
    assert took_s < left_s
    monkeypatch.undo()
    assert world.call(batch, 60.0)[0] is None
    world.require_all()


def test_a_silent_stream_is_answered_in_time(start):
    """Kinesis takes the connection and answers nothing: what is archived waits in the outbox."""
    world = start()
    world.call(world.batch(), 60.0)
    batch = world.batch()
    os.kill(world.kinesis.pid, signal.SIGSTOP)
    try:
        first_failed, took_s = world.call(batch, 3.0)
    finally:
        os.kill(world.kinesis.pid, signal.SIGCONT)
    assert first_failed == 0
    assert took_s < 3.0
    assert world.call(batch, 60.0)[0] is None
    world.require_all()


@pytest.mark.slow
def test_a_silent_archive_on_s3_is_answered_in_time(start):
    """Attempts of the SDK and the waits between them count; what was committed waits to be archived."""
    world = start(MDM_ARCHIVE_URL="s3://kept/archive", MDM_CLAIMS_URL="s3://kept/claims")
    left_s = ENGINE_S + 3 * AWS_TIMEOUT_S + 3.0 + 1.5
    world.call(world.batch(), 60.0)
    batch = world.batch()
    os.kill(world.kinesis.pid, signal.SIGSTOP)
    try:
        first_failed, took_s = world.call(batch, left_s)
    finally:
        os.kill(world.kinesis.pid, signal.SIGCONT)
    assert first_failed == 0
    assert took_s < left_s
    assert world.call(batch, 60.0)[0] is None
    world.require_all()


def test_a_tick_without_time_ends_in_time(start):
    """It is no error: the next one has the time."""
    world = start()
    world.call(world.batch(), 60.0)
    assert world.call(schedule_event(ARN, 0.0), 0.6)[1] < 0.6
    world.require_all()
