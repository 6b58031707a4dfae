"""What the poller reads: the shards of a stream and their records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.errors import error_code
from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.local.event_source.mapping import ShardRecord

StartingPosition = Literal["TRIM_HORIZON", "LATEST"]

RECORDS_A_FETCH_MAX = 10_000
_SHARDS_A_PAGE_MAX = 1_000
_THROTTLED = frozenset({"ProvisionedThroughputExceededException", "LimitExceededException", "ThrottlingException"})


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """One shard. ``parents`` are the shards that it was split or merged from; a closed shard gets no new records."""

    shard_id: str
    parents: tuple[str, ...] = ()
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer to one read. ``more`` says that records are waiting behind these; ``ended`` that none will ever."""

    records: tuple[ShardRecord, ...]
    more: bool = False
    ended: bool = False


class ShardFeed(Protocol):
    """A stream to poll. Every method may raise ``TransientError``; ``fetch`` may run for several shards at once."""

    stream_arn: str

    def shards(self) -> list[ShardInfo]:
        """Return all shards, closed ones included."""

    def fetch(self, shard_id: str, after: str | None, start: StartingPosition) -> Fetched:
        """Return the records after a sequence number, or from ``start`` if there is none, in the shard's order."""


class KinesisFeed:
    """A Kinesis stream, through a boto3 client."""

    def __init__(self, client: Any, stream: str) -> None:
        """Look the stream up. ``ConfigurationError`` if there is none of that name."""
        self._client = client
        self._stream = stream
        self._iterators: dict[str, tuple[str | None, str]] = {}
        try:
            summary = client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
        except client.exceptions.ResourceNotFoundException as error:
            raise ConfigurationError(f"there is no stream {stream!r}: create it, or correct the name") from error
        except (ClientError, BotoCoreError) as error:
            raise TransientError(f"the stream cannot be looked up: {type(error).__name__}") from error
        self.stream_arn: str = summary["StreamARN"]

    def shards(self) -> list[ShardInfo]:
        """Return all shards, closed ones included."""
        found: list[ShardInfo] = []
        request: dict[str, Any] = {"StreamName": self._stream}
        while True:
            try:
                page = self._client.list_shards(**request, MaxResults=_SHARDS_A_PAGE_MAX)
            except (ClientError, BotoCoreError) as error:
                raise TransientError(f"the shards cannot be listed: {type(error).__name__}") from error
            for shard in page["Shards"]:
                parents = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
                closed = "EndingSequenceNumber" in shard["SequenceNumberRange"]
                found.append(ShardInfo(shard["ShardId"], tuple(filter(None, parents)), closed))
            if not page.get("NextToken"):
                return found
            request = {"NextToken": page["NextToken"]}

    def fetch(self, shard_id: str, after: str | None, start: StartingPosition) -> Fetched:
        """Return the records after a sequence number, or from ``start`` if there is none, in the shard's order."""
        try:
            iterator = self._iterator(shard_id, after, start)
            answer = self._client.get_records(ShardIterator=iterator, Limit=RECORDS_A_FETCH_MAX)
        except (ClientError, BotoCoreError) as error:
            if error_code(error) not in _THROTTLED:
                self._iterators.pop(shard_id, None)  # it may have expired; a throttled one is still good
            raise TransientError(f"{shard_id} cannot be read: {error_code(error)}") from error
        records = tuple(
            ShardRecord(
                record["SequenceNumber"],
                record["PartitionKey"],
                record["Data"],
                record["ApproximateArrivalTimestamp"].timestamp(),
            )
            for record in answer["Records"]
        )
        following = answer.get("NextShardIterator")
        if following is None:
            return Fetched(records, ended=True)
        self._iterators[shard_id] = (records[-1].sequence if records else after, following)
        more = answer.get("MillisBehindLatest", 0) > 0 or len(records) == RECORDS_A_FETCH_MAX
        return Fetched(records, more)

    def _iterator(self, shard_id: str, after: str | None, start: StartingPosition) -> str:
        """The iterator of the last answer serves if it stands at the same place: with LATEST it is the place."""
        place, iterator = self._iterators.get(shard_id, (None, ""))
        if iterator and place == after:
            return iterator
        position: dict[str, str] = {"ShardIteratorType": start}
        if after is not None:
            position = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": after}
        answer = self._client.get_shard_iterator(StreamName=self._stream, ShardId=shard_id, **position)
        return str(answer["ShardIterator"])
