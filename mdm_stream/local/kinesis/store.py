"""The streams behind the local Kinesis API: moto's state, kept in step with the journal.

Sequence numbers and arrival times after a restart are those from before, so consumers' checkpoints stay valid.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from moto.kinesis.models import KinesisBackend, Record, Stream, kinesis_backends
from moto.kinesis.utils import compose_shard_iterator, decompose_shard_iterator

from mdm_stream.aws.loopback import ACCOUNT_ID, REGION
from mdm_stream.errors import ConfigurationError
from mdm_stream.local.kinesis.journal import Journal, JournalEntry
from mdm_stream.local.kinesis.shard import OrderedShard, install_in_moto

RESTART_GAP = 1_000_000
"""Numbers left out at each start. A power cut can lose the journal's last second after consumers have checkpointed
past it; a number that might have been seen must not be given to another record."""

_REWRITE_DROPPED_MIN = 10_000
"""A trim rewrites the journal once this many records, and at least as many as are left, are gone from the streams."""


class KinesisStore:
    """Journalled streams. ``writing`` is held by whoever changes them; readers need no lock."""

    def __init__(self, journal_folder: Path | None) -> None:
        """Load what the journal holds; without a folder the streams live and die with the process."""
        install_in_moto()
        self.writing = threading.Lock()
        self._backend: KinesisBackend = kinesis_backends[ACCOUNT_ID][REGION]
        self._journal = None if journal_folder is None else Journal(journal_folder / "journal.jsonl")
        self._dropped = 0
        if self._journal is not None:
            for entry in self._journal.entries():
                self._replay(entry)
            self._leave_gap(self._journal)

    def close(self) -> None:
        """Sync and close the journal."""
        if self._journal is not None:
            self._journal.close()

    def created(self, stream: str) -> None:
        """Journal a stream that moto has made."""
        self._append([{"op": "create", "stream": stream, "shards": len(self._backend.streams[stream].shards)}])

    def deleted(self, stream: str) -> None:
        """Journal that a stream is gone."""
        self._append([{"op": "delete", "stream": stream}])

    def accepted(self, stream: str) -> None:
        """Journal the records that moto has stored since the last time, then show them to readers."""
        shards = [self._shard(stream, shard_id) for shard_id in self._backend.streams[stream].shards]
        self._append([_put_entry(stream, s.shard_id, record) for s in shards for record in s.unpublished()])
        for shard in shards:
            shard.publish()

    def read(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the answer to a GetRecords request in its wire form, or None if there is no such stream or shard."""
        try:
            stream_name, shard_id, after = decompose_shard_iterator(request["ShardIterator"])
            shard = self._shard(stream_name, shard_id)
        except (KeyError, ValueError):
            return None
        records, last, behind_ms = shard.get_records(after, request.get("Limit"))
        return {
            "Records": [
                {
                    "Data": record.data,
                    "PartitionKey": record.partition_key,
                    "SequenceNumber": str(record.sequence_number),
                    "ApproximateArrivalTimestamp": record.created_at,
                }
                for record in records
            ],
            "NextShardIterator": compose_shard_iterator(stream_name, shard, last),
            "MillisBehindLatest": behind_ms,
        }

    def trim(self, stream: str, through: Mapping[str, int], keep_records: int, *, on_disk: bool) -> int:
        """Forget records up to a sequence number a shard, but the newest ``keep_records`` of each; return how many.

        With ``on_disk`` the journal is written anew at once, without anything that was ever trimmed.
        """
        known = self._backend.streams.get(stream)
        if known is None:
            return 0
        with self.writing:
            dropped = sum(
                known.shards[shard_id].trim(number, keep_records)  # type: ignore[attr-defined]
                for shard_id, number in through.items()
                if shard_id in known.shards
            )
            self._dropped += dropped
            left = sum(len(shard.records) for _, shard in self._shards())
            worth_it = self._dropped >= (1 if on_disk else max(_REWRITE_DROPPED_MIN, left))
            if self._journal is not None and worth_it:
                self._journal.rewrite(self._snapshot())
                self._dropped = 0
        return dropped

    def _append(self, entries: list[JournalEntry]) -> None:
        if self._journal is not None:
            self._journal.append(entries)

    def _leave_gap(self, journal: Journal) -> None:
        used = [(stream, shard) for stream, shard in self._shards() if shard.get_max_sequence_number()]
        for _, shard in used:
            shard.skip_to(shard.get_max_sequence_number() + RESTART_GAP)
            shard.publish()
        # On disk before the first new number is given away, or the next start would leave the same gap again.
        journal.append([_last_entry(stream.stream_name, shard) for stream, shard in used])
        journal.sync()

    def _replay(self, entry: JournalEntry) -> None:
        match entry:
            case {"op": "create", "stream": name, "shards": count}:
                self._backend.create_stream(name, count)
            case {"op": "delete", "stream": name}:
                self._backend.delete_stream(None, name)
            case {"op": "put", "stream": name, "shard": shard_id, "sequence": sequence}:
                shard = self._shard(name, shard_id)
                shard.restore(sequence, entry["key"], entry["data"], entry["hash_key"], entry["arrived_us"])
                shard.publish()
            case {"op": "last", "stream": name, "shard": shard_id, "sequence": sequence}:
                self._shard(name, shard_id).skip_to(sequence)
                self._shard(name, shard_id).publish()
            case _:
                raise ConfigurationError("the journal holds an entry of a newer version: start with that version")

    def _shard(self, stream: str, shard_id: str) -> OrderedShard:
        shard = self._backend.streams[stream].shards[shard_id]
        assert isinstance(shard, OrderedShard)
        return shard

    def _shards(self) -> Iterator[tuple[Stream, OrderedShard]]:
        for stream in self._backend.streams.values():
            for shard_id in stream.shards:
                yield stream, self._shard(stream.stream_name, shard_id)

    def _snapshot(self) -> Iterator[JournalEntry]:
        for stream in self._backend.streams.values():
            yield {"op": "create", "stream": stream.stream_name, "shards": len(stream.shards)}
        for stream, shard in self._shards():
            for record in shard.records.values():
                yield _put_entry(stream.stream_name, shard.shard_id, record)
            yield _last_entry(stream.stream_name, shard)


def _last_entry(stream: str, shard: OrderedShard) -> JournalEntry:
    return {"op": "last", "stream": stream, "shard": shard.shard_id, "sequence": shard.get_max_sequence_number()}


def _put_entry(stream: str, shard_id: str, record: Record) -> JournalEntry:
    return {
        "op": "put",
        "stream": stream,
        "shard": shard_id,
        "sequence": record.sequence_number,
        "key": record.partition_key,
        "data": record.data,
        "hash_key": record.explicit_hash_key or None,
        "arrived_us": round(record.created_at * 1_000_000),
    }
