"""Test doubles for those who build on mdm-stream: a stream in memory, and the messages of a golden feed.

``MemoryStream`` answers the calls of a boto3 Kinesis client that the publisher and the feed's reader make, so a source
system's or a subscriber's own tests need neither AWS nor a server. One contract test runs over it and over moto.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from mdm_stream.aws.put_records import RECORD_BYTES_MAX, RECORDS_PER_CALL_MAX

SHARD_ID = "shardId-000000000000"
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_SEQUENCE_DIGITS = 56


@dataclass(frozen=True, slots=True)
class Sent:
    """One record that the stream accepted."""

    partition_key: str
    data: bytes


class MemoryStream:
    """A Kinesis stream of one shard in memory; pass it where a boto3 client is asked for. Not thread safe.

    ``refuse`` is called with each record of a PutRecords request and returns an error code, or ``None`` to accept it:
    for tests of what a throttled stream does. Records keep the order in which they were accepted; the stream's name is
    not looked at. Limits of AWS are kept: a request over one of them is refused as a whole.
    """

    def __init__(self) -> None:
        self.records: list[Sent] = []
        self.refuse: Any = lambda _sent: None

    def put_records(self, *, StreamName: str, Records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Accept or refuse each record; ``ClientError`` (ValidationException) for a request over a limit of AWS."""
        del StreamName
        offered = [Sent(each["PartitionKey"], bytes(each["Data"])) for each in Records]
        if not 1 <= len(offered) <= RECORDS_PER_CALL_MAX or any(_bytes_of(sent) > RECORD_BYTES_MAX for sent in offered):
            raise ClientError({"Error": {"Code": "ValidationException", "Message": ""}}, "PutRecords")
        answers = []
        for sent in offered:
            code = self.refuse(sent)
            if code is None:
                answers.append({"SequenceNumber": _sequence(len(self.records)), "ShardId": SHARD_ID})
                self.records.append(sent)
            else:
                answers.append({"ErrorCode": code, "ErrorMessage": ""})
        return {"FailedRecordCount": sum("ErrorCode" in answer for answer in answers), "Records": answers}

    def list_shards(self, **_request: Any) -> dict[str, Any]:
        """Return the only shard."""
        first = {"StartingSequenceNumber": _sequence(0)}
        whole = {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}
        return {"Shards": [{"ShardId": SHARD_ID, "HashKeyRange": whole, "SequenceNumberRange": first}]}

    def describe_stream_summary(self, **_request: Any) -> dict[str, Any]:
        """Return the retention of a new stream: a day."""
        return {"StreamDescriptionSummary": {"RetentionPeriodHours": 24, "OpenShardCount": 1}}

    def get_shard_iterator(self, **request: Any) -> dict[str, Any]:
        """Return the place that is asked for: TRIM_HORIZON, LATEST, AT_ or AFTER_SEQUENCE_NUMBER."""
        kind = request["ShardIteratorType"]
        if kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
            place = int(request["StartingSequenceNumber"]) + (kind == "AFTER_SEQUENCE_NUMBER")
        else:
            place = len(self.records) if kind == "LATEST" else 0
        return {"ShardIterator": str(place)}

    def get_records(self, *, ShardIterator: str, Limit: int = 10_000) -> dict[str, Any]:  # noqa: N803
        """Return the records from a place on; the shard never ends."""
        place = int(ShardIterator)
        found = self.records[place : place + Limit]
        return {
            "Records": [
                {
                    "SequenceNumber": _sequence(place + number),
                    "PartitionKey": sent.partition_key,
                    "Data": sent.data,
                    "ApproximateArrivalTimestamp": _EPOCH,
                }
                for number, sent in enumerate(found)
            ],
            "NextShardIterator": str(place + len(found)),
            "MillisBehindLatest": 0 if place + len(found) == len(self.records) else 1,
        }


def feed_message(data: Mapping[str, Any], *, sequence: int, epoch: int = 1) -> bytes:
    """Return a message of the golden feed as a subscriber receives it.

    ``data`` is a golden change without epoch, sequence and commit time: ``op`` (``upsert``, ``retire``, ``erase``),
    ``domain``, ``golden_id`` and what the wire models in ``mdm_stream.contracts.golden`` ask for besides.
    """
    from mdm_stream.core.canonical import canonical_json  # noqa: PLC0415 - the stream alone needs no core
    from mdm_stream.feed.envelope import change_message  # noqa: PLC0415
    from mdm_stream.index.port import OutboxEntry  # noqa: PLC0415

    return change_message(OutboxEntry(epoch, sequence, canonical_json(dict(data)), sequence))[1]


def _sequence(place: int) -> str:
    return str(place).zfill(_SEQUENCE_DIGITS)


def _bytes_of(sent: Sent) -> int:
    return len(sent.data) + len(sent.partition_key.encode())
