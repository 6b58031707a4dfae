"""The doubles that ship with the project behave as the stream that they stand for."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from mdm_stream.aws.put_records import RECORD_BYTES_MAX
from mdm_stream.feed.reader import FeedReader
from mdm_stream.testing import MemoryStream, feed_message
from producers.publisher import Publisher

RETIRED = {
    "op": "retire", "domain": "person", "golden_id": "g1", "members": [], "removed": [], "merged_into": None,
    "anchor": None, "rules_version": 1,
}  # fmt: skip


@pytest.fixture(params=["memory", "moto"])
def client(request):
    """A client of an empty stream named ``events``."""
    if request.param == "memory":
        yield MemoryStream()
        return
    with mock_aws():
        made = boto3.client("kinesis", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")
        made.create_stream(StreamName="events", ShardCount=1)
        yield made


def read(client, **place):
    """The data of the records from a place on, and the numbers under which they lie."""
    shard = client.list_shards(StreamName="events")["Shards"][0]["ShardId"]
    iterator = client.get_shard_iterator(StreamName="events", ShardId=shard, **place)["ShardIterator"]
    records = client.get_records(ShardIterator=iterator, Limit=10)["Records"]
    return [bytes(record["Data"]) for record in records], [record["SequenceNumber"] for record in records]


def test_what_was_put_is_read_in_its_order(client):
    """Records come back in the order in which they were accepted, from the beginning or after a place."""
    with Publisher(client, "events") as publisher:
        for number in range(3):
            publisher.put(b"event %d" % number, partition_key="a")
    found, numbers = read(client, ShardIteratorType="TRIM_HORIZON")
    assert found == [b"event 0", b"event 1", b"event 2"]
    assert [int(n) for n in numbers] == sorted(int(n) for n in numbers)
    after = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": numbers[0]}
    assert read(client, **after)[0] == found[1:]


def test_a_feed_is_read_as_a_subscriber_reads_it(client):
    """Messages made for a test pass the contract of the golden feed, through the reader that subscribers use."""
    client.put_records(
        StreamName="events",
        Records=[{"PartitionKey": "g1", "Data": feed_message(RETIRED, sequence=n)} for n in (1, 2)],
    )
    messages = list(FeedReader(client, "events").messages())
    assert [(m.data.golden_id, m.data.sequence) for m in messages] == [("g1", 1), ("g1", 2)]


def test_a_throttled_stream_loses_nothing():
    """A test can refuse records; the publisher sends them again, and the order of a key stays."""
    stream, refused = MemoryStream(), []

    def refuse_once(sent):
        if sent.data in refused:
            return None
        refused.append(sent.data)
        return "ProvisionedThroughputExceededException"

    stream.refuse = refuse_once
    with Publisher(stream, "events") as publisher:
        for number in range(3):
            publisher.put(b"event %d" % number, partition_key="a")
    assert [sent.data for sent in stream.records] == [b"event 0", b"event 1", b"event 2"]


def test_a_record_over_the_limit_refuses_the_whole_request():
    """As on AWS, one record that is too large fails its request, and nothing of it is accepted."""
    stream = MemoryStream()
    records = [{"PartitionKey": "a", "Data": data} for data in (b"small", bytes(RECORD_BYTES_MAX))]
    with pytest.raises(ClientError, match="ValidationException"):
        stream.put_records(StreamName="events", Records=records)
    assert stream.records == []
