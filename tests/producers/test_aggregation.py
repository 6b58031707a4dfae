"""The publisher with aggregation: many events in a record, each key in order, none lost with its neighbours."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from dataclasses import replace

import pytest
from botocore.exceptions import ConnectTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st
from test_publisher import THROTTLED, FaultyStream, kinesis, publisher  # noqa: F401 - a fixture

from mdm_stream.contracts.kpl import is_aggregate, user_records
from mdm_stream.decode import Delivery, unpack
from producers import EventTooLargeError, Publisher, PublishError, PublisherSettings, partition_key_of
from producers.kpl import SLICES_MAX, slice_hash_key, slice_key, slice_of

AGGREGATED = PublisherSettings(
    linger_s=0.001, backoff_base_s=0.0005, backoff_max_s=0.002, aggregate_bytes_max=2_000, aggregate_slices=4
)
HASHES = 2**128


def events_in(data: bytes) -> list[bytes]:
    """The events that a record of the stream holds, in order."""
    return [each.raw for each in unpack(Delivery.from_row(data, 1))]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=120), st.integers(0, 2**32), st.sampled_from([60, 200, 10_000]))
def test_the_order_of_each_key_is_kept(keys, seed, size):
    """Whatever records are refused, throttled or lost with their answer: each key's events are first taken in order."""
    chance = random.Random(seed)

    def outcome(_):
        draw = chance.random()
        if draw < 0.05:
            raise ConnectTimeoutError(endpoint_url="x")
        return THROTTLED if draw < 0.3 else None

    stream = FaultyStream(outcome)
    options = PublisherSettings(
        linger_s=0.0,
        backoff_base_s=0.0,
        backoff_max_s=0.0,
        attempts_max=10_000,
        aggregate_bytes_max=size,
        aggregate_slices=3,
    )
    with publisher(stream, options) as under_test:
        for number, key in enumerate(keys):
            under_test.put(f"{key} {number}".encode(), str(key))
        under_test.flush()
        counts = under_test.counts
    first_taken = defaultdict(dict)
    for records in stream.taken.values():
        for event in [event for data in records for event in events_in(data)]:
            key, number = event.decode().split()
            first_taken[int(key)].setdefault(int(number))
    for key in set(keys):
        assert list(first_taken[key]) == [number for number, other in enumerate(keys) if other == key]
    assert (counts.accepted, counts.delivered, counts.failed) == (len(keys), len(keys), 0)
    for request in stream.requests:
        assert len({record["PartitionKey"] for record in request}) == len(request)
        assert all(len(record["Data"]) + len(record["PartitionKey"]) <= size or size == 60 for record in request)


def test_events_share_records_and_keep_their_keys():
    """A thousand events are a few dozen records; each user record has the partition key that its event was put with."""
    stream = FaultyStream()
    with publisher(stream, replace(AGGREGATED, linger_s=60.0)) as under_test:  # however slow the machine is
        for number in range(1_000):
            under_test.put(b'{"a":%d}' % number, f"key-{number}")
    records = [record for request in stream.requests for record in request]
    assert len(records) < 100
    held = [each for record in records for each in user_records(record["Data"])]
    assert {each.partition_key: each.content for each in held} == {f"key-{n}": b'{"a":%d}' % n for n in range(1_000)}
    for record in records:
        numbers = {slice_of(each.partition_key, 4) for each in user_records(record["Data"])}
        assert [slice_key(number, 4) for number in numbers] == [record["PartitionKey"]]
        assert [slice_hash_key(number, 4) for number in numbers] == [record["ExplicitHashKey"]]


def test_an_event_alone_or_too_large_for_company_goes_as_it_is():
    """It is no aggregate, and the event before it and the one after it stay in their order."""
    stream = FaultyStream()
    with publisher(stream, AGGREGATED) as under_test:
        for data in (b"a", b"x" * 3_000, b"b"):
            under_test.put(data, "key")
        with pytest.raises(EventTooLargeError):
            under_test.put(b"x" * (2**20 - len("slice-0-of-4") + 1), "k")
    (records,) = stream.taken.values()
    assert not any(is_aggregate(data) for data in records)
    assert [data[:1] for data in records] == [b"a", b"x", b"b"]


def test_each_event_of_a_record_that_is_given_up_is_reported():
    """Failures name events, with their own keys, in the order in which they were put; others are sent."""
    stream = FaultyStream(lambda record: "InternalFailure" if b"bad" in record["Data"] else None)
    options = PublisherSettings(
        linger_s=0.01, backoff_base_s=0.0, backoff_max_s=0.0, attempts_max=2, aggregate_bytes_max=500
    )
    under_test = publisher(stream, options)
    for number in range(3):
        under_test.put(b"bad %d" % number, "same")
    under_test.put(b"good", "other")
    with pytest.raises(PublishError) as caught:
        under_test.close()
    assert [(each.partition_key, each.data) for each in caught.value.failures] == [
        ("same", b"bad %d" % number) for number in range(3)
    ]
    counts = under_test.counts
    assert (counts.accepted, counts.delivered, counts.failed) == (4, 1, 3)


@given(st.text(max_size=9), st.integers(1, SLICES_MAX))
def test_a_slice_lies_where_its_keys_do(key: str, slices: int):
    """The explicit hash key is the first of the slice that the partition key's own hash lies in."""
    number = slice_of(key, slices)
    own = int.from_bytes(hashlib.md5(key.encode()).digest(), "big")
    following = int(slice_hash_key(number + 1, slices)) if number + 1 < slices else HASHES
    assert 0 <= int(slice_hash_key(number, slices)) <= own < following <= HASHES


@pytest.mark.parametrize(
    "wrong", [{"aggregate_bytes_max": 2**21}, {"aggregate_slices": 0}, {"aggregate_bytes_max": -1}]
)
def test_limits_of_aggregation_are_checked(wrong: dict[str, int]):
    """An aggregate is a record of the stream, and a slice a part of the hash keys."""
    with pytest.raises(ValueError, match="aggregate"):
        PublisherSettings(**wrong)


@pytest.mark.servers
def test_aggregates_reach_the_shard_that_their_events_would(kinesis):  # noqa: F811 - the fixture
    """On a real Kinesis API with shards, decoded they are the events that were put, each key's in order."""
    kinesis.create_stream(StreamName="four", ShardCount=4)
    options = PublisherSettings(aggregate_bytes_max=4_000, aggregate_slices=16)
    events = [
        {"domain": "person", "source": "web", "record_id": str(number % 40), "op": "upsert", "version": number}
        for number in range(400)
    ]
    with Publisher(kinesis, "four", settings=options) as under_test:
        for event in events:
            under_test.put({**event, "event_time": "2026-01-01T00:00:00Z", "attributes": {}})
    shards = kinesis.list_shards(StreamName="four")["Shards"]
    seen = defaultdict(list)
    for shard in shards:
        low, high = (int(shard["HashKeyRange"][name]) for name in ("StartingHashKey", "EndingHashKey"))
        start = kinesis.get_shard_iterator(
            StreamName="four", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        for record in kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]:
            for each in user_records(record["Data"]):
                own = int.from_bytes(hashlib.md5(each.partition_key.encode()).digest(), "big")
                assert low <= own <= high
                seen[each.partition_key].append(each.content)
    assert sum(map(len, seen.values())) == 400
    assert seen.keys() == {partition_key_of(event) for event in events}
    for held in seen.values():
        versions = [int(raw.split(b'"version":')[1].split(b",")[0]) for raw in held]
        assert versions == sorted(versions)
