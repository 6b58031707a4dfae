"""What is learned from, and what the rules say of each comparison before anything is learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mdm_stream.train.vectors import Counts, VectorCounts

WRITTEN_BITS_APART_MAX = 5.0
"""No weight moves further from the written one. Things that are related (sites of a group, a household) agree far more
often than chance has it, and without labels they cannot be told from one thing but by what the author knew of it."""


@dataclass(frozen=True, slots=True)
class KeptLevel:
    """What a level that takes back is about, by the places of comparisons with weights of their own.

    ``beside`` are those that read what it asks for, ``opposed`` those that read what its comparison is of, by which it
    tells two things apart. ``found`` says that a blocking key finds each pair of related things that is at it.
    """

    beside: tuple[int, ...] = ()
    opposed: tuple[int, ...] = ()
    found: bool = False


@dataclass(frozen=True, slots=True)
class GradedComparison:
    """What is known of a comparison before learning.

    ``written`` are the weights of its levels in the rules. ``missing`` says which levels stand for missing values:
    these keep their weights. A ``kept`` comparison takes back what others count twice, and keeps all of its weights but
    for what these rise by; ``about`` says of each of its levels which others that is. So does a level of another
    comparison that speaks against a match more than its last one does, because of what others agree on (a namesake of
    another birth date, in one home). ``apart`` has the bits of the key expressions that read none of its attributes; 0
    if there are none.
    """

    name: str
    written: Counts
    missing: NDArray[np.bool_]
    kept: bool
    apart: int
    about: tuple[KeptLevel, ...] = ()

    def taken_back(self, level: int) -> float:
        """Return how many bits, 0 or less, a level takes back of what others agree on, as it is written."""
        if level >= len(self.about) or not self.about[level].beside:
            return 0.0
        return min(0.0, float(self.written[level] - (0.0 if self.kept else self.written[-1])))


@dataclass(frozen=True, slots=True)
class TrainingEvidence:
    """What is learned from: candidate pairs, pairs drawn at random, and how many pairs there are at all.

    ``share`` of the candidates were drawn. ``apart_keys``: of each key expression, the bits of those that read none of
    its attributes. Where none of the candidates may be used for a comparison, all of them are.
    """

    comparisons: tuple[GradedComparison, ...]
    candidates: VectorCounts
    random: VectorCounts
    pairs_in_all: float
    share: float
    apart_keys: tuple[int, ...]
