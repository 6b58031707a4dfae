"""Scoring a pair of records: the decision and its evidence.

:func:`score_pair` is the meaning, slow and obvious; :func:`score_pairs` is the same for many pairs at once;
:func:`explain_pair` says why, without repeating a value of either record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdm_stream.core.match.compare import deciding_rule, level_of, similarity_of
from mdm_stream.core.match.decide import (
    LEVEL_DIGITS,
    LEVELS_MAX,
    PairScore,
    averaged,
    bits_of,
    confidence_of,
    decision_of,
    mean_confidence,
    rule_score,
    similarity_digit,
    weighed,
)
from mdm_stream.core.match.score_bulk import Scored, score_many
from mdm_stream.core.match.terms import term_bits, together_bits
from mdm_stream.core.model import MatchValues
from mdm_stream.core.ruleset import Comparison, Match, Predicate, Ruleset

__all__ = ["LEVELS_MAX", "PairScore", "explain_pair", "score_pair", "score_pairs"]

FEW_PAIRS_MAX = 4
"""So many pairs are scored one by one: the bulk scorer's arrays cost more, even where no pair is near a match."""


def score_pairs(
    rules: Ruleset, records: Sequence[MatchValues], left: NDArray[np.integer], right: NDArray[np.integer]
) -> Scored:
    """Return ``(position, score)`` of the pairs that are at least REVIEW, by position.

    ``left`` and ``right`` are indexes into ``records``; pair ``i`` is ``(left[i], right[i])``. Symmetric in the two.
    ``ValueError`` if they differ in length; ``IndexError`` for an index out of range.
    """
    if np.ndim(left) != 1 or np.shape(left) != np.shape(right) or len(left) > FEW_PAIRS_MAX:
        return score_many(rules, records, left, right)
    pairs = zip(left.tolist(), right.tolist(), strict=True)
    scores = enumerate(score_pair(rules, records[a], records[b]) for a, b in pairs)
    return [(position, score) for position, score in scores if score is not None]


def score_pair(rules: Ruleset, a: MatchValues, b: MatchValues) -> PairScore | None:
    """Return the score of a pair, or ``None`` for NO_LINK. Symmetric in the two records."""
    match = rules.match
    rule = deciding_rule(match, a, b)
    if rule is not None:
        return rule_score(rule)
    if match.method == "fellegi_sunter":
        weight = bits_of(match.prior)
        levels = [level_of(comparison, a, b) for comparison in match.comparisons]
        for comparison, place in zip(match.comparisons, levels, strict=True):
            level = comparison.levels[place]
            weight += level.bits
            if level.terms is not None:
                weight += term_bits(level.terms, a, b)
        for bits in together_bits(match, levels):
            weight += bits
        return weighed(match, weight, "".join(LEVEL_DIGITS[level] for level in levels))
    similarities = _similarities(match, a, b)
    total, present = _mean_of(match, similarities)
    return averaged(match, total, present, "".join(map(similarity_digit, similarities)))


def explain_pair(rules: Ruleset, a: MatchValues, b: MatchValues) -> dict[str, Any]:
    """Return the evidence on a pair, ready for JSON: every comparison, whether or not the pair was worth a review.

    ``weight`` and ``confidence`` are those that decided; they are null where a weighted mean had nothing to compare.
    Where a deterministic rule decided, ``rule`` names it, and the comparisons are shown though they did not count.
    """
    match = rules.match
    explained: dict[str, Any] = {
        "domain": rules.domain,
        "rules_version": rules.version,
        "method": match.method,
        "thresholds": {"link": match.link, "review": match.review},
    }
    if match.method == "fellegi_sunter":
        explained |= _explain_weight(match, a, b)
    else:
        explained |= _explain_mean(match, a, b)
    rule = deciding_rule(match, a, b)
    explained["rule"] = None
    if rule is not None:
        score = rule_score(rule)
        explained["rule"] = {"name": rule.name, "link": rule.link, "predicates": _kinds(rule.when)}
        explained["confidence"] = score.confidence if score else 0.0
        explained["weight"] = score.weight if score else bits_of(0.0)
        explained["decision"] = "LINK" if score else "NO_LINK"
    return explained


def _similarities(match: Match, a: MatchValues, b: MatchValues) -> list[float | None]:
    return [similarity_of(each.similarity or "", each.attributes, a, b) for each in match.comparisons]


def _mean_of(match: Match, similarities: list[float | None]) -> tuple[float, float]:
    """Return the weighted sum of the similarities that are present, and the sum of their weights."""
    total = present = 0.0
    for comparison, similarity in zip(match.comparisons, similarities, strict=True):
        if similarity is not None:
            total += comparison.weight * similarity
            present += comparison.weight
    return total, present


def _explain_weight(match: Match, a: MatchValues, b: MatchValues) -> dict[str, Any]:
    weight = prior = bits_of(match.prior)
    comparisons = []
    levels = [level_of(comparison, a, b) for comparison in match.comparisons]
    for comparison, place in zip(match.comparisons, levels, strict=True):
        level = comparison.levels[place]
        weight += level.bits
        evidence: dict[str, Any] = {"level": level.label, "bits": level.bits, "predicates": _kinds(level.when)}
        if level.terms is not None:
            evidence["term_bits"] = term_bits(level.terms, a, b)
            weight += evidence["term_bits"]
        comparisons.append({"name": comparison.name, **evidence})
    together: list[dict[str, Any]] = []
    for dependence, bits in zip(match.dependences, together_bits(match, levels), strict=True):
        weight += bits
        names = [match.comparisons[place].name for place in (dependence.first, dependence.second)]
        together.append({"comparisons": names, "bits": bits})
    confidence = confidence_of(weight)
    decision = decision_of(match, confidence)
    totals = {"weight": weight, "confidence": confidence, "decision": decision}
    dependences = {"dependences": together} if together else {}
    return {"prior_bits": prior, "comparisons": comparisons, **dependences, **totals}


def _explain_mean(match: Match, a: MatchValues, b: MatchValues) -> dict[str, Any]:
    similarities = _similarities(match, a, b)
    comparisons = [
        _explain_similarity(comparison, similarity)
        for comparison, similarity in zip(match.comparisons, similarities, strict=True)
    ]
    confidence = mean_confidence(*_mean_of(match, similarities))
    if confidence is None:
        return {"comparisons": comparisons, "weight": None, "confidence": None, "decision": "NO_LINK"}
    decision = decision_of(match, confidence)
    return {"comparisons": comparisons, "weight": bits_of(confidence), "confidence": confidence, "decision": decision}


def _explain_similarity(comparison: Comparison, similarity: float | None) -> dict[str, Any]:
    kinds = [comparison.similarity]
    return {"name": comparison.name, "similarity": similarity, "weight": comparison.weight, "predicates": kinds}


def _kinds(when: tuple[Predicate, ...]) -> list[str]:
    return [predicate.kind for predicate in when]
