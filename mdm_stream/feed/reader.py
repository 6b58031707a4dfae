"""Reading a golden feed from its oldest message to its end, as whoever rebuilds a state from it does."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws_errors import error_code, translated
from mdm_stream.contracts.golden import FeedEnvelope, parse_envelope
from mdm_stream.errors import RejectedEventError, TerminalError, TransientError

RECORDS_PER_READ_MAX = 1_000
"""A few megabytes at a time; Kinesis would give up to 10,000 records or 10 MiB."""

ARRIVAL_MARGIN_S = 60.0
"""What arrived this much later than the reading of its shard began was not there then, whatever the clocks do."""

ATTEMPTS_MAX = 10
BACKOFF_MS_BASE = 100
BACKOFF_MS_MAX = 5_000
"""Kinesis allows five reads a second and shard, for all readers together."""


@dataclass(frozen=True, slots=True)
class UnreadableMessage:
    """A record of the feed that breaks its contract: where it is, and why. Its bytes are not carried."""

    shard_id: str
    sequence_number: str
    error: RejectedEventError


def refuse(message: UnreadableMessage) -> None:
    """Raise ``TerminalError``: what a reader does about an unreadable message, unless it is told otherwise."""
    raise TerminalError(
        f"the golden feed holds a message that cannot be read, at {message.shard_id} {message.sequence_number}: "
        f"{message.error}. It was not written by mdm-stream of this version: update this reader, or pass over it"
    ) from message.error


class FeedReader:
    """Reads all shards of the feed's Kinesis stream.

    A fault that outlives its attempts is a ``TransientError``. ``clock_s`` gives seconds since 1970.
    """

    def __init__(
        self,
        client: Any,
        stream: str,
        *,
        on_unreadable: Callable[[UnreadableMessage], None] = refuse,
        sleep: Callable[[float], None] = time.sleep,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        """Take a boto3 client of Kinesis and the stream's name."""
        self._client = client
        self._stream = stream
        self._on_unreadable = on_unreadable
        self._sleep = sleep
        self._clock_s = clock_s

    def messages(self) -> Iterator[FeedEnvelope]:
        """Yield every message from TRIM_HORIZON on, and at least those that the stream had when this was called.

        Shard after shard, closed ones too; a shard's messages in its order, duplicates as they are. One read is held in
        memory at a time, and the caller may take its time between messages.
        """
        for shard_id in self._shard_ids():
            yield from self._shard_messages(shard_id)

    def _shard_messages(self, shard_id: str) -> Iterator[FeedEnvelope]:
        latest_s = self._clock_s() + ARRIVAL_MARGIN_S
        iterator: str | None = self._iterator(shard_id, None)
        last: str | None = None
        while iterator is not None:
            answer = self._read(shard_id, iterator, last)
            records = answer["Records"]
            for record in records:
                last = record["SequenceNumber"]
                try:
                    envelope = parse_envelope(record["Data"])
                except RejectedEventError as error:
                    self._on_unreadable(UnreadableMessage(shard_id, record["SequenceNumber"], error))
                else:
                    yield envelope
            # A read may be empty though more is to come. On a stream that never rests none is both empty and at the
            # end, so there the times of arrival say when to stop.
            at_end = not records and answer.get("MillisBehindLatest", 0) == 0
            if at_end or (records and records[-1]["ApproximateArrivalTimestamp"].timestamp() > latest_s):
                return
            iterator = answer.get("NextShardIterator")

    def _shard_ids(self) -> Iterator[str]:
        request: dict[str, Any] = {"StreamName": self._stream}
        while True:
            page = self._call("list the shards", self._client.list_shards, request)
            yield from (shard["ShardId"] for shard in page["Shards"])
            if not page.get("NextToken"):
                return
            request = {"NextToken": page["NextToken"]}

    def _iterator(self, shard_id: str, after: str | None) -> str:
        position: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if after is not None:
            position = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": after}
        request = {"StreamName": self._stream, "ShardId": shard_id, **position}
        return str(self._call(f"find a place in {shard_id}", self._client.get_shard_iterator, request)["ShardIterator"])

    def _read(self, shard_id: str, iterator: str, after: str | None) -> dict[str, Any]:
        """Read once; an iterator that expired (after five minutes) is made again where the last one stood."""
        action = f"read {shard_id}"
        try:
            return self._call(
                action, self._client.get_records, {"ShardIterator": iterator, "Limit": RECORDS_PER_READ_MAX}
            )
        except _ExpiredError:
            again = self._iterator(shard_id, after)
            return self._call(action, self._client.get_records, {"ShardIterator": again, "Limit": RECORDS_PER_READ_MAX})

    def _call(self, action: str, operation: Callable[..., Any], request: dict[str, Any]) -> dict[str, Any]:
        for attempt in range(ATTEMPTS_MAX):
            try:
                return cast("dict[str, Any]", operation(**request))
            except (ClientError, BotoCoreError) as error:
                if error_code(error) == "ExpiredIteratorException":
                    raise _ExpiredError(f"cannot {action} of stream {self._stream}: the iterator expired") from error
                fault = translated(error, f"{action} of stream {self._stream}")
                if not isinstance(fault, TransientError) or attempt == ATTEMPTS_MAX - 1:
                    raise fault from error
            ceiling_ms = min(BACKOFF_MS_MAX, BACKOFF_MS_BASE * 2**attempt)
            self._sleep(random.uniform(ceiling_ms / 2, ceiling_ms) / 1000)  # noqa: S311 - jitter, no secret
        raise AssertionError("the loop returns or raises")


class _ExpiredError(TransientError):
    """The place in the shard must be looked up again."""
