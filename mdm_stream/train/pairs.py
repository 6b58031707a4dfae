"""The pairs that a model is learned from: candidates with the keys that find each, and pairs drawn at random.

Records are numbered in the order of their references, and what is drawn hangs on those numbers and a seed alone. So the
same records and rules give the same pairs, in whatever order they were read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mdm_stream.core.blocking.limits import tag_of

CANDIDATES_MAX = 1_000_000
"""Candidate pairs that are learned from; of more an even share is drawn."""
RANDOM_PAIRS_MAX = 400_000
"""Pairs drawn at random. A level that one in 100,000 of them has is seen four times."""
EXPANDED_PAIRS_MAX = 4_000_000
"""Pairs of blocks that are listed at once. It bounds memory and never changes a result."""

Rows = NDArray[np.int64]
Masks = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True, slots=True)
class CandidatePairs:
    """Distinct pairs ``left < right`` of records, ascending. Bit ``k`` of ``keys``: expression ``k`` finds the pair.

    ``share`` of all pairs of blocks at work were kept.
    """

    left: Rows
    right: Rows
    keys: Masks
    share: float


def candidate_pairs(
    keys: Sequence[Sequence[str]],
    limits: Mapping[str, int],
    *,
    seed: int,
    pairs_max: int = CANDIDATES_MAX,
) -> CandidatePairs:
    """Return the pairs of records that share a key which is open.

    ``keys`` are those of each record; ``limits`` the records that a block may have by tag, of at most 64 expressions in
    their order.
    """
    bits = {tag: place for place, tag in enumerate(limits)}
    blocks: defaultdict[str, list[int]] = defaultdict(list)
    for row, own in enumerate(keys):
        for key in own:
            blocks[key].append(row)
    by_size: defaultdict[int, list[tuple[int, list[int]]]] = defaultdict(list)
    for key, rows in blocks.items():
        tag = tag_of(key)
        if 2 <= len(rows) <= limits[tag]:
            by_size[len(rows)].append((bits[tag], rows))
    total = sum(size * (size - 1) // 2 * len(each) for size, each in by_size.items())
    share = min(1.0, pairs_max / total) if total else 1.0
    found = [_kept(each, len(keys), share, seed) for each in by_size.values()]
    codes = np.concatenate([np.zeros(0, np.int64), *(codes for codes, _ in found)])
    masks = np.concatenate([np.zeros(0, np.uint64), *(masks for _, masks in found)])
    order = np.argsort(codes, kind="stable")
    codes, masks = codes[order], masks[order]
    first = np.flatnonzero(np.diff(codes, prepend=-1))
    if len(first):
        codes, masks = codes[first], np.bitwise_or.reduceat(masks, first)
    return CandidatePairs(codes // max(1, len(keys)), codes % max(1, len(keys)), masks, share)


def _kept(blocks: list[tuple[int, list[int]]], records: int, share: float, seed: int) -> tuple[Rows, Masks]:
    """Return the pairs, as codes, of blocks of one size that were drawn, each with the bit of its expression."""
    upper = np.triu_indices(len(blocks[0][1]), 1)
    at_once = max(1, EXPANDED_PAIRS_MAX // len(upper[0]))
    codes, masks = [], []
    for start in range(0, len(blocks), at_once):
        part = blocks[start : start + at_once]
        members = np.array([rows for _, rows in part], np.int64)
        found: Rows = (members[:, upper[0]] * records + members[:, upper[1]]).ravel()
        bits: Masks = np.repeat(np.uint64(1) << np.array([bit for bit, _ in part], np.uint64), len(upper[0]))
        if share < 1.0:
            drawn = mixed(found.astype(np.uint64), seed) < np.uint64(share * 2.0**64)
            found, bits = found[drawn], bits[drawn]
        codes.append(found)
        masks.append(bits)
    return np.concatenate(codes), np.concatenate(masks)


def random_pairs(records: int, *, seed: int, pairs_max: int = RANDOM_PAIRS_MAX) -> tuple[Rows, Rows]:
    """Return pairs of different records: all there are if they are few enough, else so many, drawn with replacement."""
    if records < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if records * (records - 1) // 2 <= pairs_max:
        upper = np.triu_indices(records, 1)
        return upper[0].astype(np.int64), upper[1].astype(np.int64)
    counter = np.arange(pairs_max, dtype=np.uint64)
    left = (mixed(counter * np.uint64(2), seed) % np.uint64(records)).astype(np.int64)
    step = (mixed(counter * np.uint64(2) + np.uint64(1), seed) % np.uint64(records - 1)).astype(np.int64) + 1
    return left, (left + step) % records


def mixed(numbers: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """Return evenly spread 64-bit numbers, one for each, the same in every release of numpy.

    The finaliser of SplitMix64 (Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, 2014).
    """
    with np.errstate(over="ignore"):
        state = (numbers + np.uint64(1)) * _GOLDEN + np.uint64(seed)
        state = (state ^ (state >> np.uint64(30))) * _FIRST
        state = (state ^ (state >> np.uint64(27))) * _SECOND
        return np.asarray(state ^ (state >> np.uint64(31)))
