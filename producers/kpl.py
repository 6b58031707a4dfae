"""Several events in one record of the stream, as the Kinesis Producer Library aggregates them. Pure.

The order of each key is kept without asking which shards there are. The range of hash keys that Kinesis divides among
the shards is cut into slices here, and every event belongs to the slice that its partition key's hash lies in. All
records of a slice have one partition key and one explicit hash key, the slice's first: so they lie in one shard, one
after the other, and an event source that reads a shard in parallel keeps them in order, too. As long as no boundary of
a shard cuts a slice (they do not where a power of two of even shards meets one of slices), that is the shard in which
the event would lie by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from mdm_stream.contracts.kpl import UserRecord, aggregate_of

SLICES_MAX = 1_024
_HASH_BITS = 128


def slice_of(partition_key: str, slices: int) -> int:
    """Return the slice that a partition key's hash lies in, from 0 on: Kinesis hashes keys by MD5."""
    digest = hashlib.md5(partition_key.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest, "big") * slices >> _HASH_BITS


def slice_key(number: int, slices: int) -> str:
    """Return the partition key of a slice's records."""
    return f"slice-{number}-of-{slices}"


def slice_hash_key(number: int, slices: int) -> str:
    """Return the explicit hash key of a slice's records: the first that lies in it."""
    return str(-(-(number << _HASH_BITS) // slices))


def aggregate(events: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the aggregate of events, each with its partition key, in their order."""
    return aggregate_of([UserRecord(data, key) for key, data in events])
