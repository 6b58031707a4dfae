"""Everything that Redis holds of a domain, item by item, of whatever epoch: for proving that something is gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import redis

from mdm_stream.errors import TerminalError
from mdm_stream.index.redis.epochs import domain_prefix
from mdm_stream.index.redis.scripts import translated

_COUNT = 1000
"""Keys that one call of a scan looks at."""

_ITEMS = 100
"""Items of a key that are read at once: a record may have a million bytes."""

_ENTRIES = 10
"""Entries of an outbox that are read at once: the golden change in one may have many."""


@dataclass(frozen=True, slots=True)
class StoredItem:
    """One item of one key: a hash's field and value, a set's member, a stream's entry.

    ``key`` is the key's name without the prefix of its epoch (see ``redis.index``); of the root key, ``root`` in epoch
    0. ``field`` is the field, the member, or the entry's id; ``value`` the bytes that belong to it, if there are any.
    """

    epoch: int
    key: str
    field: str
    value: bytes


def each_item(client: redis.Redis | redis.RedisCluster, namespace: str, domain: str) -> Iterator[StoredItem]:
    """Yield every item of every key of a domain, in no order; what is written meanwhile may be left out or come twice.

    Scans the whole Redis: for people's rare questions. ``TerminalError`` for a key of a type that no index has.
    """
    prefix = domain_prefix(namespace, domain)
    with translated():
        names: Any = client.scan_iter(match=_pattern(prefix), count=_COUNT)
        for name in names:
            epoch, _, key = name.decode().removeprefix(prefix).partition(":")
            place = (int(epoch), key) if epoch.isdecimal() else (0, epoch)
            for field, value in _items(client, name):
                yield StoredItem(*place, field, value)


def _items(client: Any, name: bytes) -> Iterator[tuple[str, bytes]]:
    kind = client.type(name).decode()
    if kind == "hash":
        for field, value in client.hscan_iter(name, count=_ITEMS):
            yield field.decode(), value
    elif kind == "set":
        for member in client.sscan_iter(name, count=_ITEMS):
            yield member.decode(), b""
    elif kind == "zset":
        for member, score in client.zscan_iter(name, count=_ITEMS):
            yield member.decode(), str(score).encode()
    elif kind == "stream":
        yield from _entries(client, name)
    elif kind != "none":  # "none": gone since it was listed
        raise TerminalError(f"Redis holds a key of type {kind} under an index's name; whose is it? remove or rename it")


def _entries(client: Any, name: bytes) -> Iterator[tuple[str, bytes]]:
    after = b"-"
    while entries := client.xrange(name, min=after, count=_ENTRIES):
        for entry_id, fields in entries:
            yield entry_id.decode(), fields.get(b"c", b"")
        after = b"(" + entries[-1][0]


def _pattern(prefix: str) -> str:
    return "".join(f"\\{character}" if character in "*?[]\\" else character for character in prefix) + "*"
