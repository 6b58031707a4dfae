"""The weight of a level from how many matches and non-matches are at it, drawn towards the weight that was written.

Of a level, ``c_m`` of M matches and ``c_u`` of U non-matches are at it. If the weight is b bits, a pair at this level
is a match with odds M 2^b / U, so ``c_m`` is binomial among ``c_m + c_u``. The estimate is the b of the greatest
posterior density under a normal prior around the weight in the rules, ``PRIOR_BITS`` wide: where pairs are many it is
log2((c_m / M) / (c_u / U)) (Fellegi and Sunter, *A theory for record linkage*, 1969); where there are none it is what
the author wrote; and a level that no non-match was seen at does not become infinitely sure.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mdm_stream.train.vectors import Counts

PRIOR_BITS = 3.0
"""One standard deviation of what an author may be wrong by: a factor of eight in m / u."""
WEIGHT_MAX = 40.0
"""No weight becomes greater: more pairs than there are would be needed to know it."""
_HALVINGS = 60


class LevelWeights(NamedTuple):
    """By level: the weight in bits, and the shares of matches (m) and of non-matches (u) at it that go with it."""

    bits: Counts
    m: Counts
    u: Counts


def level_weights(matches: Counts, others: Counts, written: Counts) -> LevelWeights:
    """Return the weights of the levels of one comparison; arrays by level, without the levels that stand for missing.

    ``matches`` and ``others`` are how many pairs are at each, which need not be whole numbers; ``written`` the weights
    in the rules. Where there are no matches or no others at all, the weights are the written ones.
    """
    all_matches, all_others = float(matches.sum()), float(others.sum())
    if all_matches <= 0.0 or all_others <= 0.0:
        nothing = np.full(len(written), np.nan)
        return LevelWeights(written.copy(), nothing, nothing.copy())
    low: Counts = np.full(len(written), -WEIGHT_MAX)
    high: Counts = np.full(len(written), WEIGHT_MAX)
    pooled = matches + others
    shift = np.log2(all_matches / all_others)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        share = 1.0 / (1.0 + np.exp2(-(middle + shift)))
        # The slope of the log posterior in b falls all the way, so its zero is the one maximum.
        slope = np.log(2.0) * (matches - pooled * share) - (middle - written) / PRIOR_BITS**2
        low, high = np.where(slope > 0.0, middle, low), np.where(slope > 0.0, high, middle)
    bits = (low + high) / 2.0
    u = np.maximum(pooled, np.finfo(float).tiny) / (all_matches * np.exp2(bits) + all_others)
    return LevelWeights(bits, np.exp2(bits) * u, u)
