"""What an epoch of an index holds, key by key, without its stamps: equal for two indexes of one state."""

from __future__ import annotations

from typing import Any

import orjson
import redis

from mdm_stream.index.redis.codec import STAMP_LENGTH, decode_block
from mdm_stream.index.redis.epochs import epoch_prefix

_STAMPED = ("block", "comp", "es")
_JSON = ("review",)
_TIMED = ("since",)
"""Whose scores are when something was seen: information, not state. An epoch that catches up with several commits at a
time does not see that a question was answered and asked anew between two of them, and keeps its first time."""


def index_content(client: redis.Redis, namespace: str, domain: str, epoch: int) -> dict[str, Any]:
    """Return, by key, all but what says how an epoch came about (``meta``, ``out``)."""
    prefix = epoch_prefix(namespace, domain, epoch)
    found: dict[str, Any] = {}
    for key in client.scan_iter("*"):
        name = key.decode().removeprefix(prefix)
        if name == key.decode() or name in ("meta", "out"):
            continue
        kind = client.type(key)
        if kind == b"set":
            found[name] = client.smembers(key)
        elif name in _TIMED:
            found[name] = set(client.zrange(key, 0, -1))
        elif kind == b"zset":
            found[name] = dict(client.zrange(key, 0, -1, withscores=True))
        else:
            found[name] = {field: _plain(name, value) for field, value in client.hgetall(key).items()}
    return found


def _plain(name: str, value: bytes) -> Any:
    if name == "block" and value[STAMP_LENGTH:] != b"suspended":
        return decode_block(value)[1]
    if name in _STAMPED:
        return value[STAMP_LENGTH:]
    return orjson.loads(value) if name in _JSON else value
