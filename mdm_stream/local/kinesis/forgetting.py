"""What a local stack can do that AWS cannot: forget records of its streams, and write its servers' files anew.

For the erasure of personal values. Works beside a running stack, in another process.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import redis
from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.loopback import LoopbackKeys
from mdm_stream.erasure.needles import Needles
from mdm_stream.errors import TransientError
from mdm_stream.local.event_source.checkpoints import SHARD_END, read_positions
from mdm_stream.local.kinesis.server import trim_stream

CHECKPOINT_FOLDER, REDIS_FOLDER, LOG_FOLDER = "checkpoints", "redis", "logs"
JOURNAL = "kinesis/journal.jsonl"

REWRITE_TIMEOUT_S = 120.0
"""Redis writes a few hundred megabytes a second; an index on one machine is smaller than ten gigabytes."""

_POLL_INTERVAL_S = 0.05


class LocalTraces:
    """The traces that values leave on this machine beside the stores: streams, the file of Redis, logs."""

    def __init__(
        self,
        state_dir: Path,
        endpoint: tuple[str, LoopbackKeys],
        streams: Sequence[str],
        kinesis: Any,
        client: redis.Redis,
    ) -> None:
        """Take the stack's folder, its Kinesis API (address, keys, streams and a client), and a client of Redis."""
        self._state_dir = state_dir
        self._endpoint = endpoint
        self._streams = tuple(streams)
        self._kinesis = kinesis
        self._client = client

    def consumers_are_past(self, time_us: int) -> bool:
        """Tell whether every consumer has done all that arrived on its stream until then."""
        try:
            return all(
                self._first_arrival_us(stream, shard_id, position) > time_us
                for stream in self._streams
                for positions in self._positions(stream)
                for shard_id in self._shard_ids(stream)
                if (position := positions.get(shard_id)) != SHARD_END
            )
        except (ClientError, BotoCoreError) as error:
            raise TransientError(f"the streams cannot be read: {type(error).__name__}") from error

    def trim_streams(self) -> int:
        """Forget all records that every consumer of their stream has done, on the disk too; return how many."""
        dropped = 0
        for stream in self._streams:
            positions = self._positions(stream)
            through = {
                shard_id: str(min(int(each[shard_id]) for each in positions))
                for shard_id in (positions[0] if positions else ())
                if all(each.get(shard_id, SHARD_END) != SHARD_END for each in positions)
            }
            dropped += trim_stream(*self._endpoint, stream, through, 0, on_disk=True)
        return dropped

    def rewrite_index_file(self) -> None:
        """Have Redis write its append-only file anew, and wait until the old one is gone from the disk.

        A rewrite that was under way is waited for first: it began before. ``TransientError`` if it fails or takes too
        long. Nothing is done where Redis keeps no such file.
        """
        try:
            if not self._client.info("persistence")["aof_enabled"]:
                return
            self._wait_for_rewrite()
            self._client.bgrewriteaof()
            self._wait_for_rewrite()
            if self._client.info("persistence")["aof_last_bgrewrite_status"] != "ok":
                raise TransientError("Redis could not write its append-only file anew; see its log")
        except redis.RedisError as error:
            raise TransientError(f"Redis does not write its file anew: {type(error).__name__}") from error
        self._wait(lambda: not any(self._superseded()), "Redis has not removed its old append-only file")

    def files_with(self, texts: Collection[str]) -> list[str]:
        """Return the names of files that hold one of the texts: Redis' own, the streams' journal, all processes' logs.

        Redis compresses what it writes anew, so none found is no proof; that it was written anew is.
        """
        needles = Needles(texts)
        folders = [self._state_dir / name for name in (REDIS_FOLDER, LOG_FOLDER)]
        files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
        found = [str(path.relative_to(self._state_dir)) for path in files if needles.in_file(path)]
        return [*found, JOURNAL] if _journal_holds(self._state_dir / JOURNAL, needles) else found

    def _positions(self, stream: str) -> list[dict[str, str]]:
        """Return where each consumer of a stream stands."""
        return [
            read_positions(path, stream)
            for path in sorted((self._state_dir / CHECKPOINT_FOLDER).glob(f"*@{stream}.json"))
        ]

    def _shard_ids(self, stream: str) -> list[str]:
        return [shard["ShardId"] for shard in self._kinesis.list_shards(StreamName=stream)["Shards"]]

    def _first_arrival_us(self, stream: str, shard_id: str, position: str | None) -> float:
        """Return when the first record behind a position arrived; infinity if there is none."""
        place: dict[str, str] = {"ShardIteratorType": "TRIM_HORIZON"}
        if position is not None:
            place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": position}
        iterator = self._kinesis.get_shard_iterator(StreamName=stream, ShardId=shard_id, **place)["ShardIterator"]
        records = self._kinesis.get_records(ShardIterator=iterator, Limit=1)["Records"]
        if not records:
            return float("inf")
        return float(records[0]["ApproximateArrivalTimestamp"].timestamp() * 1_000_000)

    def _wait_for_rewrite(self) -> None:
        def is_idle() -> bool:
            persistence = self._client.info("persistence")
            return not (persistence["aof_rewrite_in_progress"] or persistence["aof_rewrite_scheduled"])

        self._wait(is_idle, "Redis has not written its append-only file anew")

    def _superseded(self) -> Iterator[Path]:
        """Yield the files of Redis that its manifest does not name (any more)."""
        for manifest in (self._state_dir / REDIS_FOLDER).rglob("*.manifest"):
            named = {line.split()[1] for line in manifest.read_text("utf-8").splitlines() if line.startswith("file ")}
            yield from (path for path in manifest.parent.iterdir() if path != manifest and path.name not in named)

    @staticmethod
    def _wait(is_done: Any, complaint: str) -> None:
        deadline_s = time.monotonic() + REWRITE_TIMEOUT_S
        while not is_done():
            if time.monotonic() > deadline_s:
                raise TransientError(f"{complaint} within {REWRITE_TIMEOUT_S:g} s")
            time.sleep(_POLL_INTERVAL_S)


def _journal_holds(path: Path, needles: Needles) -> bool:
    """Tell whether a record in the journal holds one of the texts; it may be one that the streams have forgotten."""
    if not path.exists():
        return False
    with path.open("rb") as lines:
        for line in lines:
            with suppress(orjson.JSONDecodeError):  # a line that is being written
                data = base64.b64decode(orjson.loads(line).get("data", ""))
                if needles.plainly_in(data):
                    return True
    return False
