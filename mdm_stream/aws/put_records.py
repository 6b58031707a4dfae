"""PutRecords of Kinesis: what one request may hold, and how messages are cut into requests."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

KeyedMessage = tuple[str, bytes]
"""A partition key and the bytes of one record."""

RECORDS_PER_CALL_MAX = 500
BYTES_PER_CALL_MAX = 5 * 1024 * 1024
"""PutRecords takes 500 records and 5 MiB, partition keys included; on a stream whose records may be larger than that,
one of these alone."""
RECORD_BYTES_MAX = 1024 * 1024
"""A record with its partition key, on a stream whose limit was not raised."""


@dataclass(frozen=True, slots=True)
class StreamPlace:
    """Where a stream has put a record."""

    shard_id: str
    sequence_number: str


def put_records(client: Any, stream: str, messages: Sequence[KeyedMessage]) -> list[str | None]:
    """Send messages once; return for each the code of its refusal, or ``None`` where it was accepted.

    The SDK's errors come out as they are: they say that the request as a whole was refused or not answered.
    """
    reply = _reply(client, stream, messages)
    if not reply["FailedRecordCount"]:
        return [None] * len(messages)
    return [result.get("ErrorCode") for result in reply["Records"]]


def place_records(client: Any, stream: str, messages: Sequence[KeyedMessage]) -> list[StreamPlace | str]:
    """Send messages once; return for each where it lies on the stream, or the code of its refusal.

    The SDK's errors come out as they are.
    """
    return [
        result.get("ErrorCode") or StreamPlace(result["ShardId"], result["SequenceNumber"])
        for result in _reply(client, stream, messages)["Records"]
    ]


def _reply(client: Any, stream: str, messages: Sequence[KeyedMessage]) -> Any:
    return client.put_records(
        StreamName=stream, Records=[{"PartitionKey": key, "Data": data} for key, data in messages]
    )


def weight_of(message: KeyedMessage) -> int:
    """Return the bytes that count against the limits: those of the data and of the partition key."""
    return len(message[1]) + len(message[0].encode())


def requests_of(messages: Sequence[KeyedMessage], kept_back: Collection[int] = ()) -> list[list[int]]:
    """Cut messages into requests within the limits, in their order; return their positions."""
    requests: list[list[int]] = []
    size = BYTES_PER_CALL_MAX + 1
    for position, message in enumerate(messages):
        if position in kept_back:
            continue
        weight = weight_of(message)
        if size + weight > BYTES_PER_CALL_MAX or len(requests[-1]) >= RECORDS_PER_CALL_MAX:
            requests.append([])
            size = 0
        requests[-1].append(position)
        size += weight
    return requests
