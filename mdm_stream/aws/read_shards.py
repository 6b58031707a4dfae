"""Reading a Kinesis stream from its oldest record to its end, whatever its records are."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.errors import error_code, translated
from mdm_stream.aws.retry import full_jitter
from mdm_stream.errors import TransientError

RECORDS_PER_READ_MAX = 1_000
"""A few megabytes at a time; Kinesis would give up to 10,000 records or 10 MiB."""

ARRIVAL_MARGIN_S = 60.0
"""What arrived this much later than the reading of its shard began was not there then, whatever the clocks do."""

ATTEMPTS_MAX = 10
BACKOFF_MS_BASE = 100
BACKOFF_MS_MAX = 5_000
"""Kinesis allows five reads a second and shard, for all readers together."""


Marks = dict[str, str]
"""Where a reading of a stream stands: by shard, the sequence number of the last record that was read."""


class RecordsGoneError(TransientError):
    """The stream does not hold any more what was read of it last: what followed may be gone too. Read it all again."""


@dataclass(frozen=True, slots=True)
class StreamedRecord:
    """One record of a stream: where it is, when it arrived (seconds since 1970), and its bytes."""

    shard_id: str
    sequence_number: str
    arrival_time_s: float
    data: bytes


class StreamReader:
    """Reads all shards of a stream.

    A fault that outlives its attempts is a ``TransientError``. ``clock_s`` gives seconds since 1970.
    """

    def __init__(
        self,
        client: Any,
        stream: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        """Take a boto3 client of Kinesis and the stream's name."""
        self._client = client
        self._stream = stream
        self._sleep = sleep
        self._clock_s = clock_s

    def records(self, marks: Marks | None = None) -> Iterator[StreamedRecord]:
        """Yield every record from TRIM_HORIZON on, and at least those that the stream had when this was called.

        Shard after shard, closed ones too; a shard's records in its order, duplicates as they are. One read is held in
        memory at a time, and the caller may take its time between records.

        ``marks`` are moved along with what is read. Called again with them it yields what has come since: the rest of
        each shard, and shards that are new (a resharding) from their beginning. ``RecordsGoneError`` where it cannot be
        known that nothing was dropped in between, because the last record read is not there any more either.
        """
        marks = {} if marks is None else marks
        shard_ids = list(self._shard_ids())
        if gone := sorted(marks.keys() - set(shard_ids)):
            raise self._gone(gone[0])
        for shard_id in shard_ids:
            yield from self._shard_records(shard_id, marks)

    def retention_s(self) -> float:
        """Return how long the stream keeps a record."""
        request = {"StreamName": self._stream}
        answer = self._call("describe", self._client.describe_stream_summary, request)
        return float(answer["StreamDescriptionSummary"]["RetentionPeriodHours"]) * 3600

    def _shard_records(self, shard_id: str, marks: Marks) -> Iterator[StreamedRecord]:
        latest_s = self._clock_s() + ARRIVAL_MARGIN_S
        missing = marks.get(shard_id)  # the record that was read last: it must be the first one that is found again
        iterator: str | None = self._iterator(shard_id, missing, "AT_SEQUENCE_NUMBER")
        while iterator is not None:
            place = "AT_SEQUENCE_NUMBER" if missing else "AFTER_SEQUENCE_NUMBER"
            answer = self._read(shard_id, iterator, marks.get(shard_id), place)
            records = answer["Records"]
            arrival_time_s = 0.0
            for record in records:
                arrival_time_s = record["ApproximateArrivalTimestamp"].timestamp()
                if missing:
                    if record["SequenceNumber"] != missing:
                        raise self._gone(shard_id)
                    missing = None
                    continue
                yield StreamedRecord(shard_id, record["SequenceNumber"], arrival_time_s, record["Data"])
                marks[shard_id] = record["SequenceNumber"]
            # A read may be empty though more is to come. On a stream that never rests none is both empty and at the
            # end, so there the times of arrival say when to stop.
            at_end = not records and answer.get("MillisBehindLatest", 0) == 0
            if at_end or arrival_time_s > latest_s:
                break
            iterator = answer.get("NextShardIterator")
        if missing:
            raise self._gone(shard_id)

    def _gone(self, shard_id: str) -> RecordsGoneError:
        return RecordsGoneError(f"stream {self._stream} does not hold any more what was read last of {shard_id}")

    def _shard_ids(self) -> Iterator[str]:
        request: dict[str, Any] = {"StreamName": self._stream}
        while True:
            page = self._call("list the shards", self._client.list_shards, request)
            yield from (shard["ShardId"] for shard in page["Shards"])
            if not page.get("NextToken"):
                return
            request = {"NextToken": page["NextToken"]}

    def _iterator(self, shard_id: str, number: str | None, place: str) -> str:
        """Return an iterator ``place`` (AT or AFTER) a sequence number; at the oldest record where there is none."""
        position: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if number is not None:
            position = {"ShardIteratorType": place, "StartingSequenceNumber": number}
        request = {"StreamName": self._stream, "ShardId": shard_id, **position}
        return str(self._call(f"find a place in {shard_id}", self._client.get_shard_iterator, request)["ShardIterator"])

    def _read(self, shard_id: str, iterator: str, number: str | None, place: str) -> dict[str, Any]:
        """Read once; an iterator that expired (after five minutes) is made again where the last one stood."""
        action = f"read {shard_id}"
        try:
            return self._call(
                action, self._client.get_records, {"ShardIterator": iterator, "Limit": RECORDS_PER_READ_MAX}
            )
        except _ExpiredError:
            again = self._iterator(shard_id, number, place)
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
            # At least half the ceiling: a reader that is throttled must outlast the others of its shard.
            half_or_more = partial(random.uniform, 0.5, 1.0)
            self._sleep(full_jitter(attempt, BACKOFF_MS_BASE, BACKOFF_MS_MAX, half_or_more) / 1000)
        raise AssertionError("the loop returns or raises")


class _ExpiredError(TransientError):
    """The place in the shard must be looked up again."""
