"""How far the resolve consumers have come in each shard, kept in Redis for people to see; nothing rests on it.

Lambda keeps its checkpoints to itself. One hash a namespace has what the consumers did last: ``events`` (how many
records were done, ever), and by ``stream/shard`` the last record done, its arrival, and when it was done.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import redis

from mdm_stream.decode import Delivery
from mdm_stream.errors import MdmError
from mdm_stream.index.redis.scripts import translated

_EVENTS = "events"


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """The last record of a shard that is done, when it arrived, and when it was done."""

    sequence_number: str
    arrival_time_us: int
    done_us: int


@dataclass(frozen=True, slots=True)
class ConsumerProgress:
    """What all consumers of a namespace have done: records, ever, and how far by ``stream/shard``."""

    events: int
    shards: dict[str, ShardProgress]


def _key(namespace: str) -> str:
    return f"mdm:{{{namespace}:}}:progress"


def note_progress(
    client: redis.Redis | redis.RedisCluster, namespace: str, done: Sequence[Delivery], now_us: int
) -> None:
    """Note records of the stream as done, in the order in which they lay there. A Redis that fails stops nothing."""
    last = {record.shard: record for record in done if record.shard}
    if not last:
        return
    fields: dict[Any, Any] = {
        shard: f"{record.origin.rpartition(':')[2]} {record.arrival_time_us} {now_us}" for shard, record in last.items()
    }
    with suppress(MdmError), translated():
        client.hset(_key(namespace), mapping=fields)
        client.hincrby(_key(namespace), _EVENTS, len(done))


def read_progress(client: redis.Redis | redis.RedisCluster, namespace: str) -> ConsumerProgress:
    """Return what was noted; nothing before the first batch."""
    with translated():
        held: Any = client.hgetall(_key(namespace))
    fields = {name.decode(): value.decode() for name, value in held.items()}
    events = int(fields.pop(_EVENTS, 0))
    shards = {}
    for shard, text in fields.items():
        sequence_number, arrival_us, done_us = text.split(" ")
        shards[shard] = ShardProgress(sequence_number, int(arrival_us), int(done_us))
    return ConsumerProgress(events, shards)
