"""The level of every comparison for many pairs: what a model is learned from.

The bulk scorer drops a pair as soon as it cannot come to a review; a model has to see the others too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mdm_stream.core.match.pair_chunk import PairChunk
from mdm_stream.core.model import MatchValues
from mdm_stream.core.ruleset import Comparison

VECTOR_PAIRS_MAX = 262_144
"""The most pairs evaluated at once. It bounds memory and never changes a result."""

Levels = NDArray[np.int8]


def level_vectors(
    comparisons: Sequence[Comparison],
    records: Sequence[MatchValues],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
) -> Levels:
    """Return the level of each pair (rows) in each comparison (columns), as ``compare.level_of`` gives it.

    ``left`` and ``right`` are indexes into ``records``, equally long. ``ValueError`` for a comparison without ``else``.
    """
    found = np.full((len(left), len(comparisons)), -1, np.int8)
    for start in range(0, len(left), VECTOR_PAIRS_MAX):
        part = slice(start, start + VECTOR_PAIRS_MAX)
        chunk = PairChunk(records, left[part], right[part])
        for column, comparison in enumerate(comparisons):
            found[part, column] = _levels_in(chunk, comparison)
    return found


def _levels_in(chunk: PairChunk, comparison: Comparison) -> Levels:
    row = np.full(chunk.size, -1, np.int8)
    where = np.arange(chunk.size)
    for index, level in enumerate(comparison.levels):
        if not len(where):
            break
        row[chunk.settle(level.when, where)] = index
        where = where[row[where] < 0]
    if len(where):
        raise ValueError(f"comparison {comparison.name!r} has no level that applies; its last must be 'else'")
    return row
