"""What a kept comparison takes back: agreements that related things share, as far as the records show such things.

Some comparisons have no positive level. They take back what two records of one home, or of one house, share without
being one: each level of them says how many bits less the agreements that it asks for are worth, if what tells the two
apart (the given name, the name of a company) does not agree. Their author balanced that against the weights as written.

**At first all of it.** Where training finds that a shared street says more than was written, both together say no more
than before of two names that differ: what such agreements gain is taken back, on average over the pairs at the level.
A gain that an earlier comparison took back at a pair is not taken back again by a later one.

**Then as far as related things are there.** What is taken back is a claim about their number. Were the comparisons
independent among pairs that are no matches, N u of N pairs would be at a level, with u the product of the shares of the
agreements that it asks for; taking back b bits claims 2^b times as many. The posteriors while all is taken back say how
many there are: by others, what was taken for one thing once would be the less of a sign of related ones, and so be
taken for one thing the more. Of the rate r = 2^x of those claimed, with E claimed and c expected, the greatest
posterior density of

    c ln r  -  E r  -  x^2 / (2 PRIOR_BITS^2)

is used: a Poisson likelihood, and a normal prior around what the author claimed, as for any other weight. Where the
rules claim 7,000 pairs of one home and not one is seen that is no match, little is taken back; where they claim five,
none of which is seen, nearly all of it stays, since so few say nothing. Never less is taken back than was written, and
never more than agreements gain: pairs that are more than were claimed may as well be matches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mdm_stream.core.match.level_vectors import Levels
from mdm_stream.train.training_evidence import KeptLevel, TrainingEvidence
from mdm_stream.train.vectors import Counts
from mdm_stream.train.weights import PRIOR_BITS, LevelWeights

_HALVINGS = 60
_RATE_BITS_MIN = -60.0
_LN2 = float(np.log(2.0))


@dataclass(frozen=True, slots=True)
class _PairsAt:
    """The candidates at one level of a kept comparison, as rows of the vectors.

    ``gains`` are the comparisons whose gain is taken back here, with the rows for which no earlier one took it.
    ``kinds`` has the distinct levels of the comparisons ``places``, a row each, and ``kind`` the one of each row of
    ``rows``; ``within`` are kept comparisons that are about some of these comparisons and no others.
    """

    column: int
    level: int
    rows: NDArray[np.int64]
    gains: tuple[tuple[int, NDArray[np.bool_]], ...]
    found: bool
    places: tuple[int, ...]
    kinds: Levels
    kind: NDArray[np.int64]
    within: tuple[int, ...]


class TakenBack:
    """The weights of kept comparisons, from those of the others and from how many related things there are."""

    def __init__(self, evidence: TrainingEvidence) -> None:
        self._evidence = evidence
        self._at = tuple(_all_at(evidence))
        random = evidence.random
        told = [~each.missing[random.levels[:, place]] for place, each in enumerate(evidence.comparisons)]
        self._told = [float(random.counts[mask].sum()) / max(1.0, random.pairs) for mask in told]

    def taken(self, learned: Sequence[LevelWeights], apart: Counts) -> tuple[list[LevelWeights], list[LevelWeights]]:
        """Return new weights with what is taken back, and the same with all of it; ``learned`` has those of the rest.

        ``apart`` is, of each candidate, how likely it is no match while all is taken back.
        """
        new, whole = (
            [weights._replace(bits=weights.bits.copy()) for weights in learned],
            [weights._replace(bits=weights.bits.copy()) for weights in learned],
        )
        counts = self._evidence.candidates.counts
        for at in self._at:
            known = self._evidence.comparisons[at.column]
            written, gained = known.written[at.level], self._gained(at, new)
            seen = float((apart[at.rows] * counts[at.rows]).sum()) / self._evidence.share
            claimed = self._claimed(at, new, known.taken_back(at.level) - gained)
            rate = rate_bits(seen, claimed) if at.found else 0.0
            new[at.column].bits[at.level] = min(written, written - gained - rate)
            whole[at.column].bits[at.level] = written - gained
        return new, whole

    def _gained(self, at: _PairsAt, weights: Sequence[LevelWeights]) -> float:
        """Return how many bits agreements gain, on average over pairs at a level."""
        candidates = self._evidence.candidates
        gained = np.zeros(len(at.rows))
        for place, here in at.gains:
            written = self._evidence.comparisons[place].written
            by_level = np.where(written > 0.0, weights[place].bits - written, 0.0)
            gained += by_level[candidates.levels[at.rows, place]] * here
        return max(0.0, float(np.average(gained, weights=candidates.counts[at.rows])))

    def _claimed(self, at: _PairsAt, weights: Sequence[LevelWeights], all_back: float) -> float:
        """Return how many pairs that are no matches are claimed to be at a level, of the kinds that are seen there.

        NaN where nothing was learned of one of the comparisons.
        """
        claimed = np.full(len(at.kinds), np.log2(max(1.0, self._evidence.pairs_in_all)) - all_back)
        if not self._evidence.comparisons[at.column].kept:
            claimed += np.log2(weights[at.column].u[-1] * self._told[at.column])
        for column, place in enumerate(at.places):
            known, told = self._evidence.comparisons[place], self._told[place]
            shares = np.where(known.missing, 1.0 - told, weights[place].u * told)
            claimed += np.log2(np.maximum(shares, np.finfo(float).tiny))[at.kinds[:, column]]
        if at.within:
            # Of a kind, other comparisons may take back more of some pairs than of others: the least counts.
            levels = self._evidence.candidates.levels[at.rows]
            others = sum(weights[column].bits[levels[:, column]] for column in at.within)
            least = np.full(len(at.kinds), -np.inf)
            np.maximum.at(least, at.kind, others)
            claimed -= least
        return float(np.exp2(np.clip(claimed, -1000.0, 100.0)).sum())


def rate_bits(seen: float, claimed: float) -> float:
    """Return the x <= 0, in bits, of the likeliest rate 2^x of related pairs to those claimed; 0 if that is NaN."""
    if np.isnan(claimed):
        return 0.0
    low, high = _RATE_BITS_MIN, 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        slope = _LN2 * (seen - claimed * 2.0**middle) - middle / PRIOR_BITS**2
        low, high = (middle, high) if slope > 0.0 else (low, middle)
    return high


def _all_at(evidence: TrainingEvidence) -> Iterator[_PairsAt]:
    levels = evidence.candidates.levels
    taken = np.zeros(levels.shape, np.bool_)
    for column, known in enumerate(evidence.comparisons):
        for level, about in enumerate(known.about):
            rows = np.flatnonzero(levels[:, column] == level)
            if known.taken_back(level) >= 0.0 or not len(rows):
                continue
            gains = tuple((place, ~taken[rows, place]) for place in about.beside)
            places = _places(about) if known.kept else about.beside
            kinds, kind = np.unique(levels[rows][:, places], axis=0, return_inverse=True)
            yield _PairsAt(column, level, rows, gains, about.found, places, kinds, kind.reshape(-1),
                           _within(evidence, column, rows, places))  # fmt: skip
            for place in about.beside:
                taken[rows, place] = True


def _places(about: KeptLevel) -> tuple[int, ...]:
    return tuple(sorted({*about.beside, *about.opposed}))


def _within(
    evidence: TrainingEvidence, column: int, rows: NDArray[np.int64], places: tuple[int, ...]
) -> tuple[int, ...]:
    """Return the other kept comparisons whose levels at these candidates are about some of some places alone."""
    found = []
    for other, known in enumerate(evidence.comparisons):
        if other == column or not known.kept or not known.about:
            continue
        there = np.unique(evidence.candidates.levels[rows, other])
        about = [known.about[level] for level in there.tolist() if known.written[level] < 0.0]
        if about and all(set(_places(each)) <= set(places) for each in about):
            found.append(other)
    return tuple(found)
