"""Pairs as distinct vectors of levels with counts: what expectation maximisation works on, not on pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mdm_stream.core.match.level_vectors import Levels

Counts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class VectorCounts:
    """Distinct ``(levels, keys)`` and how many pairs have them, in ascending order of the two.

    ``levels``: a row for each, a column for each comparison. ``keys``: bit ``k`` says that key expression ``k`` finds
    these pairs; 0 for pairs drawn at random.
    """

    levels: Levels
    keys: NDArray[np.uint64]
    counts: Counts

    @property
    def pairs(self) -> float:
        """How many pairs there are."""
        return float(self.counts.sum())


def level_counts(levels: Levels, keys: NDArray[np.uint64] | None = None) -> VectorCounts:
    """Count the distinct vectors of pairs: ``levels`` has a row a pair. The order of the pairs changes nothing."""
    masks = np.zeros(len(levels), np.uint64) if keys is None else keys
    width = levels.shape[1]
    # One row of bytes a pair, big-endian, so that sorting rows of bytes is sorting by levels and then by keys.
    rows = np.empty((len(levels), width + 8), np.uint8)
    rows[:, :width] = levels.view(np.uint8)
    rows[:, width:] = masks.astype(">u8").view(np.uint8).reshape(len(levels), 8)
    packed = np.ascontiguousarray(rows).view(np.dtype((np.void, width + 8))).ravel()
    distinct, counts = np.unique(packed, return_counts=True)
    unpacked = distinct.view(np.uint8).reshape(len(distinct), width + 8)
    found = np.ascontiguousarray(unpacked[:, width:]).view(">u8").ravel().astype(np.uint64)
    return VectorCounts(unpacked[:, :width].view(np.int8).copy(), found, counts.astype(np.float64))
