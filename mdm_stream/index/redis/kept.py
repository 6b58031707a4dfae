"""The epoch before the live one, kept for going back to: its keys as they were when it was fenced.

It is *retired*: nobody can write to it, and readers do not see it. Its key ``kept`` is a hash: ``objects`` has the
names of the archive's objects whose rows are all in it, and ``exclusions`` the digest of what was taken out of it. So
it is F of these, under the rules of its ``meta``. Going back makes a new epoch of it (``copy.lua``), for readers take
greater epochs alone, and adds what was archived since.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import msgpack
import orjson
import redis

from mdm_stream.core.ruleset import Ruleset
from mdm_stream.index.redis.epochs import Epochs, domain_prefix, epoch_prefix
from mdm_stream.index.redis.open_epoch import OpenEpoch
from mdm_stream.index.redis.scripts import translated

_KEY = "kept"
_COUNT = 500
"""Entries of a key that one call copies."""

_SCANNED = 1_000
"""Keys that one call of a scan looks at."""

_LEFT = frozenset({"meta", "out", _KEY})
"""Keys that are an epoch's own."""

Entries = Callable[[int], None]
"""Called with how many entries have been copied so far."""


@dataclass(frozen=True, slots=True)
class KeptEpoch:
    """An epoch that is kept: of which rules, which objects of the archive are in it, and what was taken out of it."""

    epoch: int
    rules_digest: str
    objects: tuple[str, ...]
    exclusions_digest: str


def note_taken_out(client: redis.Redis, namespace: str, domain: str, epoch: int, exclusions_digest: str) -> None:
    """Note of an epoch that was begun what is taken out of it: whether it can be gone back to depends on that."""
    with translated():
        client.hset(epoch_prefix(namespace, domain, epoch) + "meta", "taken_out", exclusions_digest)


def keep(
    client: redis.Redis, namespace: str, domain: str, epoch: int, objects: Collection[str], nothing_out: str
) -> None:
    """Note of a fenced epoch what is in it. Before another one takes its place: it is not kept without that.

    ``nothing_out`` is the digest of no exclusion: of an epoch that consumers have made, none is noted.
    """
    prefix = epoch_prefix(namespace, domain, epoch)
    with translated():
        taken_out: Any = client.hget(prefix + "meta", "taken_out") or nothing_out
        content: Any = {"objects": orjson.dumps(sorted(objects)), "exclusions": taken_out}
        client.hset(prefix + _KEY, mapping=content)


def kept_epoch(client: redis.Redis, rules: Ruleset, namespace: str) -> KeptEpoch | None:
    """Return the epoch of a domain that is kept; ``None`` if there is none."""
    live = Epochs(client, rules, namespace).live()  # one before it: there are some tens in a domain's life
    base = domain_prefix(namespace, rules.domain)
    with translated():
        for number in range(live - 1, 0, -1):
            held: Any = client.hgetall(f"{base}{number}:{_KEY}")
            meta: list[Any] = client.hmget(f"{base}{number}:meta", ["rules", "state"])
            if held and meta[1] == b"retired":
                objects = tuple(orjson.loads(held[b"objects"]))
                return KeptEpoch(number, meta[0].decode(), objects, held[b"exclusions"].decode())
    return None


def drop_kept(client: redis.Redis, rules: Ruleset, namespace: str) -> int:
    """Delete the epoch that is kept, and what else is left of epochs that are neither live nor being built; return
    which one was kept (0: none was).
    """
    found = kept_epoch(client, rules, namespace)
    Epochs(client, rules, namespace).drop_past()
    return 0 if found is None else found.epoch


def copy_epoch(
    client: redis.Redis,
    rules: Ruleset,
    namespace: str,
    kept: KeptEpoch,
    epoch: int,
    on_copied: Entries = lambda _: None,
) -> int:
    """Copy what a kept epoch holds into one that is being built; return how many entries that were.

    In portions, so that nobody waits long for Redis. ``EpochChangedError`` where it may not be written any more.
    """
    target = OpenEpoch(client, rules, namespace, create=False, building=epoch)
    prefix = epoch_prefix(namespace, rules.domain, kept.epoch)
    pattern = "".join(f"\\{each}" if each in "*?[]\\" else each for each in prefix) + "*"
    copied = 0
    with translated():
        names: Any = client.scan_iter(pattern, count=_SCANNED)
        for name in names:
            key = name.decode().removeprefix(prefix)
            if key in _LEFT:
                continue
            cursor = b"0"
            while True:
                asked = msgpack.packb([str(kept.epoch), key, cursor.decode(), _COUNT])
                cursor, count = target.fenced_script("copy", asked)
                copied += count
                on_copied(copied)
                if cursor == b"0":
                    break
    target.fenced_script("copy", msgpack.packb([str(kept.epoch), "", "", 0]))
    return copied
