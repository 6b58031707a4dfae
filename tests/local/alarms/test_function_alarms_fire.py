"""Alarms on what AWS measures of functions, queues and the cache fire by their fault, where something stands in for it.

Lambda's own figures come from the answers of handlers and from the local event source, those of queues from the local
SQS API, and those of the cache from Redis.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from alarm_bench import Watch, invoked, measured

from mdm_stream.errors import TransientError
from mdm_stream.local.alarms import MetricSample
from mdm_stream.local.event_source.checkpoints import Checkpoints
from mdm_stream.local.event_source.mapping import EventSource, FunctionContext, ShardRecord
from mdm_stream.local.event_source.on_failure import OnFailure, put_into
from mdm_stream.local.event_source.poller import Counters, Poller, PollerOptions
from mdm_stream.local.event_source.shard_feed import Fetched, ShardInfo
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.servers.redis import RedisServer

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/mdm-changes"
AGE_MAX_S = 82_800
NODE = "mdm-0001-001"
HALF_AGE_MS = str(AGE_MAX_S * 500)


class OneShard:
    """A shard with one record, which arrived so long ago; so many reads are refused first."""

    stream_arn = ARN

    def __init__(self, age_s: float, refused: int = 0) -> None:
        self._record = ShardRecord("1", "k", b"{}", time.time() - age_s)
        self._refused = refused

    def shards(self) -> list[ShardInfo]:
        """Return the shard."""
        return [ShardInfo("shardId-000000000000")]

    def fetch(self, _shard_id: str, after: str | None, _start: object) -> Fetched:
        """Return the record once."""
        if self._refused > 0:
            self._refused -= 1
            raise TransientError("Kinesis: ProvisionedThroughputExceededException")
        return Fetched(() if after else (self._record,), more=False, ended=False)


def polled(
    folder: Path, age_s: float, handler: Callable[..., Any], until: Callable[[Counters], bool], **source: Any
) -> Counters:
    """Run the local event source over one record until something is so; return its figures as they were then."""
    folder.mkdir(parents=True)
    on_failure, refused = source.pop("destination", None), source.pop("refused", 0)
    options = PollerOptions(poll_interval_s=0.002, discovery_interval_s=0.01)
    checkpoints = Checkpoints(folder / "checkpoints", "s")
    wanted = EventSource(retry_backoff_s=0.01, **source)
    poller = Poller(OneShard(age_s, refused), handler, wanted, checkpoints, on_failure=on_failure, options=options)
    thread = threading.Thread(target=poller.run)
    thread.start()
    deadline_s = time.monotonic() + 20
    while not until(found := poller.counters()) and time.monotonic() < deadline_s:
        time.sleep(0.002)
    poller.stop()
    thread.join(20)
    assert until(found), found
    return found


def failing(_event: Any, _context: Any) -> None:
    """Fail as a handler does that has a fault."""
    raise RuntimeError


def done(_event: Any, _context: Any) -> dict[str, Any]:
    """Answer that all is done."""
    return {"batchItemFailures": []}


def test_a_function_ends_with_errors(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real handler of the warehouse gets what is neither a batch nor a tick."""
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    from consumers.warehouse.handler import handler  # noqa: PLC0415 - its settings are read with the first batch

    bench = watch("function-errors", function_name="warehouse")
    context = FunctionContext("warehouse")
    good = lambda: invoked("warehouse", handler, {"Records": []}, context)  # noqa: E731
    bench.is_silent(good)
    bench.fires(lambda: invoked("warehouse", handler, {"no": "batch"}, context))
    bench.clears(good)


def test_a_function_is_slow(watch: Watch) -> None:
    """An invocation takes more than 80 percent of a time-out of a tenth of a second."""
    bench = watch("function-slow", function_name="slow", duration_ms_max="80")
    context = FunctionContext("slow", timeout_s=0.1)
    good = lambda: invoked("slow", done, {}, context)  # noqa: E731
    bench.is_silent(good)
    bench.fires(lambda: invoked("slow", lambda *_: time.sleep(0.09), {}, context))
    bench.clears(good)


def test_records_wait_for_half_of_their_age(watch: Watch, tmp_path: Path) -> None:
    """A record that cannot be done grows old on the local event source; one that is done does not."""
    bench = watch("iterator-age", function_name="resolve", iterator_age_ms_max=HALF_AGE_MS)

    def with_age(age_s: float, handler: Callable[..., Any]) -> list[MetricSample]:
        found = polled(tmp_path / str(len(bench.states)), age_s, handler, lambda now: now.batches > 0)
        return [measured("AWS/Lambda", "IteratorAge", found.iterator_age_s * 1_000, FunctionName="resolve")]

    good = lambda: with_age(1, done)  # noqa: E731
    bench.is_silent(good)
    bench.fires(lambda: with_age(AGE_MAX_S / 2 + 60, failing))
    bench.clears(good)


@pytest.mark.parametrize(
    ("alarm", "metric", "kept"),
    [
        ("records-discarded", "OnFailureDestinationDeliveredEventCount", True),
        ("records-dropped", "DroppedEventCount", False),
    ],
)
def test_records_are_discarded(watch: Watch, tmp_path: Path, alarm: str, metric: str, kept: bool) -> None:
    """A record whose attempts are used up is in the on-failure destination, or nowhere if there is none."""
    bench = watch(alarm, event_source_uuid="u-1")

    def with_attempts(handler: Callable[..., Any]) -> list[MetricSample]:
        folder = tmp_path / str(len(bench.states))
        put = put_into(str(folder / "on-failure"), lambda: None)
        destination = OnFailure(put, function_name="resolve", stream_arn=ARN) if kept else None
        found = polled(
            folder,
            1,
            handler,
            lambda now: now.discarded_records > 0 or now.records > 0,
            maximum_retry_attempts=0,
            destination=destination,
        )
        assert len(list(folder.rglob("*.json"))) == (found.discarded_records if kept else 0)
        return [measured("AWS/Lambda", metric, found.discarded_records, EventSourceMappingUUID="u-1")]

    bench.is_silent(lambda: with_attempts(done))
    bench.fires(lambda: with_attempts(failing))
    bench.clears(lambda: with_attempts(done))


def test_readers_of_a_stream_are_refused(watch: Watch, tmp_path: Path) -> None:
    """The local event source is refused twice, and then reads what it wanted; Kinesis counts refused reads."""
    bench = watch("stream-reads-throttled", stream_name="changes")

    def reads(refused: int) -> list[MetricSample]:
        folder = tmp_path / str(len(bench.states))
        found = polled(folder, 1, done, lambda now: now.records > 0, refused=refused)
        name = "ReadProvisionedThroughputExceeded"
        return [measured("AWS/Kinesis", name, found.read_errors, StreamName="changes")]

    bench.is_silent(lambda: reads(0))
    bench.fires(lambda: reads(2))
    bench.clears(lambda: reads(0))


@pytest.fixture(scope="module")
def sqs() -> Iterator[Any]:
    """A client of the local SQS API."""
    with KinesisServer() as server:
        yield server.client("sqs")


def test_a_message_uses_up_its_attempts(watch: Watch, sqs: Any) -> None:
    """It is received once, not removed, and lies in the dead-letter queue; moved back, the alarm clears."""
    dead = sqs.create_queue(QueueName="drops-dead-letters")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    queue = sqs.create_queue(QueueName="drops", Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    bench = watch("dead-letters", dead_letter_queue_name="drops-dead-letters")

    def visible() -> list[MetricSample]:
        found = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["ApproximateNumberOfMessages"])
        count = float(found["Attributes"]["ApproximateNumberOfMessages"])
        return [measured("AWS/SQS", "ApproximateNumberOfMessagesVisible", count, QueueName="drops-dead-letters")]

    bench.is_silent(visible)
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    for _ in range(2):
        sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)
    bench.fires(visible)
    [letter] = sqs.receive_message(QueueUrl=dead)["Messages"]
    sqs.send_message(QueueUrl=queue, MessageBody=letter["Body"])
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"])
    bench.clears(visible)


def test_a_message_waits_in_its_queue(watch: Watch, sqs: Any) -> None:
    """The age that SQS reports is that since it was sent; here it is asked for an hour later."""
    queue = sqs.create_queue(QueueName="chunks")["QueueUrl"]
    bench = watch("queue-old", queue_name="chunks", message_age_s_max="3600")

    def oldest(later_s: float = 0.0) -> list[MetricSample]:
        answer = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0, AttributeNames=["SentTimestamp"])
        sent_s = [float(each["Attributes"]["SentTimestamp"]) / 1_000 for each in answer.get("Messages", [])]
        age_s = max((time.time() + later_s - at_s for at_s in sent_s), default=0.0)
        return [measured("AWS/SQS", "ApproximateAgeOfOldestMessage", age_s, QueueName="chunks")]

    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    bench.is_silent(oldest)
    bench.fires(lambda: oldest(3_660))
    [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    bench.clears(oldest)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server whose settings a test may change."""
    with RedisServer() as started:
        yield started


@pytest.fixture
def cache(server: RedisServer) -> Iterator[redis.Redis]:
    """A client of that server."""
    with server.client() as client:
        yield client


def memory_of(client: redis.Redis) -> list[MetricSample]:
    """Return the share of its memory that a node uses, as ElastiCache reports it."""
    found = client.info("memory")
    share = 100 * found["used_memory"] / found["maxmemory"]
    return [measured("AWS/ElastiCache", "DatabaseMemoryUsagePercentage", share, CacheClusterId=NODE)]


@pytest.mark.parametrize("alarm", ["index-memory", "index-full"])
def test_a_node_fills(watch: Watch, cache: redis.Redis, alarm: str) -> None:
    """With values, until they are more than half or nearly all of its memory; a larger node clears it."""
    bench = watch(alarm, cache_cluster_id=NODE)
    cache.config_set("maxmemory", 16 * 1024 * 1024)
    bench.is_silent(lambda: memory_of(cache))
    filled, number = (0.92 if alarm == "index-full" else 0.6) * 16 * 1024 * 1024, 0
    while cache.info("memory")["used_memory"] < filled:
        number += 1
        cache.set(f"record{number}", b"x" * 100_000)
    bench.fires(lambda: memory_of(cache))
    cache.config_set("maxmemory", 64 * 1024 * 1024)
    bench.clears(lambda: memory_of(cache))


def test_the_cache_evicts(watch: Watch, cache: redis.Redis) -> None:
    """A policy that is not noeviction lets it forget keys; the alarm names each time."""
    bench = watch("index-evictions", cache_cluster_id=NODE)
    before = [cache.info("stats")["evicted_keys"]]

    def evicted() -> list[MetricSample]:
        before.append(cache.info("stats")["evicted_keys"])
        return [measured("AWS/ElastiCache", "Evictions", before[-1] - before[-2], CacheClusterId=NODE)]

    def write() -> list[MetricSample]:
        for number in range(40):
            cache.set(f"key{number}", b"x" * 100_000)
        return evicted()

    bench.is_silent(evicted)
    cache.config_set("maxmemory-policy", "allkeys-lru")
    cache.config_set("maxmemory", cache.info("memory")["used_memory"] + 1024 * 1024)
    bench.fires(write)
    cache.config_set("maxmemory-policy", "noeviction")
    bench.clears(evicted)


def test_the_thread_of_the_cache_is_busy(watch: Watch, server: RedisServer, cache: redis.Redis) -> None:
    """A script works for as long as it is looked at. What others take of this machine is no time of the thread."""
    schedule = Path(f"/proc/{server.pid}/task/{server.pid}/schedstat")
    if not schedule.exists():
        pytest.skip("the kernel does not say how long a thread ran, and how long it waited for a core")
    bench = watch("index-cpu", cache_cluster_id=NODE)

    def measure(work: Callable[[], Any]) -> list[MetricSample]:
        begun_ns, before = time.monotonic_ns(), list(map(int, schedule.read_text().split()))
        work()
        passed_ns, after = time.monotonic_ns() - begun_ns, list(map(int, schedule.read_text().split()))
        ran_ns, waited_ns = (after[place] - before[place] for place in (0, 1))
        share = 100 * ran_ns / max(1, ran_ns, passed_ns - waited_ns)
        return [measured("AWS/ElastiCache", "EngineCPUUtilization", share, CacheClusterId=NODE)]

    def scripts() -> None:
        pipeline = cache.pipeline(transaction=False)
        for _ in range(5):
            pipeline.eval("for i = 1, 4000000 do end", 0)
        pipeline.execute()

    bench.is_silent(lambda: measure(lambda: time.sleep(0.05)))
    bench.fires(lambda: measure(scripts))
    bench.clears(lambda: measure(lambda: time.sleep(0.05)))
