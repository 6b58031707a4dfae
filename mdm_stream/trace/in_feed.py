"""Where messages lie on the golden stream: it is read from shortly before the changes were committed, and no further.

The partition key of a message is its golden id, so only the shards are read into which the wanted ones fall.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.errors import translated
from mdm_stream.contracts.golden import (
    UPSERTED,
    ClaimCheck,
    FeedEnvelope,
    GoldenChange,
    RecordErased,
    committed_us,
    parse_message,
)
from mdm_stream.contracts.golden import UnknownTypeError as LaterTypeError
from mdm_stream.core.model import make_ref
from mdm_stream.errors import RejectedEventError, TransientError
from mdm_stream.trace.findings import FeedPlace, FeedPosition, ToldChange
from mdm_stream.trace.in_warehouse import told_change

BEFORE_S = 60.0
"""So much before a commit the reading begins, whatever the clocks say."""
RECORDS_PER_READ = 1_000
RECORDS_MAX = 200_000
"""Records of one shard that are read for a trace: a minute or two of it."""
ATTEMPTS_MAX = 8
PAUSE_S = 0.3
"""Kinesis allows five reads a second and shard, for all readers together."""


class FeedTrace:
    """Reads a golden stream in search of a few messages."""

    def __init__(
        self, client: Any, stream: str, *, sleep: Callable[[float], None] = time.sleep,
        clock_s: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        """Take a boto3 client of Kinesis and the stream's name."""
        self._client = client
        self._stream = stream
        self._sleep = sleep
        self._clock_s = clock_s
        self.records = 0
        """Records that were read so far."""
        self.is_whole = True
        """Whether each shard was read to its end, or to the last message that was wanted."""

    def places(self, domain: str, changes: Collection[ToldChange]) -> dict[FeedPosition, FeedPlace]:
        """Return where the messages of some changes lie. One that has left the stream, by its age, is not among them.

        ``TransientError`` or ``TerminalError`` where the stream cannot be read.
        """
        wanted = {f'"id":"{domain}/{each.epoch}/{each.sequence}"'.encode(): each for each in changes}
        found: dict[FeedPosition, FeedPlace] = {}
        if not wanted:
            return found
        hashes = {key: _hash_of(each.golden_id) for key, each in wanted.items()}
        for shard in self._shards():
            low, high = (int(shard["HashKeyRange"][name]) for name in ("StartingHashKey", "EndingHashKey"))
            here = {key for key, value in hashes.items() if low <= value <= high and wanted[key].position not in found}
            if not here:
                continue
            from_us = min(wanted[key].committed_us for key in here)
            for record in self._records(shard["ShardId"], from_us / 1e6 - BEFORE_S):
                compact = record["Data"].replace(b'": ', b'":')
                for key in [key for key in here if key in compact]:
                    here.discard(key)
                    found[wanted[key].position] = _place(shard["ShardId"], record, is_wave=b'"wave":' in compact)
                if not here:
                    break
        return found

    def told_of(
        self, domain: str, ref: str, from_us: int, follow: Callable[[ClaimCheck], FeedEnvelope]
    ) -> tuple[list[ToldChange], dict[FeedPosition, FeedPlace]]:
        """Return the changes of golden records that name a record, and where their messages lie.

        All shards are read from ``from_us`` (0: their oldest message) to their end. It is what is left where there is
        no warehouse. ``follow`` gets a message whose data is kept elsewhere.
        """
        changes: dict[FeedPosition, ToldChange] = {}
        places: dict[FeedPosition, FeedPlace] = {}
        golden_ids: set[str] = set()
        for shard in self._shards():
            for record in self._records(shard["ShardId"], from_us / 1e6 - BEFORE_S if from_us else None):
                told = _told_of(record["Data"], domain, ref, golden_ids, follow)
                if told is not None:
                    golden_ids.add(told.golden_id)
                    changes[told.position] = told
                    places.setdefault(told.position, _place(shard["ShardId"], record, is_wave=False))
        return sorted(changes.values(), key=lambda each: each.position), places

    def _shards(self) -> list[dict[str, Any]]:
        shards: list[dict[str, Any]] = []
        request: dict[str, Any] = {"StreamName": self._stream}
        while True:
            page = self._call("list the shards", self._client.list_shards, request)
            shards += page["Shards"]
            if not page.get("NextToken"):
                return shards
            request = {"NextToken": page["NextToken"]}

    def _records(self, shard_id: str, from_s: float | None) -> Iterator[dict[str, Any]]:
        """Yield a shard's records that arrived from then on, until the end that it had when this was called."""
        place: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if from_s is not None:
            place = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": min(max(from_s, 0.0), self._clock_s() - 1.0)}
        request = {"StreamName": self._stream, "ShardId": shard_id, **place}
        answer = self._call(f"find a place in {shard_id}", self._client.get_shard_iterator, request)
        iterator, began_s, read = answer["ShardIterator"], self._clock_s(), 0
        while iterator is not None:
            request = {"ShardIterator": iterator, "Limit": RECORDS_PER_READ}
            answer = self._call(f"read {shard_id}", self._client.get_records, request)
            for record in answer["Records"]:
                if record["ApproximateArrivalTimestamp"].timestamp() > began_s + BEFORE_S:
                    return
                self.records += 1
                read += 1
                yield record
            if read >= RECORDS_MAX:
                self.is_whole = False
                return
            if not answer["Records"] and not answer.get("MillisBehindLatest", 0):
                return
            iterator = answer.get("NextShardIterator")

    def _call(self, action: str, operation: Callable[..., Any], request: dict[str, Any]) -> dict[str, Any]:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                return cast("dict[str, Any]", operation(**request))
            except (ClientError, BotoCoreError) as error:
                fault = translated(error, f"{action} of stream {self._stream}")
                if not isinstance(fault, TransientError) or attempt == ATTEMPTS_MAX:
                    raise fault from error
            self._sleep(PAUSE_S * attempt)
        raise AssertionError("the loop returns or raises")


def _hash_of(golden_id: str) -> int:
    return int(hashlib.md5(golden_id.encode(), usedforsecurity=False).hexdigest(), 16)


def _place(shard_id: str, record: dict[str, Any], *, is_wave: bool) -> FeedPlace:
    arrived_us = round(record["ApproximateArrivalTimestamp"].timestamp() * 1_000) * 1_000
    return FeedPlace(shard_id, record["SequenceNumber"], arrived_us, is_wave)


def _told_of(
    raw: bytes, domain: str, ref: str, golden_ids: set[str], follow: Callable[[ClaimCheck], FeedEnvelope]
) -> ToldChange | None:
    """Return what a message says, if it is a change that names the record, or of a golden record that another named."""
    try:
        message = parse_message(raw)
        if isinstance(message, ClaimCheck):
            message = follow(message)
    except (LaterTypeError, RejectedEventError):
        return None
    told = message.data
    if isinstance(told, RecordErased) and told.domain == domain and make_ref(told.source, told.record_id) == ref:
        return ToldChange(told.golden_id, told.epoch, told.sequence, "erased", committed_us(told))
    if not isinstance(told, GoldenChange) or told.domain != domain:
        return None
    change = told_change(
        told.model_dump(include={"members", "removed", "provenance", "anchor", "values"}),
        golden_id=told.golden_id,
        position=(told.epoch, told.sequence),
        status="live" if message.type == UPSERTED else "retired",
        merged_into=told.merged_into or "",
        committed_us=committed_us(told),
        applied_us=None,
    )
    named = ref in change.members or ref in change.removed or change.anchor == ref
    return change if named or not golden_ids.isdisjoint((change.golden_id, change.merged_into)) else None
