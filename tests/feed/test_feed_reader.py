"""The feed is read whole: all shards, from the oldest message to the end, through throttling and expiry."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from botocore.exceptions import ClientError

from mdm_stream.aws import read_shards as reader_module
from mdm_stream.aws.read_shards import RecordsGoneError
from mdm_stream.contracts.golden import FeedEnvelope
from mdm_stream.errors import TerminalError, TransientError
from mdm_stream.feed.envelope import change_message
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.feed.reader import FeedReader, UnreadableMessage
from mdm_stream.index.port import OutboxEntry
from mdm_stream.local.kinesis.server import KinesisServer

SHARDS = 3


@pytest.fixture(scope="module")
def server() -> Iterator[KinesisServer]:
    """A Kinesis API of this module's own."""
    with KinesisServer() as running:
        yield running


@pytest.fixture
def stream(server: KinesisServer, request: pytest.FixtureRequest) -> str:
    """An empty stream of three shards."""
    name = f"golden-{abs(hash(request.node.name))}"
    server.client().create_stream(StreamName=name, ShardCount=SHARDS)
    return name


def message(sequence: int) -> tuple[str, bytes]:
    """A feed message; each golden id is another."""
    content = {"op": "erase", "domain": "person", "golden_id": f"g{sequence}", "source": "crm", "record_id": "1"}
    return change_message(OutboxEntry(1, sequence, orjson.dumps(content), 0))


def publish(server: KinesisServer, stream: str, sequences: range) -> None:
    """Put messages on the feed."""
    FeedPublisher(server.client(), stream).publish([message(sequence) for sequence in sequences])


def sequences(messages: Iterator[FeedEnvelope]) -> list[int]:
    """Their sequences, sorted: shards are read one after another."""
    return sorted(found.data.sequence for found in messages)


class Faulty:
    """A client whose reads fail now and then: before (throttled), or because the iterator has expired."""

    def __init__(self, client: Any, codes: list[str]) -> None:
        self._client, self._codes = client, codes
        self.expired = 0

    def get_records(self, **request: Any) -> Any:
        """Fail with the next code, if it is one; else read."""
        if self._codes and (code := self._codes.pop(0)):
            self.expired += code == "ExpiredIteratorException"
            raise ClientError({"Error": {"Code": code, "Message": "Jane Doe"}}, "GetRecords")
        return self._client.get_records(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def test_what_a_later_release_has_added_is_no_fault(server: KinesisServer, stream: str) -> None:
    """Members that are not known are ignored at every level, and messages of another type are passed over, counted."""
    later = orjson.loads(message(2)[1])
    later["traceparent"] = "00-1"
    later["data"]["because"] = {"request": 7}
    kinds = orjson.loads(message(3)[1]) | {"type": "mdm.golden.split", "data": {"parts": ["g1"]}}
    by_reference = {**kinds, "dataref": "s3://bucket/key"}
    del by_reference["data"]
    client = server.client()
    for each in (orjson.loads(message(1)[1]), later, kinds, by_reference):
        client.put_record(StreamName=stream, Data=orjson.dumps(each), PartitionKey="g")
    reader = FeedReader(client, stream)
    assert sequences(reader.messages()) == [1, 2]
    assert reader.skipped == 2


def test_everything_on_the_stream_is_yielded(
    server: KinesisServer, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All shards, in reads of any size, duplicates included; an empty stream gives nothing."""
    monkeypatch.setattr(reader_module, "RECORDS_PER_READ_MAX", 7)
    reader = FeedReader(server.client(), stream)
    assert sequences(reader.messages()) == []
    publish(server, stream, range(1, 101))
    publish(server, stream, range(1, 4))
    assert sequences(reader.messages()) == sorted([*range(1, 101), 1, 2, 3])
    shards = {
        record["ShardId"]
        for record in server.client().put_records(
            StreamName=stream, Records=[{"PartitionKey": key, "Data": raw} for key, raw in map(message, range(1, 31))]
        )["Records"]
    }
    assert len(shards) == SHARDS


def test_throttling_and_expired_iterators_lose_and_repeat_nothing(
    server: KinesisServer, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A throttled read is repeated after a pause, an expired iterator is taken up where it stood."""
    monkeypatch.setattr(reader_module, "RECORDS_PER_READ_MAX", 5)
    publish(server, stream, range(1, 61))
    throttled, expired = "ProvisionedThroughputExceededException", "ExpiredIteratorException"
    client = Faulty(server.client(), [throttled, throttled, "", expired, "", throttled, "", "", expired, throttled])
    pauses: list[float] = []
    assert sequences(FeedReader(client, stream, sleep=pauses.append).messages()) == list(range(1, 61))
    assert client.expired == 2
    assert len(pauses) == 4
    assert all(0 < pause <= 5 for pause in pauses)


def test_a_fault_that_stays_is_reported(server: KinesisServer, stream: str) -> None:
    """Bounded attempts, then a transient error without AWS's text; a missing stream is terminal at once."""
    client = Faulty(server.client(), ["ProvisionedThroughputExceededException"] * 100)
    with pytest.raises(TransientError, match="ProvisionedThroughput") as raised:
        list(FeedReader(client, stream, sleep=lambda _: None).messages())
    assert "Jane" not in str(raised.value)
    with pytest.raises(TerminalError, match="no-such-stream"):
        list(FeedReader(server.client(), "no-such-stream").messages())


def test_a_stream_that_never_rests_has_an_end(server: KinesisServer, stream: str) -> None:
    """What arrives long after the reading began is not waited for, though the stream is never at its end."""

    class Busy(Faulty):
        def get_records(self, **request: Any) -> Any:
            publish(server, stream, range(1, 31))
            answer = self._client.get_records(**request)
            for record in answer["Records"]:
                record["ApproximateArrivalTimestamp"] += dt.timedelta(minutes=2)
            return answer

    publish(server, stream, range(1, 31))
    assert set(sequences(FeedReader(Busy(server.client(), []), stream).messages())) == set(range(1, 31))


def test_what_is_no_feed_message_is_refused_or_passed_over(server: KinesisServer, stream: str) -> None:
    """The error names the place and no value; whoever rebuilds in spite of it can be told and go on."""
    publish(server, stream, range(1, 4))
    server.client().put_record(StreamName=stream, PartitionKey="x", Data=b'{"name": "Jane"}')
    with pytest.raises(TerminalError, match=r"shardId-\d+ \d+: feed\.") as raised:
        list(FeedReader(server.client(), stream).messages())
    assert "Jane" not in str(raised.value)
    seen: list[UnreadableMessage] = []
    reader = FeedReader(server.client(), stream, on_unreadable=seen.append)
    assert sequences(reader.messages()) == [1, 2, 3]
    assert len(seen) == 1


class Shard:
    """One shard of ``Resharded``: its records as (sequence number, message), and whether it takes any more."""

    def __init__(self) -> None:
        self.records: list[tuple[int, bytes]] = []
        self.is_open = True


class Resharded:
    """A Kinesis client whose stream can be split and trimmed, which the local stack's cannot. Two records a read."""

    def __init__(self) -> None:
        self.shards = {"shard-1": Shard()}
        self._last = 100

    def put(self, shard_id: str, *sequences: int) -> None:
        """Put messages on an open shard."""
        shard = self.shards[shard_id]
        assert shard.is_open
        for sequence in sequences:
            self._last += 1
            shard.records.append((self._last, message(sequence)[1]))

    def list_shards(self, **_: Any) -> Any:
        """List every shard that is still there, closed ones too."""
        return {"Shards": [{"ShardId": shard_id} for shard_id in self.shards]}

    def get_shard_iterator(self, **request: Any) -> Any:
        """Return where to begin; a number that was trimmed leads to the oldest record, as on Kinesis."""
        is_at = request["ShardIteratorType"] == "AT_SEQUENCE_NUMBER"
        after = int(request.get("StartingSequenceNumber", 0)) - is_at
        return {"ShardIterator": f"{request['ShardId']}/{after}"}

    def get_records(self, **request: Any) -> Any:
        """Return at most two records, and no next iterator at the end of a closed shard."""
        shard_id, after = request["ShardIterator"].split("/")
        shard = self.shards[shard_id]
        rest = [record for record in shard.records if record[0] > int(after)]
        now = dt.datetime.now(dt.UTC)
        found = [
            {"SequenceNumber": str(number), "Data": data, "ApproximateArrivalTimestamp": now}
            for number, data in rest[:2]
        ]
        answer: dict[str, Any] = {"Records": found, "MillisBehindLatest": len(rest[2:])}
        if shard.is_open or rest:
            answer["NextShardIterator"] = f"{shard_id}/{rest[:2][-1][0] if rest else after}"
        return answer


def test_a_reading_goes_on_where_the_last_one_ended_through_a_resharding() -> None:
    """What has come since is yielded once: the rest of a closed shard, and all of those that took its place."""
    client, marks = Resharded(), {}
    reader = FeedReader(client, "golden")
    assert sequences(reader.messages(marks)) == []
    client.put("shard-1", 1, 2, 3)
    assert sequences(reader.messages(marks)) == [1, 2, 3]
    assert sequences(reader.messages(marks)) == []
    client.put("shard-1", 4)
    client.shards["shard-1"].is_open = False
    client.shards |= {"shard-2": Shard(), "shard-3": Shard()}
    client.put("shard-2", 5, 6, 7)
    client.put("shard-3", 8)
    assert sequences(reader.messages(marks)) == [4, 5, 6, 7, 8]
    client.put("shard-3", 9)
    assert sequences(reader.messages(marks)) == [9]
    assert sequences(reader.messages()) == [*range(1, 10)]


@pytest.mark.parametrize("left", [0, 1, 3])
def test_a_reading_does_not_go_on_over_a_gap(left: int) -> None:
    """Where the record that was read last is gone, others may be that came after it: the reader says so."""
    client, marks = Resharded(), {}
    client.put("shard-1", 1, 2)
    reader = FeedReader(client, "golden")
    assert sequences(reader.messages(marks)) == [1, 2]
    client.put("shard-1", 3, 4, 5, 6)
    del client.shards["shard-1"].records[: 6 - left]
    with pytest.raises(RecordsGoneError):
        list(reader.messages(marks))
    client.shards = {"shard-2": Shard()}
    with pytest.raises(RecordsGoneError):
        list(reader.messages(marks))


def test_an_iterator_that_expires_at_once_costs_a_later_reading_nothing(
    server: KinesisServer, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made again at the last record read, whether that one was found again already or not."""
    monkeypatch.setattr(reader_module, "RECORDS_PER_READ_MAX", 5)
    client = Faulty(server.client(), [])
    reader, marks = FeedReader(client, stream, sleep=lambda _: None), {}
    publish(server, stream, range(1, 31))
    assert sequences(reader.messages(marks)) == [*range(1, 31)]
    publish(server, stream, range(31, 61))
    client._codes = ["ExpiredIteratorException", "", "ExpiredIteratorException"]
    assert sequences(reader.messages(marks)) == [*range(31, 61)]
    assert client.expired == 2
