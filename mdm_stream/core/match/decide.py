"""From evidence to a decision: the arithmetic that the scalar scorer and the bulk one share.

Bits are log2 of odds. With the prior odds they add up to a match weight, and the weight is a confidence (Fellegi and
Sunter, 1969). The confidence is rounded before it is compared with the thresholds, so what is shown is what decided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from mdm_stream.core.ruleset import DeterministicRule, Match

CONFIDENCE_DECIMALS = 6
BITS_MAX = 60.0
"""The bits of certainty. A probability of 0 or 1 has infinite ones, so those of any probability are cut to this."""
LEVELS_MAX = 36
"""The most levels of a comparison: each pair's level is kept as one digit of base 36."""
LEVEL_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
NO_SIMILARITY = "-"
"""What stands for a comparison that a weighted mean left out, a value being missing."""
SIMILARITY_STEPS = LEVELS_MAX - 1

Decision = Literal["LINK", "REVIEW", "NO_LINK"]


@dataclass(frozen=True, slots=True)
class PairScore:
    """A pair that is at least worth a review.

    ``weight`` is in bits; ``confidence`` is in 0..1, to six decimals; ``link`` is True for LINK and False for REVIEW.
    ``rule`` names the deterministic rule that decided, or is empty. ``levels`` has one character a comparison: the
    index of its level in base 36; for a weighted mean its similarity in 35ths, rounded down, or ``-`` where a value
    is missing. It is empty where a deterministic rule decided.
    """

    weight: float
    confidence: float
    link: bool
    rule: str
    levels: str


def bits_of(probability: float) -> float:
    """Return log2(p / (1 - p)), cut to +-``BITS_MAX``."""
    if probability <= 0.0:
        return -BITS_MAX
    if probability >= 1.0:
        return BITS_MAX
    return max(-BITS_MAX, min(BITS_MAX, math.log2(probability / (1.0 - probability))))


def confidence_of(weight: float) -> float:
    """Return the probability 1 / (1 + 2^-weight), rounded. Any finite or infinite weight is safe."""
    # Beyond a thousand bits the result is 0 or 1 whatever the decimals, and exp2(1024) would overflow.
    return round(1.0 / (1.0 + math.exp2(-max(-1000.0, min(1000.0, weight)))), CONFIDENCE_DECIMALS)


def mean_confidence(total: float, present: float) -> float | None:
    """Return the rounded weighted mean ``total / present``, ``None`` where nothing was present."""
    return None if present <= 0.0 else round(total / present, CONFIDENCE_DECIMALS)


def rule_score(rule: DeterministicRule) -> PairScore | None:
    """Return the score that a deterministic rule gives outright: ``None`` if it says that the pair is no match."""
    if not rule.link:
        return None
    confidence = round(rule.confidence, CONFIDENCE_DECIMALS)
    return PairScore(bits_of(confidence), confidence, True, rule.name, "")


def decision_of(match: Match, confidence: float) -> Decision:
    """Return what a rounded confidence means under the thresholds."""
    if confidence >= match.link:
        return "LINK"
    return "REVIEW" if confidence >= match.review else "NO_LINK"


def weighed(match: Match, weight: float, levels: str) -> PairScore | None:
    """Return the score of a pair by its match weight, ``None`` below review."""
    return _decided(match, weight, confidence_of(weight), levels)


def averaged(match: Match, total: float, present: float, levels: str) -> PairScore | None:
    """Return the score of a pair by its weighted mean: ``total`` similarity over the weights ``present``.

    ``None`` below review, and where nothing was present to compare.
    """
    confidence = mean_confidence(total, present)
    return None if confidence is None else _decided(match, bits_of(confidence), confidence, levels)


def _decided(match: Match, weight: float, confidence: float, levels: str) -> PairScore | None:
    decision = decision_of(match, confidence)
    return None if decision == "NO_LINK" else PairScore(weight, confidence, decision == "LINK", "", levels)


def similarity_digit(similarity: float | None) -> str:
    """Return the character that stands for a similarity in ``PairScore.levels``."""
    return NO_SIMILARITY if similarity is None else LEVEL_DIGITS[int(similarity * SIMILARITY_STEPS)]
