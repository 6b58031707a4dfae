"""The poller's threads: against a feed in memory for what is fine-grained, against moto where the API matters."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import defaultdict
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from mdm_stream.aws.loopback import loopback_client
from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.local.event_source.checkpoints import SHARD_END, Checkpoints, read_positions
from mdm_stream.local.event_source.mapping import EventSource, ShardRecord
from mdm_stream.local.event_source.on_failure import OnFailure, put_into
from mdm_stream.local.event_source.poller import Poller, PollerOptions
from mdm_stream.local.event_source.shard_feed import Fetched, KinesisFeed, ShardInfo

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
QUICK = PollerOptions(poll_interval_s=0.002, discovery_interval_s=0.01, concurrency=4)


class ListFeed:
    """Shards held in lists; a shard given as closed ends after its last record."""

    stream_arn = ARN

    def __init__(self, shards: dict[str, list[ShardRecord]]) -> None:
        self.records = shards
        self.infos = [ShardInfo(shard_id) for shard_id in shards]
        self.faults = 0

    def shards(self):
        """Return the shards as they are set."""
        return list(self.infos)

    def fetch(self, shard_id, after, start):
        """Return up to seven records."""
        if self.faults:
            self.faults -= 1
            raise TransientError("the feed is away")
        rest = [r for r in self.records[shard_id] if after is None or int(r.sequence) > int(after)]
        closed = next(info.closed for info in self.infos if info.shard_id == shard_id)
        return Fetched(tuple(rest[:7]), more=len(rest) > 7, ended=closed and len(rest) <= 7)


def numbered(count: int, keys: int = 1, first: int = 1):
    """Return records whose data is their number, spread over keys."""
    now_s = time.time()
    return [ShardRecord(str(n), f"key-{n % keys}", str(n).encode(), now_s) for n in range(first, first + count)]


def poll(feed, handler, source, path: Path, until, *, on_failure=None, options=QUICK, timeout_s=20.0):
    """Run a poller until a condition on it holds; return it, stopped."""
    checkpoints = Checkpoints(path, "s")
    poller = Poller(feed, handler, source, checkpoints, on_failure=on_failure, options=options)
    faults = []

    def run():
        try:
            poller.run()
        except BaseException as error:  # noqa: BLE001 - shown by the test
            faults.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    deadline_s = time.monotonic() + timeout_s
    while not until(checkpoints) and not faults and time.monotonic() < deadline_s:
        time.sleep(0.002)
    poller.stop()
    thread.join(timeout_s)
    if faults:
        raise faults[0]
    assert until(checkpoints), "the poller did not get there in time"
    return poller


def data_of(event) -> list[int]:
    """Return the numbers in an event."""
    return [int(base64.b64decode(item["kinesis"]["data"])) for item in event["Records"]]


def at(**positions):
    """Return a condition: the checkpoints are exactly these."""
    return lambda checkpoints: dict(checkpoints.as_dict()) == positions


def test_event_and_context_are_those_of_lambda(tmp_path):
    """The event has exactly the fields of Lambda's sample event, and the context what Powertools reads."""
    seen = []
    feed = ListFeed({"shardId-000000000006": numbered(2)})
    poll(feed, lambda event, context: seen.append((event, context)), EventSource(), tmp_path / "c",
         at(**{"shardId-000000000006": "2"}))  # fmt: skip
    event, context = seen[0]
    assert set(event) == {"Records"}
    record = event["Records"][0]
    assert record["eventID"] == "shardId-000000000006:1"
    assert record["eventSourceARN"] == ARN
    assert set(record) == {"kinesis", "eventSource", "eventVersion", "eventID", "eventName", "invokeIdentityArn",
                           "awsRegion", "eventSourceARN"}  # fmt: skip
    kinesis = record["kinesis"]
    assert set(kinesis) == {"kinesisSchemaVersion", "partitionKey", "sequenceNumber", "data",
                            "approximateArrivalTimestamp"}  # fmt: skip
    assert isinstance(kinesis["approximateArrivalTimestamp"], float)
    json.dumps(event)
    assert context.function_name == "local"
    assert context.invoked_function_arn.endswith(":function:local")
    assert context.memory_limit_in_mb > 0
    assert len(context.aws_request_id) == 36
    assert 0 < context.get_remaining_time_in_millis() <= 60_000


def test_restart_goes_on_at_the_checkpoint(tmp_path):
    """What was done before a stop is not delivered again, and what was not is."""
    feed, seen = ListFeed({"a": numbered(20)}), []
    poll(feed, lambda event, _: seen.extend(data_of(event)), EventSource(), tmp_path / "c", at(a="20"))
    feed.records["a"] += numbered(5, first=21)
    poll(feed, lambda event, _: seen.extend(data_of(event)), EventSource(), tmp_path / "c", at(a="25"))
    assert seen == list(range(1, 26))
    assert read_positions(tmp_path / "c", "s") == {"a": "25"}


def test_exception_fails_the_batch_and_its_message_is_not_logged(tmp_path, caplog):
    """A batch whose handler raises is delivered again; the log names the error's type, never its text."""
    calls, personal = [], bytes.fromhex("4a616e65").decode()

    def handler(event, context):
        calls.append(data_of(event))
        if len(calls) == 1:
            raise ValueError(personal)

    source = EventSource(bisect_on_error=False, retry_backoff_s=0.001)
    poller = poll(ListFeed({"a": numbered(3)}), handler, source, tmp_path / "c", at(a="3"))
    assert calls == [[1, 2, 3], [1, 2, 3]]
    assert "ValueError" in caplog.text
    assert personal not in caplog.text
    counters = poller.counters()
    assert (counters.batches, counters.failed_batches, counters.records) == (2, 1, 3)
    assert (counters.waiting_records, counters.iterator_age_s) == (0, 0.0)


def test_given_up_records_are_written_with_their_payload(tmp_path):
    """The on-failure document has Lambda's fields, its payload is the event, and the lane goes on behind it."""
    good = []

    def handler(event, context):
        if 3 in data_of(event):
            raise RuntimeError
        good.extend(data_of(event))

    source = EventSource(maximum_retry_attempts=1, retry_backoff_s=0.001)
    on_failure = OnFailure(put_into(str(tmp_path / "failed"), lambda: None), function_name="f", stream_arn=ARN)
    poller = poll(ListFeed({"a": numbered(5)}), handler, source, tmp_path / "c", at(a="5"), on_failure=on_failure)
    assert good == [1, 2, 4, 5]
    [file] = (tmp_path / "failed").rglob("*.json")
    document = json.loads(file.read_bytes())
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["requestContext"]["approximateInvokeCount"] >= 2
    info = document["KinesisBatchInfo"]
    assert (info["shardId"], info["startSequenceNumber"], info["endSequenceNumber"]) == ("a", "3", "3")
    assert (info["batchSize"], info["streamArn"]) == (1, ARN)
    assert info["approximateArrivalOfFirstRecord"].endswith("Z")
    assert data_of(json.loads(document["payload"])) == [3]
    assert poller.counters().discarded_records == 1


def test_checkpoint_waits_for_the_on_failure_destination(tmp_path):
    """Records whose discard cannot be stored are not passed over."""
    refusals = iter([True, True, False])
    stored = []

    def put(key, document):
        if next(refusals):
            raise TransientError("the destination is away")
        stored.append(document)

    def handler(event, context):
        raise RuntimeError

    source = EventSource(maximum_retry_attempts=0, retry_backoff_s=0.001)
    on_failure = OnFailure(put, function_name="f", stream_arn=ARN)
    poll(ListFeed({"a": numbered(1)}), handler, source, tmp_path / "c", at(a="1"), on_failure=on_failure)
    assert len(stored) == 1


def test_reading_faults_are_retried(tmp_path):
    """A stream that is away for a while costs time, not records."""
    feed, seen = ListFeed({"a": numbered(3)}), []
    feed.faults = 3
    poller = poll(feed, lambda event, _: seen.extend(data_of(event)), EventSource(), tmp_path / "c", at(a="3"))
    assert seen == [1, 2, 3]
    assert poller.counters().read_errors == 3


def test_children_of_a_split_wait_for_their_parent(tmp_path):
    """New shards are found, and none of a child is delivered before all of its parent is done."""
    feed, seen = ListFeed({"p": numbered(10)}), []
    feed.records |= {"c1": numbered(3, first=100), "c2": numbered(3, first=200)}

    def handler(event, context):
        if not seen:
            feed.infos = [ShardInfo("p", closed=True), ShardInfo("c1", ("p",)), ShardInfo("c2", ("p",))]
        time.sleep(0.02)
        seen.extend(data_of(event))

    poll(feed, handler, EventSource(batch_size=2), tmp_path / "c", at(p=SHARD_END, c1="102", c2="202"))
    assert seen[:10] == list(range(1, 11))
    assert sorted(seen[10:]) == [100, 101, 102, 200, 201, 202]


def test_idle_poller_ticks_and_a_busy_one_does_not(tmp_path):
    """The handler gets a scheduled event once nothing has been invoked for the interval, and again after the next."""
    events = []
    options = PollerOptions(poll_interval_s=0.01, tick_s=0.2)
    poll(ListFeed({"a": numbered(1)}), lambda event, _: events.append((time.monotonic(), event)), EventSource(),
         tmp_path / "c", lambda _: len(events) >= 3, options=options)  # fmt: skip
    assert "Records" in events[0][1]
    assert [event["source"] for _, event in events[1:3]] == ["mdm.schedule"] * 2
    assert events[1][0] - events[0][0] >= 0.19
    assert events[2][0] - events[1][0] >= 0.19


def test_stop_lets_the_batch_under_way_finish(tmp_path):
    """A graceful stop waits for the handler and checkpoints its work; nothing new is begun."""
    begun, finished = threading.Event(), []

    def handler(event, context):
        begun.set()
        time.sleep(0.3)
        finished.append(data_of(event))

    poll(ListFeed({"a": numbered(4)}), handler, EventSource(batch_size=2), tmp_path / "c", lambda _: begun.is_set())
    assert finished == [[1, 2]]
    assert read_positions(tmp_path / "c", "s") == {"a": "2"}


def test_one_invocation_at_a_time_by_default(tmp_path):
    """A handler that is not safe for threads is safe with the default options, whatever the lanes and shards."""
    inside, overlaps = [], []

    def handler(event, context):
        inside.append(1)
        overlaps.append(len(inside))
        time.sleep(0.005)
        inside.pop()

    source = EventSource(parallelization_factor=5, batch_size=2)
    feed = ListFeed({"a": numbered(20, keys=9), "b": numbered(20, keys=9)})
    poll(feed, handler, source, tmp_path / "c", at(a="20", b="20"), options=PollerOptions(poll_interval_s=0.01))
    assert max(overlaps) == 1


def test_fault_of_the_poller_itself_is_raised(tmp_path):
    """A bug does not leave a poller that looks alive: run raises it."""
    feed = ListFeed({"a": numbered(1)})
    feed.fetch = lambda *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        poll(feed, lambda *_: None, EventSource(), tmp_path / "c", lambda _: False)


@settings(max_examples=40, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 60),
    lanes=st.integers(1, 4),
    batch_size=st.integers(1, 9),
    bisect=st.booleans(),
    attempts=st.integers(0, 3),
)
def test_nothing_is_lost_or_reordered(tmp_path_factory, seed, count, lanes, batch_size, bisect, attempts):
    """Whatever the handler does, each record is done or given up, keys keep their order, checkpoints pass no hole."""
    folder = tmp_path_factory.mktemp("p")
    random, lock = Random(seed), threading.Lock()
    completed, given_up, begun = set(), set(), defaultdict(list)
    key_of = {int(r.sequence): r.partition_key for r in numbered(count, keys=5)}

    class Watched(Checkpoints):
        def set(self, shard_id, position):
            with lock:
                assert completed | given_up >= set(range(1, int(position) + 1)), "the checkpoint passed a hole"
            super().set(shard_id, position)

    def handler(event, context):
        numbers = data_of(event)
        with lock:
            for number in numbers:
                settled = {n for n, key in key_of.items() if key == key_of[number] and n < number}
                assert settled - set(numbers) <= completed | given_up, "a record overtook one of its key"
                begun[key_of[number]].append(number)
            choice = random.random()
            done = len(numbers) if choice < 0.5 else random.randrange(len(numbers))
            if choice > 0.8:
                raise RuntimeError
            completed.update(numbers[:done])
        return {"batchItemFailures": [{"itemIdentifier": str(n)} for n in numbers[done:]]}

    def put(key, document):
        with lock:
            given_up.update(data_of(json.loads(json.loads(document)["payload"])))

    source = EventSource(
        batch_size=batch_size, parallelization_factor=lanes, bisect_on_error=bisect,
        maximum_retry_attempts=attempts, retry_backoff_s=0.0001, retry_backoff_s_max=0.001,
    )  # fmt: skip
    on_failure = OnFailure(put, function_name="f", stream_arn=ARN)
    checkpoints = Watched(folder / "c", "s")
    poller = Poller(ListFeed({"a": numbered(count, keys=5)}), handler, source, checkpoints,
                    on_failure=on_failure, options=QUICK)  # fmt: skip
    faults = []
    thread = threading.Thread(target=lambda: _note_fault(poller.run, faults))
    thread.start()
    deadline_s = time.monotonic() + 20
    while checkpoints.get("a") != str(count) and thread.is_alive() and time.monotonic() < deadline_s:
        time.sleep(0.001)
    poller.stop()
    thread.join()
    assert not faults
    assert completed | given_up == set(range(1, count + 1))
    assert read_positions(folder / "c", "s") == {"a": str(count)}


def _note_fault(step, faults):
    try:
        step()
    except BaseException as error:  # noqa: BLE001 - asserted on by the test
        faults.append(error)


@pytest.fixture(scope="module")
def moto_url():
    """Serve moto's own server, which reshards and forgets."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_real_stream_is_read_to_its_end(tmp_path, moto_url):
    """Every record of every shard of a Kinesis stream arrives once, with its key, data and arrival time."""
    client = loopback_client("kinesis", moto_url)
    client.create_stream(StreamName="s", ShardCount=3)
    for start in range(0, 600, 300):
        records = [{"Data": str(n).encode(), "PartitionKey": f"k{n}"} for n in range(start, start + 300)]
        client.put_records(StreamName="s", Records=records)
    feed, seen = KinesisFeed(client, "s"), []
    poll(feed, lambda event, _: seen.extend(data_of(event)), EventSource(), tmp_path / "c",
         lambda _: len(seen) >= 600)  # fmt: skip
    assert sorted(seen) == list(range(600))
    assert set(read_positions(tmp_path / "c", "s")) == {f"shardId-{n:012}" for n in range(3)}


def test_latest_begins_at_the_tip(tmp_path, moto_url):
    """LATEST delivers nothing that was there before, everything after, and holds its place while the shard is idle."""
    client = loopback_client("kinesis", moto_url)
    client.create_stream(StreamName="tip", ShardCount=1)
    client.put_record(StreamName="tip", Data=b"1", PartitionKey="k")
    feed, seen = KinesisFeed(client, "tip"), []
    started = time.monotonic()

    def until(_):
        if not seen and time.monotonic() - started > 0.5:
            client.put_record(StreamName="tip", Data=b"2", PartitionKey="k")
            time.sleep(0.3)
        return seen

    poll(feed, lambda event, _: seen.extend(data_of(event)), EventSource(starting_position="LATEST"), tmp_path / "c",
         until)  # fmt: skip
    assert set(seen) == {2}


def test_split_of_a_real_stream_is_followed(tmp_path, moto_url):
    """After UpdateShardCount all records arrive, and the closed shard comes to its end although moto never says so."""
    client = loopback_client("kinesis", moto_url)
    client.create_stream(StreamName="split", ShardCount=1)
    feed, seen = KinesisFeed(client, "split"), []
    client.update_shard_count(StreamName="split", TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    records = [{"Data": str(n).encode(), "PartitionKey": f"{n}"} for n in range(9)]
    client.put_records(StreamName="split", Records=records)
    parent = "shardId-000000000000"
    poll(feed, lambda event, _: seen.extend(data_of(event)), EventSource(), tmp_path / "c",
         lambda checkpoints: len(seen) >= 9 and checkpoints.get(parent) == SHARD_END,
         options=PollerOptions(poll_interval_s=0.02, discovery_interval_s=0.1))  # fmt: skip
    assert sorted(seen) == list(range(9))
    assert read_positions(tmp_path / "c", "s")[parent] == SHARD_END


def test_missing_stream_is_a_configuration_error(moto_url):
    """A wrong stream name is said so, at once."""
    with pytest.raises(ConfigurationError, match="no stream 'nowhere'"):
        KinesisFeed(loopback_client("kinesis", moto_url), "nowhere")


def test_discards_can_go_to_s3(moto_url):
    """An s3:// destination gets the same document under Lambda's kind of key."""
    s3 = loopback_client("s3", moto_url)
    s3.create_bucket(Bucket="failures")
    put_into("s3://failures/resolve", lambda: s3)("aws/lambda/x", b"{}")
    assert s3.get_object(Bucket="failures", Key="resolve/aws/lambda/x")["Body"].read() == b"{}"
    with pytest.raises(TransientError, match="bucket cannot be written"):
        put_into("s3://missing-bucket", lambda: s3)("k", b"")
    for wrong in ("s3:///prefix", "https://example.com/x"):
        with pytest.raises(ConfigurationError, match="on-failure"):
            put_into(wrong, lambda: s3)


def test_checkpoint_file_of_something_else_is_refused(tmp_path):
    """Positions of another stream, or a file that is none, are errors that say what to do; no file is a fresh start."""
    path = tmp_path / "c"
    assert read_positions(path, "s") == {}
    checkpoints = Checkpoints(path, "s")
    checkpoints.set("a", "1")
    checkpoints.save()
    with pytest.raises(ConfigurationError, match="another stream"):
        Checkpoints(path, "t")
    path.write_text("{")
    with pytest.raises(ConfigurationError, match="delete it"):
        Checkpoints(path, "s")
