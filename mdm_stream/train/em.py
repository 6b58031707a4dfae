"""Expectation maximisation for Fellegi and Sunter's model, over distinct vectors of levels and their counts.

    E   of each vector the probability that its pairs are matches, from the prior and the weights of its levels
    M   of each level its weight, from how many matches (of candidate pairs) and non-matches (of pairs drawn at random)
        are at it; the prior, from how many matches there are among all pairs

(Winkler, *Using the EM algorithm for weight computation in the Fellegi-Sunter model of record linkage*, 1988.)

Three things keep the estimates those of all pairs, though only candidates are looked at:

* ``u`` is counted on pairs drawn at random, each weighted by the probability that it is no match.
* ``m`` of a comparison is counted on those candidates alone that a key finds which reads none of its attributes: among
  pairs that agree on a birth date because a key asked for it, birth dates say nothing about how often they agree.
* The prior is that of all pairs. Matches that no key finds are estimated by capture and recapture (Chapman, *Some
  properties of the hypergeometric distribution*, 1951) from keys that read different attributes.

A pair's own probability needs no such care: given its levels, it does not matter why the pair was looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from mdm_stream.core.match.level_vectors import Levels
from mdm_stream.train.related import TakenBack
from mdm_stream.train.training_evidence import WRITTEN_BITS_APART_MAX, GradedComparison, TrainingEvidence
from mdm_stream.train.vectors import Counts, VectorCounts
from mdm_stream.train.weights import LevelWeights, level_weights

ITERATIONS_MAX = 200
CONVERGED_BITS = 1e-3
"""When no weight moves by more, the estimates stand."""
PRIOR_MAX = 0.5
RECAPTURED_MIN = 7
"""Matches that two keys must both find before anything is said about those that neither does."""
COVERAGE_MIN = 0.2
"""Less than this share of the matches is never assumed to be found: an estimate that says so rests on little."""


@dataclass(frozen=True, slots=True)
class TrainingEstimate:
    """What was learned. ``weights`` by comparison and level; NaN for m and u of levels that keep their weight.

    ``matches`` are the expected matches among the candidates that were looked at, ``matches_in_all`` those among all
    pairs, ``written_matches`` those that the written weights expect among the candidates, ``used`` the expected matches
    that each comparison was learned from. ``probability`` is that of each vector of candidates.
    """

    prior: float
    weights: tuple[LevelWeights, ...]
    matches: float
    matches_in_all: float
    written_matches: float
    used: tuple[float, ...]
    probability: Counts
    iterations: int
    converged: bool


LearnedTables = Sequence[tuple[int, int, Counts]]
"""Corrections of two comparisons together: their places, and bits by the level of the one and of the other."""


def estimate(
    evidence: TrainingEvidence, prior: float, tables: LearnedTables = (), steps_max: int | None = None
) -> TrainingEstimate:
    """Return what expectation maximisation learns, beginning with the weights and the prior of the rules.

    ``tables`` are added to the weights and stay as they are; with ``steps_max`` 0 the weights are those written. Pure:
    the same evidence gives the same estimate.
    """
    weights = all_back = [_as_written(each) for each in evidence.comparisons]
    usable = [_usable(each, evidence.candidates) for each in evidence.comparisons]
    finder, back = _Finder(evidence), TakenBack(evidence)
    step, moved, written_matches = 0, float("inf"), 0.0
    while True:
        found = probabilities(evidence.candidates, prior, weights, tables)
        matches = found * evidence.candidates.counts
        apart = (1.0 - probabilities(evidence.random, prior, weights, tables)) * evidence.random.counts
        prior, in_all = finder.prior(matches)
        written_matches = written_matches if step else float(matches.sum())
        if moved <= CONVERGED_BITS or step >= (ITERATIONS_MAX if steps_max is None else steps_max):
            break
        new = [
            _learned(each, column, matches * mask, apart, evidence)
            for column, (each, mask) in enumerate(zip(evidence.comparisons, usable, strict=True))
        ]
        new, all_back = back.taken(new, 1.0 - probabilities(evidence.candidates, prior, all_back, tables))
        moved = max(
            (float(np.abs(a.bits - b.bits).max()) for a, b in zip(new, weights, strict=True) if len(a.bits)),
            default=0.0,
        )
        weights, step = new, step + 1
    used = tuple(float((matches * mask).sum()) for mask in usable)
    total = float(matches.sum())
    converged = moved <= CONVERGED_BITS
    return TrainingEstimate(prior, tuple(weights), total, in_all, written_matches, used, found, step, converged)


def probabilities(
    vectors: VectorCounts, prior: float, weights: Sequence[LevelWeights], tables: LearnedTables = ()
) -> Counts:
    """Return the probability of a match for each vector."""
    return 1.0 / (1.0 + np.exp2(-np.clip(match_weights(vectors, prior, weights, tables), -1000.0, 1000.0)))


def match_weights(
    vectors: VectorCounts, prior: float, weights: Sequence[LevelWeights], tables: LearnedTables = ()
) -> Counts:
    """Return the match weight of each vector, in bits."""
    total = np.full(len(vectors.counts), np.log2(prior / (1.0 - prior)))
    for column, each in enumerate(weights):
        total += each.bits[vectors.levels[:, column]]
    for first, second, bits in tables:
        total += bits[vectors.levels[:, first], vectors.levels[:, second]]
    return total


def _as_written(comparison: GradedComparison) -> LevelWeights:
    nothing = np.full(len(comparison.written), np.nan)
    return LevelWeights(comparison.written.copy(), nothing, nothing.copy())


def _usable(comparison: GradedComparison, candidates: VectorCounts) -> Counts:
    """Return 1 for each vector whose pairs are found by a key that reads none of the comparison's attributes."""
    mask = (candidates.keys & np.uint64(comparison.apart)) != 0
    return np.asarray(mask if mask.any() else np.ones(len(mask)), np.float64)


def _learned(
    comparison: GradedComparison, column: int, matches: Counts, apart: Counts, evidence: TrainingEvidence
) -> LevelWeights:
    written = _as_written(comparison)
    if comparison.kept:
        return written
    size = len(comparison.written)
    told = ~comparison.missing
    at_match = _at_levels(evidence.candidates.levels[:, column], matches, size)
    at_other = _at_levels(evidence.random.levels[:, column], apart, size)
    learned = level_weights(at_match[told], at_other[told], comparison.written[told])
    near = comparison.written[told]
    kept = np.clip(learned.bits, near - WRITTEN_BITS_APART_MAX, near + WRITTEN_BITS_APART_MAX)
    learned = learned._replace(bits=kept)
    for whole, part in zip(written, learned, strict=True):
        whole[told] = part
    return written


def _at_levels(levels: Levels, weights: Counts, size: int) -> Counts:
    return np.asarray(np.bincount(levels, weights=weights, minlength=size), np.float64)


class _Finder:
    """How many matches there are among all pairs, from those that each key finds."""

    def __init__(self, evidence: TrainingEvidence) -> None:
        self._evidence = evidence
        self._masks, self._place = np.unique(evidence.candidates.keys, return_inverse=True)
        tests = [(np.uint64(1 << key), np.uint64(apart)) for key, apart in enumerate(evidence.apart_keys) if apart]
        self._tests = [((self._masks & own) != 0, (self._masks & apart) != 0) for own, apart in tests]

    def prior(self, matches: Counts) -> tuple[float, float]:
        """Return the prior of all pairs, and how many matches that is."""
        evidence = self._evidence
        by_mask = np.bincount(self._place, weights=matches, minlength=len(self._masks)) / evidence.share
        found = float(by_mask.sum())
        estimates = []
        for own, apart in self._tests:
            both = float(by_mask[own & apart].sum())
            if both >= RECAPTURED_MIN:
                estimates.append((float(by_mask[own].sum()) + 1) * (float(by_mask[apart].sum()) + 1) / (both + 1) - 1)
        in_all = min(max(found, median(estimates)) if estimates else found, found / COVERAGE_MIN)
        least = 1.0 / (2.0 * max(1.0, evidence.pairs_in_all))
        return min(PRIOR_MAX, max(least, in_all / max(1.0, evidence.pairs_in_all))), in_all
