"""The blocks of records that fit in this process, as arrays: sizes, candidate pairs, and which keys find them.

A row for each record and key: the key as a 64-bit digest, the place of its expression, the place of its record; 13
bytes each, so that a million records of fifteen keys take 200 MB. Two keys with one digest would count as one: among
15 million that is expected of 10^-5 pairs of keys.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mdm_stream.core.blocking.limits import expression_limit, tag_of
from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.core.ruleset import Ruleset

Ints = NDArray[np.int64]

_DIGEST_BYTES = 8


class BlockTable:
    """Keys of records, added in the order of their places; then their blocks.

    ``records`` is how many were added. Expressions are named by their place among those of the rules.
    """

    def __init__(self, rules: Ruleset) -> None:
        self.records = 0
        self.limits = np.array([expression_limit(rules, each) for each in rules.blocking], np.int64)
        self._places = {each.tag: place for place, each in enumerate(rules.blocking)}
        self._digests, self._tags, self._rows = array("Q"), array("B"), array("I")

    def add(self, keys: Iterable[str]) -> None:
        """Add the next record by its blocking keys."""
        for key in keys:
            digest = digest_of_bytes(key.encode("utf-8", "surrogatepass"), _DIGEST_BYTES)
            self._digests.append(int(digest, 16))
            self._tags.append(self._places[tag_of(key)])
            self._rows.append(self.records)
        self.records += 1

    def blocks(self) -> Blocks:
        """Return the blocks of all that was added."""
        digests = np.frombuffer(self._digests, np.uint64) if self._digests else np.empty(0, np.uint64)
        order = np.argsort(digests, kind="stable")
        tags = np.frombuffer(self._tags, np.uint8)[order] if self._tags else np.empty(0, np.uint8)
        rows = np.frombuffer(self._rows, np.uint32)[order] if self._rows else np.empty(0, np.uint32)
        sorted_digests = digests[order]
        starts = np.nonzero(np.r_[True, sorted_digests[1:] != sorted_digests[:-1]])[0] if len(rows) else order[:0]
        return Blocks(self.records, self.limits, tags[starts].astype(np.int64), starts.astype(np.int64), rows)


class Blocks:
    """Blocks of keys. ``tags``: the place of each key's expression; ``sizes``: how many records share it."""

    def __init__(self, records: int, limits: Ints, tags: Ints, starts: Ints, members: NDArray[np.uint32]) -> None:
        self.records = records
        self.limits = limits
        self.tags = tags
        self.sizes = np.diff(np.r_[starts, len(members)])
        self.open = self.sizes <= limits[tags]
        self._starts = starts
        self._members = members

    def members(self, block: int) -> Ints:
        """Return the records of one block."""
        start = int(self._starts[block])
        return self._members[start : start + int(self.sizes[block])].astype(np.int64)

    def pairs_of(self, tag: int) -> Ints:
        """Return the distinct pairs that an expression finds, as ``left * records + right`` with left < right."""
        found = [np.empty(0, np.int64)]
        own = (self.tags == tag) & self.open & (self.sizes > 1)
        for size in np.unique(self.sizes[own]).tolist():
            firsts = self._starts[own & (self.sizes == size)]
            rows = np.sort(self._members[firsts[:, None] + np.arange(size)].astype(np.int64), axis=1)
            one, other = np.triu_indices(size, 1)
            found.append((rows[:, one] * self.records + rows[:, other]).ravel())
        return np.unique(np.concatenate(found))

    def pairs(self) -> tuple[Ints, NDArray[np.uint64]]:
        """Return all candidate pairs, and of each the expressions that find it: a bit for each, by its place."""
        by_tag = [self.pairs_of(tag) for tag in range(len(self.limits))]
        pairs = np.unique(np.concatenate([np.empty(0, np.int64), *by_tag]))
        finders = np.zeros(len(pairs), np.uint64)
        for tag, own in enumerate(by_tag):
            finders[np.searchsorted(pairs, own)] |= np.uint64(1 << tag)
        return pairs, finders

    def sampled_pairs(self, blocks: Sequence[int] | Ints, count: int, seed: int = 0) -> Ints:
        """Return ``count`` random pairs of the given blocks, each as likely as any other; the same for one seed."""
        chance = np.random.default_rng(seed)
        chosen = np.asarray(blocks, np.int64)
        sizes = self.sizes[chosen]
        weights = sizes * (sizes - 1) / 2
        drawn = chance.choice(chosen, size=count, p=weights / weights.sum())
        return np.array(list(self._one_pair_each(drawn, chance)), np.int64)

    def _one_pair_each(self, blocks: Ints, chance: np.random.Generator) -> Iterator[int]:
        for block in blocks.tolist():
            left, right = sorted(chance.choice(self.members(block), size=2, replace=False).tolist())
            yield left * self.records + right
