"""Confidence that means what it says: how often pairs of a confidence are matches, and a correction learned from that.

Dependences that the weights do not know make them too great in both directions. An affine function of the match weight
takes that back: slope times the weight plus an offset (Platt, *Probabilistic outputs for support vector machines*,
1999). It is drawn towards 1 and 0, so that a few verdicts move it little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mdm_stream.train.vectors import Counts

BINS = 10
SLOPE_PRIOR = 0.35
"""One standard deviation of the logarithm of the slope that is expected before any verdict was seen."""
OFFSET_PRIOR_BITS = 2.0
SLOPE_LIMITS = (0.1, 3.0)
OFFSET_LIMITS_BITS = (-15.0, 15.0)
WEIGHT_LIMIT_BITS = 40.0
_STEPS = 60
_LN2 = float(np.log(2.0))


@dataclass(frozen=True, slots=True)
class Reliability:
    """Expected calibration error: the mean distance, over pairs, of confidence from the share of matches.

    Taken over ``BINS`` bins of equal width (Naeini, Cooper and Hauskrecht, *Obtaining well calibrated probabilities
    using Bayesian binning*, 2015). ``bins``: pairs, mean confidence, share of matches, of those that are not empty.
    """

    error: float
    bins: tuple[tuple[int, float, float], ...]


def reliability(confidence: Counts, matched: Counts, counts: Counts | None = None) -> Reliability:
    """Return how far confidences are from the truth; ``matched`` is 1 or 0 of each, ``counts`` how many pairs it is."""
    weights = np.ones(len(confidence)) if counts is None else counts
    if not len(confidence):
        return Reliability(0.0, ())
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    pairs = np.bincount(place, weights=weights, minlength=BINS)
    said = np.bincount(place, weights=weights * confidence, minlength=BINS)
    true = np.bincount(place, weights=weights * matched, minlength=BINS)
    there = pairs > 0
    bins = tuple(zip((pairs[there]).astype(int).tolist(), (said[there] / pairs[there]).tolist(),
                     (true[there] / pairs[there]).tolist(), strict=True))  # fmt: skip
    return Reliability(float(np.abs(said - true).sum() / pairs.sum()), bins)


def calibrated(weights: Sequence[float], matched: Sequence[bool]) -> tuple[float, float]:
    """Return the slope and the offset, in bits, under which verdicts are likeliest; ``(1, 0)`` without any."""
    if not len(weights):
        return 1.0, 0.0
    x = np.clip(np.asarray(weights, np.float64), -WEIGHT_LIMIT_BITS, WEIGHT_LIMIT_BITS)
    y = np.asarray(matched, np.float64)
    log_slope, offset = 0.0, 0.0
    for _ in range(_STEPS):
        # Newton's method on a function of two parameters, damped by the priors' curvature.
        slope = float(np.exp(log_slope))
        z = _LN2 * (slope * x + offset)
        p = 1.0 / (1.0 + np.exp(-z))
        w = p * (1.0 - p)
        da, db = _LN2 * slope * x, np.full(len(x), _LN2)
        gradient = np.array([(da * (p - y)).sum() + log_slope / SLOPE_PRIOR**2,
                             (db * (p - y)).sum() + offset / OFFSET_PRIOR_BITS**2])  # fmt: skip
        curvature = np.array([[(w * da * da).sum() + 1.0 / SLOPE_PRIOR**2, (w * da * db).sum()],
                              [(w * da * db).sum(), (w * db * db).sum() + 1.0 / OFFSET_PRIOR_BITS**2]])  # fmt: skip
        step = np.clip(np.linalg.solve(curvature, gradient), -1.0, 1.0)
        log_slope = float(np.clip(log_slope - step[0], *np.log(SLOPE_LIMITS)))
        offset = float(np.clip(offset - step[1], *OFFSET_LIMITS_BITS))
        if float(np.abs(step).max()) < 1e-9:
            break
    return float(np.exp(log_slope)), offset
