"""The publisher against a stream that refuses, throttles, hangs and dies, and against a real Kinesis API."""

import random
import threading
import time
from collections import defaultdict

import boto3
import orjson
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from mdm_stream.contracts.signature import SigningKey, is_signed_by
from mdm_stream.errors import TransientError
from producers import (
    EventTooLargeError,
    Publisher,
    PublishError,
    PublisherSettings,
    partition_key,
    partition_key_of,
)

QUICK = PublisherSettings(linger_s=0.001, backoff_base_s=0.0005, backoff_max_s=0.002)
THROTTLED = "ProvisionedThroughputExceededException"


class FaultyStream:
    """A Kinesis client that asks ``outcome(record)`` for each record: None takes it, a code refuses it.

    ``taken`` has what was taken for each key in order, ``requests`` the records of each request. An exception that
    ``outcome`` raises fails the request after what came before it was taken, as a lost answer does.
    """

    def __init__(self, outcome=lambda _: None):
        self.outcome = outcome
        self.taken = defaultdict(list)
        self.requests = []

    def put_records(self, *, StreamName, Records):  # noqa: N803
        """As boto3's."""
        assert StreamName == "changes"
        assert 1 <= len(Records) <= 500
        assert sum(len(record["Data"]) + len(record["PartitionKey"].encode()) for record in Records) <= 5 * 2**20
        self.requests.append(Records)
        answers = []
        for record in Records:
            code = self.outcome(record)
            if code is None:
                self.taken[record["PartitionKey"]].append(record["Data"])
            answers.append({"SequenceNumber": "1"} if code is None else {"ErrorCode": code, "ErrorMessage": "secret"})
        return {"FailedRecordCount": sum("ErrorCode" in answer for answer in answers), "Records": answers}


def publisher(stream, options=QUICK, **members):
    """A publisher on the stream, with a fixed jitter."""
    return Publisher(stream, "changes", settings=options, jitter=random.Random(1), **members)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=60),
    st.integers(0, 2**32),
    st.sampled_from([1, 2, 500]),
)
def test_the_order_of_each_key_is_kept(keys, seed, batch):
    """Whatever records are refused, throttled or lost with their answer: each key's events are first taken in order."""
    chance = random.Random(seed)

    def outcome(_):
        draw = chance.random()
        if draw < 0.05:
            raise ConnectTimeoutError(endpoint_url="x")
        return THROTTLED if draw < 0.3 else "InternalFailure" if draw < 0.4 else None

    stream = FaultyStream(outcome)
    options = PublisherSettings(
        batch_records_max=batch, linger_s=0.0, backoff_base_s=0.0, backoff_max_s=0.0, attempts_max=10_000
    )
    with publisher(stream, options) as under_test:
        for number, key in enumerate(keys):
            under_test.put(str(number).encode(), str(key))
        under_test.flush()
        counts = under_test.counts
    for key in set(keys):
        wanted = [str(number).encode() for number, other in enumerate(keys) if other == key]
        # A lost answer makes duplicates, and they come before the next event of the key.
        taken = stream.taken[str(key)]
        assert [data for place, data in enumerate(taken) if place == 0 or data != taken[place - 1]] == wanted
    for request in stream.requests:
        assert len({record["PartitionKey"] for record in request}) == len(request)
    assert (counts.accepted, counts.delivered, counts.failed) == (len(keys), len(keys), 0)


def test_full_batches_are_filled():
    """Events of many keys share requests of 500; the bytes of a request stay below its limit."""
    stream = FaultyStream()
    with publisher(stream, PublisherSettings(linger_s=5.0)) as under_test:
        for number in range(1_200):
            under_test.put(b"x", str(number))
        under_test.flush()
        assert under_test.counts.requests == 3
        for number in range(12):
            under_test.put(b"x" * 1_000_000, f"big-{number}")
    assert sum(len(request) for request in stream.requests) == 1_212


def test_an_event_that_its_request_is_refused_for_holds_back_no_other():
    """Kinesis refuses a whole request for one event too large: the publisher drops that one and sends the rest."""

    class Strict(FaultyStream):
        def put_records(self, *, StreamName, Records):  # noqa: N803
            if any(len(record["Data"]) > 100 for record in Records):
                raise ClientError({"Error": {"Code": "ValidationException"}}, "PutRecords")
            return super().put_records(StreamName=StreamName, Records=Records)

    stream, given_up = Strict(), []
    with publisher(stream, PublisherSettings(linger_s=5.0), on_failure=given_up.append) as under_test:
        for number in range(300):
            under_test.put(b"x" * (101 if number in (7, 200) else 1), str(number))
        with pytest.raises(PublishError):
            under_test.flush()
    assert sorted((failure.partition_key, failure.code) for failure in given_up) == [
        ("200", "ValidationException"),
        ("7", "ValidationException"),
    ]
    assert stream.taken.keys() == {str(number) for number in range(300)} - {"7", "200"}


def test_linger_gathers_and_then_sends():
    """A lone event leaves by itself once it has lingered, without a flush."""
    stream = FaultyStream()
    with publisher(stream, PublisherSettings(linger_s=0.02)) as under_test:
        under_test.put(b"x", "a")
        under_test.put(b"x", "b")
        deadline_s = time.monotonic() + 5
        while under_test.counts.delivered < 2 and time.monotonic() < deadline_s:
            time.sleep(0.005)
        assert [len(request) for request in stream.requests] == [2]


def test_what_is_given_up_is_reported_once():
    """After the last attempt an event is in the error of flush and was told to the callback; others go through."""
    stream = FaultyStream(lambda record: "InternalFailure" if record["Data"] == b"bad" else None)
    told = []
    options = PublisherSettings(linger_s=0.0, backoff_base_s=0.0, backoff_max_s=0.0, attempts_max=3)
    under_test = publisher(stream, options, on_failure=told.append)
    for data in (b"one", b"bad", b"two"):
        under_test.put(data, "k")
    with pytest.raises(PublishError, match=r"1 events .*InternalFailure") as caught:
        under_test.flush()
    (failure,) = caught.value.failures
    assert (failure.partition_key, failure.data, failure.attempts) == ("k", b"bad", 3)
    assert told == [failure]
    assert stream.taken["k"] == [b"one", b"two"]
    under_test.flush()
    under_test.close()
    counts = under_test.counts
    assert (counts.accepted, counts.delivered, counts.failed, counts.retried) == (3, 2, 1, 2)


def test_an_event_too_old_is_given_up():
    """The delivery time-out ends an event's retries, and is counted from when it was put."""
    stream = FaultyStream(lambda _: THROTTLED)
    options = PublisherSettings(
        linger_s=0.0, backoff_base_s=0.01, backoff_max_s=0.01, delivery_timeout_s=0.1, attempts_max=10_000
    )
    under_test = publisher(stream, options)
    under_test.put(b"x", "k")
    under_test.put(b"y", "k")
    with pytest.raises(PublishError) as caught:
        under_test.close()
    assert [(failure.data, failure.code) for failure in caught.value.failures] == [
        (b"x", THROTTLED),
        (b"y", "DeliveryTimeout"),
    ]
    assert under_test.counts.throttled == len(stream.requests)


def test_a_missing_stream_is_told_at_once():
    """What no retry can mend is not retried."""

    def outcome(_):
        raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "secret"}}, "PutRecords")

    under_test = publisher(FaultyStream(outcome))
    under_test.put(b"x", "k")
    with pytest.raises(PublishError, match="ResourceNotFoundException") as caught:
        under_test.close()
    assert caught.value.failures[0].attempts == 1
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("fault", [RuntimeError("secret"), KeyError("Records")])
def test_an_unknown_fault_does_not_end_the_sender(fault):
    """Whatever a client raises is retried within the bounds; a callback that raises harms nobody either."""
    faults = [fault, fault]

    def outcome(_):
        if faults:
            raise faults.pop()

    def callback(_):
        raise ValueError("not ours")

    stream = FaultyStream(outcome)
    with publisher(stream, on_failure=callback) as under_test:
        under_test.put(b"x", "k")
        under_test.flush()
    assert stream.taken["k"] == [b"x"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_sender_that_dies_keeps_nobody_waiting():
    """Should the sender itself end (an interpreter exit, an error of ours), what was put is reported, not lost."""

    def outcome(_):
        raise SystemExit

    under_test = publisher(FaultyStream(outcome))
    under_test.put(b"x", "k")
    with pytest.raises(PublishError) as caught:
        under_test.close()
    assert [failure.data for failure in caught.value.failures] == [b"x"]


def test_a_full_buffer_blocks_and_then_fails():
    """Put waits for room as long as it was told to, and goes on when there is some."""
    gate = threading.Event()

    def outcome(_):
        gate.wait(10)

    options = PublisherSettings(linger_s=0.0, buffer_records_max=2, put_timeout_s=0.05)
    with publisher(FaultyStream(outcome), options) as under_test:
        under_test.put(b"1", "a")
        under_test.put(b"2", "b")
        with pytest.raises(TransientError, match="full"):
            under_test.put(b"3", "c")
        threading.Timer(0.02, gate.set).start()
        for number in range(20):
            under_test.put(b"x", str(number))
    assert under_test.counts.delivered == 22


def test_too_many_unreported_failures_stop_the_caller():
    """A caller that never flushes learns of failures from put, before they fill the memory."""
    options = PublisherSettings(linger_s=0.0, attempts_max=1, failures_max=5)
    under_test = publisher(FaultyStream(lambda _: "InternalFailure"), options)
    reported = []
    for number in range(50):
        try:
            under_test.put(b"x", str(number % 3))
        except PublishError as error:
            reported.extend(error.failures)
            break
        time.sleep(0.002)
    assert len(reported) >= 5
    try:
        under_test.close()
    except PublishError as error:
        reported.extend(error.failures)
    assert len(reported) == under_test.counts.accepted


def test_closing_loses_nothing():
    """Close sends all that waits; what a time-out leaves is reported with its bytes; closing again is nothing."""
    stream = FaultyStream()
    under_test = publisher(stream, PublisherSettings(linger_s=60.0))
    for number in range(1_000):
        under_test.put(str(number).encode(), str(number % 7))
    under_test.close()
    under_test.close()
    assert sum(len(taken) for taken in stream.taken.values()) == 1_000
    with pytest.raises(ValueError, match="closed"):
        under_test.put(b"x", "k")
    stuck = publisher(FaultyStream(lambda _: THROTTLED), PublisherSettings(linger_s=0.0, backoff_base_s=1.0))
    stuck.put(b"x", "k")
    stuck.put(b"y", "k")
    with pytest.raises(PublishError) as caught:
        stuck.close(timeout_s=0.05)
    assert [failure.data for failure in caught.value.failures] == [b"x", b"y"]
    assert caught.value.failures[1].code == "Closed"


def test_flush_waits_no_longer_than_told():
    """A flush that times out says so, and the events are still sent."""
    refuse = [True]
    stream = FaultyStream(lambda _: THROTTLED if refuse[0] else None)
    with publisher(stream) as under_test:
        under_test.put(b"x", "k")
        with pytest.raises(TransientError):
            under_test.flush(timeout_s=0.02)
        refuse[0] = False
    assert stream.taken["k"] == [b"x"]


def test_the_callers_own_error_comes_first():
    """Leaving the context with an error closes, and adds what was not delivered as a note to that error."""

    def fail():
        with publisher(FaultyStream(lambda _: "X"), PublisherSettings(attempts_max=1)) as under_test:
            under_test.put(b"x", "k")
            raise LookupError

    with pytest.raises(LookupError) as caught:
        fail()
    assert "1 events were not delivered" in caught.value.__notes__[0]


def test_refused_before_it_is_sent():
    """An event that the stream would refuse is refused at once: nothing of it is sent."""
    stream = FaultyStream()
    with publisher(stream) as under_test:
        with pytest.raises(EventTooLargeError, match="1,048,577 bytes"):
            under_test.put(b"x" * 2**20, "k")
        under_test.put(b"x" * (2**20 - 1), "k")
        for key in ("", "k" * 257):
            with pytest.raises(ValueError, match="partition key"):
                under_test.put(b"x", key)
        with pytest.raises(ValueError, match="bytes need a partition key"):
            under_test.put(b"x")
    assert under_test.counts.delivered == 1


@pytest.mark.parametrize(
    "wrong",
    [{"batch_records_max": 501}, {"record_bytes_max": 6 * 2**20}, {"linger_s": -1}, {"backoff_base_s": 9.0}],
)
def test_limits_that_contradict_each_other(wrong):
    """Settings that PutRecords or each other forbid are refused when they are made."""
    with pytest.raises(ValueError, match="limits"):
        PublisherSettings(**wrong)


def test_partition_keys():
    """A record's key is its name; a long one is cut so that it stays its own; a verdict's does not mind the order."""
    assert partition_key("person", "crm", "4/2") == "person/crm/4/2"
    long = [partition_key("person", "crm", "é" * 300 + end) for end in "ab"]
    assert len(set(long)) == 2
    assert all(len(key) == 256 for key in long)
    a, b = {"source": "crm", "record_id": "1"}, {"source": "erp", "record_id": "2"}
    verdict = {"domain": "person", "op": "verdict", "a": a, "b": b}
    assert partition_key_of(verdict) == partition_key_of({**verdict, "a": b, "b": a}) == "person/verdict/crm/1/erp/2"
    with pytest.raises(ValueError, match="domain"):
        partition_key_of({"op": "upsert"})


def test_many_threads_share_a_publisher():
    """Each thread's events of its key arrive in its order, and every one arrives."""
    stream = FaultyStream(lambda _: THROTTLED if random.Random(len(stream.requests)).random() < 0.2 else None)
    with publisher(stream) as under_test:

        def work(name):
            for number in range(200):
                under_test.put(str(number).encode(), name)

        threads = [threading.Thread(target=work, args=(str(n),)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for name in "0123":
        assert stream.taken[name] == [str(number).encode() for number in range(200)]


@pytest.fixture(scope="module")
def kinesis():
    """A client of a real Kinesis API on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield boto3.client(
        "kinesis",
        endpoint_url=f"http://{host}:{port}",
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 1}),
    )
    server.stop()


def records_of(client, stream):
    """Every record of the stream, shard by shard."""
    found = []
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        place = client.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while records := (answer := client.get_records(ShardIterator=place))["Records"]:
            found.extend((record["PartitionKey"], record["Data"]) for record in records)
            place = answer["NextShardIterator"]
    return found


def test_events_reach_a_real_stream_in_order(kinesis):
    """Canonical events put as mappings are on the stream as JSON under their record's key, each record's in order."""
    kinesis.create_stream(StreamName="changes", ShardCount=2)
    event = {"domain": "person", "source": "crm", "op": "upsert", "attributes": {}}
    with Publisher(kinesis, "changes") as under_test:
        for version in range(5):
            for number in range(50):
                under_test.put({**event, "record_id": str(number), "version": version})
    versions = defaultdict(list)
    for key, data in records_of(kinesis, "changes"):
        versions[key].append(orjson.loads(data)["version"])
    assert versions == {f"person/crm/{number}": [0, 1, 2, 3, 4] for number in range(50)}


def test_a_real_missing_stream(kinesis):
    """The real API's answer for a stream that is not there ends the event at once."""
    under_test = Publisher(kinesis, "absent")
    under_test.put(b"x", "k")
    with pytest.raises(PublishError, match="ResourceNotFoundException"):
        under_test.close()


def test_events_are_signed_with_the_publishers_key():
    """A mapping has the signature of what the consumer will read; bytes go as they are, and what cannot be signed is
    refused before it waits.
    """
    stream, key = FaultyStream(), SigningKey("crm-2026", b"k" * 32)
    event = {"domain": "person", "source": "crm", "record_id": "1", "op": "upsert", "version": 1}
    event |= {
        "event_time": "2026-01-01T00:00:00Z",
        "attributes": {"emails": ("a@x.org",), "score": 1.0, "n": float("nan")},
    }
    with publisher(stream, signing_key=key) as signing:
        signing.put(event)
        signing.put(b"bytes", "other")
        with pytest.raises(ValueError, match="version and an event_time"):
            signing.put({name: value for name, value in event.items() if name != "version"})
    sent = orjson.loads(stream.taken[partition_key_of(event)][0])
    assert sent["signature"]["key_id"] == "crm-2026"
    assert is_signed_by(sent, sent["signature"]["value"], key)
    assert stream.taken["other"] == [b"bytes"]
