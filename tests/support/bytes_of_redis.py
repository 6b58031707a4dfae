"""Every key of a Redis with all that it holds, as bytes: for finding what should not be there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def keys_with_content(client: Any) -> Iterator[tuple[bytes, bytes]]:
    """Yield each key and its content, whatever its type; the client answers in bytes."""
    for key in client.scan_iter(count=1_000):
        reads: Mapping[bytes, Any] = {
            b"string": client.get,
            b"hash": client.hgetall,
            b"set": client.smembers,
            b"zset": lambda name: client.zrange(name, 0, -1),
            b"list": lambda name: client.lrange(name, 0, -1),
            b"stream": client.xrange,
        }
        yield key, _flat(reads[client.type(key)](key))


def _flat(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        return b" ".join(_flat(each) for pair in value.items() for each in pair)
    return b" ".join(map(_flat, value)) if isinstance(value, list | tuple | set) else str(value).encode()
