"""The blocks of records that fit in this process, as arrays: sizes, candidate pairs, and which keys find them.

A row for each record and key: the key as a 64-bit digest, and the place of its record; 12 bytes each, so that a million
records of fifteen keys take 180 MB. Two keys with one digest would count as one: among 15 million keys that is expected
of 10^-5 pairs.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from mdm_stream.core.blocking.limits import expression_limit, tag_of
from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.core.ruleset import Ruleset

Ints = NDArray[np.int64]

_DIGEST_BYTES = 8


def _digest_of(key: str) -> int:
    return int(digest_of_bytes(key.encode("utf-8", "surrogatepass"), _DIGEST_BYTES), 16)


class KeyBlocks:
    """The blocks of one key expression. ``sizes``: how many records share each key; ``open``: it makes candidates."""

    def __init__(self, digests: NDArray[np.uint64], rows: NDArray[np.uint32], limit: int) -> None:
        """Take a row for each record and key: the key's digest, and the place of its record."""
        order = np.argsort(digests, kind="stable")
        ordered = digests[order]
        first = np.ones(len(order), np.bool_)
        first[1:] = ordered[1:] != ordered[:-1]
        self._starts = np.nonzero(first)[0]
        self._digests = ordered[first]
        self._rows = rows[order]
        self.sizes = np.diff(np.append(self._starts, len(order)))
        self.open = self.sizes <= limit

    def members(self, block: int) -> Ints:
        """Return the records of one block, by their places, ascending."""
        start = int(self._starts[block])
        return self._rows[start : start + int(self.sizes[block])].astype(np.int64)

    def key(self, block: int, keys: Sequence[Sequence[str]]) -> str:
        """Return the key of one block; ``keys`` has those of each record, by its place."""
        digest = int(self._digests[block])
        return next(key for key in keys[int(self._rows[self._starts[block]])] if _digest_of(key) == digest)

    def pairs(self, records: int) -> Ints:
        """Return the distinct pairs of its open blocks, as ``left * records + right`` with left < right, ascending."""
        found = [np.empty(0, np.int64)]
        own = self.open & (self.sizes > 1)
        for size in np.unique(self.sizes[own]).tolist():
            firsts = self._starts[own & (self.sizes == size)]
            rows = self._rows[firsts[:, None] + np.arange(size)].astype(np.int64)
            one, other = np.triu_indices(size, 1)
            found.append((rows[:, one] * records + rows[:, other]).ravel())
        return np.unique(np.concatenate(found))


class BlockTable:
    """Keys of records, added in the order of their places. ``records``: how many were added."""

    def __init__(self, rules: Ruleset) -> None:
        self.records = 0
        self._limits = [expression_limit(rules, each) for each in rules.blocking]
        self._places = {each.tag: place for place, each in enumerate(rules.blocking)}
        self._digests = [array("Q") for _ in self._limits]
        self._rows = [array("I") for _ in self._limits]

    def add(self, keys: Iterable[str]) -> None:
        """Add the next record by its blocking keys."""
        for key in keys:
            place = self._places[tag_of(key)]
            self._digests[place].append(_digest_of(key))
            self._rows[place].append(self.records)
        self.records += 1

    def rows_of(self, place: int) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
        """Return digests and records of the keys of the expression at a place."""
        return np.array(self._digests[place], np.uint64), np.array(self._rows[place], np.uint32)

    def blocks(self) -> list[KeyBlocks]:
        """Return the blocks of each expression, in the order of the rules."""
        return [KeyBlocks(*self.rows_of(place), limit) for place, limit in enumerate(self._limits)]


def candidate_pairs(blocks: Sequence[KeyBlocks], records: int) -> tuple[Ints, NDArray[np.uint64]]:
    """Return all candidate pairs, ascending, and of each the expressions that find it: a bit for each, by its place."""
    by_key = [each.pairs(records) for each in blocks]
    pairs = np.unique(np.concatenate([np.empty(0, np.int64), *by_key]))
    finders = np.zeros(len(pairs), np.uint64)
    for place, own in enumerate(by_key):
        finders[np.searchsorted(pairs, own)] |= np.uint64(1 << place)
    return pairs, finders


def pairs_in_closed(blocks: Sequence[KeyBlocks]) -> int:
    """Return how many pairs share a closed key, counted in each such key."""
    return sum(int((each.sizes * (each.sizes - 1) // 2)[~each.open].sum()) for each in blocks)


def sampled_closed_pairs(blocks: Sequence[KeyBlocks], records: int, count: int, seed: int = 0) -> Ints:
    """Return random pairs of closed keys, with repetition, each as likely as any other; the same for one seed."""
    chance = np.random.default_rng(seed)
    closed = [(place, block) for place, each in enumerate(blocks) for block in np.nonzero(~each.open)[0].tolist()]
    sizes = np.array([blocks[place].sizes[block] for place, block in closed], np.float64)
    weights = sizes * (sizes - 1)
    found = []
    for drawn in chance.choice(len(closed), size=count, p=weights / weights.sum()).tolist():
        place, block = closed[drawn]
        left, right = sorted(chance.choice(blocks[place].members(block), size=2, replace=False).tolist())
        found.append(left * records + right)
    return np.array(found, np.int64)
