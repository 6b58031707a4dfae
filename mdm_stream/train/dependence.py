"""Which comparisons are plainly not independent, and what to add where two of them say one thing.

Fellegi and Sunter's model adds the weights of comparisons as if they were independent among matches and among others.
A city and its postcode are not: who agrees on the one agrees on the other, and both together are counted twice. For
such a pair of comparisons the weights of both are replaced by the weight of their levels together,

    log2(m_ij / u_ij)  =  b_i + b_j + log2(m_ij / (m_i m_j)) - log2(u_ij / (u_i u_j)),

whose last two terms are the correction. Corrections form a forest, so that each is of one pair of comparisons and none
contradicts another (Chow and Liu, *Approximating discrete probability distributions with dependence trees*, 1968); the
pairs of which matches would be weighed most wrongly come first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mdm_stream.train.em import TrainingEstimate, probabilities
from mdm_stream.train.training_evidence import TrainingEvidence
from mdm_stream.train.vectors import Counts, VectorCounts

STRENGTH_MIN_BITS = 1.0
"""Two comparisons are plainly dependent if the weight of a match is wrong by so much on average."""
MATCHES_MIN = 100
"""Of fewer matches nothing is said about how two comparisons go together."""
SHRINKING_PAIRS = 5.0
"""So many pairs, spread as if the comparisons were independent, are added to each cell."""
CORRECTION_MAX_BITS = 20.0


@dataclass(frozen=True, slots=True)
class LearnedTogether:
    """A correction of two comparisons, by place: bits by level of the first and of the second.

    ``strength_bits`` is how much the weight of a match changes by it on average, up or down.
    """

    first: int
    second: int
    bits: Counts
    strength_bits: float


def dependences(evidence: TrainingEvidence, found: TrainingEstimate) -> tuple[LearnedTogether, ...]:
    """Return the corrections that are worth making, the strongest first; a forest over the comparisons."""
    matches = found.probability * evidence.candidates.counts
    drawn = (1.0 - probabilities(evidence.random, found.prior, found.weights)) * evidence.random.counts
    drawn *= evidence.pairs_in_all / max(1.0, evidence.random.pairs)
    near = (1.0 - found.probability) * evidence.candidates.counts / evidence.share
    unrelated = (
        drawn * _unexplained(evidence, evidence.random, found),
        near * _unexplained(evidence, evidence.candidates, found),
    )
    others = ((drawn, near), unrelated)
    places = [place for place, each in enumerate(evidence.comparisons) if not each.kept]
    pairs = [(a, b) for at, a in enumerate(places) for b in places[at + 1 :]]
    tested = filter(None, (_correction(evidence, matches, others, a, b) for a, b in pairs))
    ordered = sorted(tested, key=lambda each: (-each.strength_bits, each.first, each.second))
    tree = {place: place for place in places}
    chosen = []
    for each in ordered:
        one, other = _root(tree, each.first), _root(tree, each.second)
        if one != other and each.strength_bits >= STRENGTH_MIN_BITS:
            tree[one] = other
            chosen.append(each)
    return tuple(chosen)


def _unexplained(evidence: TrainingEvidence, vectors: VectorCounts, found: TrainingEstimate) -> Counts:
    """Return which share of pairs that are no matches would be there without what kept comparisons take back.

    A level that takes back b bits says that there are 2^b times as many such pairs as chance has it.
    """
    taken_back = np.zeros(len(vectors.counts))
    for place, each in enumerate(evidence.comparisons):
        if each.kept:
            taken_back += np.minimum(found.weights[place].bits, 0.0)[vectors.levels[:, place]]
    return np.asarray(np.exp2(taken_back), np.float64)


def _root(tree: dict[int, int], place: int) -> int:
    while tree[place] != place:
        place = tree[place]
    return place


def _correction(
    evidence: TrainingEvidence,
    matches: Counts,
    others: tuple[tuple[Counts, Counts], tuple[Counts, Counts]],
    first: int,
    second: int,
) -> LearnedTogether | None:
    """Return the correction of two comparisons, or ``None`` where too little is known.

    ``others`` are pairs that are no matches, all of them and those that kept comparisons do not explain. What is said
    already of a household is not said once more of its name and its street: of what comes together more often than by
    chance, so much is left out as these take back.
    """
    one, other = evidence.comparisons[first], evidence.comparisons[second]
    apart = np.uint64(one.apart & other.apart)
    usable = (evidence.candidates.keys & apart) != 0
    told = np.outer(~one.missing, ~other.missing)
    at_match = np.where(told, _table(evidence.candidates, matches * usable, first, second, told.shape), 0.0)
    at_other, left = (np.where(told, _others(evidence, each, first, second, told.shape), 0.0) for each in others)
    if at_match.sum() < MATCHES_MIN or left.sum() <= 0.0:
        return None
    lift = _lift(at_other)
    lift = np.where(lift > 0.0, np.clip(_lift(left), 0.0, lift), lift)
    bits = np.clip(_lift(at_match) - lift, -CORRECTION_MAX_BITS, CORRECTION_MAX_BITS)
    bits = np.where(told, bits, 0.0)
    strength = float((np.abs(bits) * at_match).sum() / at_match.sum())
    return LearnedTogether(first, second, bits, strength)


def _others(
    evidence: TrainingEvidence, others: tuple[Counts, Counts], first: int, second: int, shape: tuple[int, ...]
) -> Counts:
    """Return how many pairs that are no matches are at each two levels, of all pairs.

    Random pairs hardly ever show what is rare and related (sites of a group, a household); candidates that are no
    matches show it, and are a part of all pairs, so that there are at least so many.
    """
    drawn, near = others
    return np.maximum(
        _table(evidence.random, drawn, first, second, shape), _table(evidence.candidates, near, first, second, shape)
    )


def _table(vectors: VectorCounts, weights: Counts, first: int, second: int, shape: tuple[int, ...]) -> Counts:
    cells = vectors.levels[:, first].astype(np.int64) * shape[1] + vectors.levels[:, second]
    counted = np.bincount(cells, weights=weights, minlength=shape[0] * shape[1])
    return np.asarray(counted.reshape(shape), np.float64)


def _lift(table: Counts) -> Counts:
    """Return log2 of how much more often two levels come together than they would by chance, drawn towards nothing."""
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return np.asarray(np.log2((table + SHRINKING_PAIRS) / (expected + SHRINKING_PAIRS)), np.float64)
