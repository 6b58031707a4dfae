"""Scores of many pairs at once, equal to the scalar scorer's to the last bit.

Each comparison can only add so many bits, so a pair whose evidence so far plus the most that the rest can add stays
below review is dropped unseen. Cheap levels of all comparisons (missing, equal) are settled first, and those that read
texts after them, the ones that cost a non-match most bits first. The order decides how early a pair is dropped and
nothing else: the weights of the pairs that are left are added up again in the declared order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from mdm_stream.core.match.columns import COSTLY_KINDS, Codes, Floats
from mdm_stream.core.match.compare import similarity_measure
from mdm_stream.core.match.decide import (
    CONFIDENCE_DECIMALS,
    LEVEL_DIGITS,
    NO_SIMILARITY,
    SIMILARITY_STEPS,
    PairScore,
    averaged,
    bits_of,
    rule_score,
    weighed,
)
from mdm_stream.core.match.pair_chunk import PairChunk
from mdm_stream.core.match.terms import least_and_most
from mdm_stream.core.model import MatchValues
from mdm_stream.core.per_ruleset import PerRuleset
from mdm_stream.core.ruleset import Comparison, DeterministicRule, Level, Match, Predicate, Ruleset, TermBits

PAIRS_MAX = 262_144
"""The most pairs evaluated at once. It bounds memory (some 100 MB for ten comparisons) and never changes a result."""

ROUNDING_SLACK = 1e-9
"""How far, relative to the sizes added, a sum in another order may be off: far more than doubles need."""

Scored = list[tuple[int, PairScore]]


def score_many(
    rules: Ruleset, records: Sequence[MatchValues], left: NDArray[np.integer], right: NDArray[np.integer]
) -> Scored:
    """Return what :func:`mdm_stream.core.match.score.score_pairs` does, however many pairs there are."""
    plan = _plan(rules)
    a, b = np.asarray(left, np.int64), np.asarray(right, np.int64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"left and right must be one-dimensional and equally long, not {a.shape} and {b.shape}")
    scored: Scored = []
    for start in range(0, len(a), PAIRS_MAX):
        chunk = PairChunk(records, a[start : start + PAIRS_MAX], b[start : start + PAIRS_MAX])
        scored += [(start + position, score) for position, score in _score_chunk(plan, chunk)]
    return scored


def _score_chunk(plan: _ScoringPlan, chunk: PairChunk) -> Scored:
    scored = _apply_rules(plan.deterministic, chunk)
    scored += _weigh(plan, chunk) if plan.match.method == "fellegi_sunter" else _average(plan.match, chunk)
    scored.sort(key=lambda item: item[0])
    return scored


def _apply_rules(rules: tuple[DeterministicRule, ...], chunk: PairChunk) -> Scored:
    """Take the pairs that a deterministic rule decides out of the chunk's active ones; return those it links."""
    scored: Scored = []
    for rule in rules:
        decided = chunk.settle(rule.when, chunk.active)
        if not len(decided):
            continue
        chunk.active = np.setdiff1d(chunk.active, decided, assume_unique=True)
        score = rule_score(rule)
        if score is not None:
            scored += [(position, score) for position in decided.tolist()]
    return scored


@dataclass(frozen=True, slots=True)
class _ScoringStep:
    """Some levels of one comparison, evaluated together.

    ``lost`` is, by level and at its end for pairs that no level up to ``last`` settles, how many bits the pair's upper
    bound loses. ``costly`` and ``gain`` (the bits that a non-match is likely to lose) say when it is worth doing.
    """

    comparison: int
    first: int
    levels: tuple[Level, ...]
    lost: Floats
    costly: bool
    gain: float


@dataclass(frozen=True, slots=True)
class _ScoringPlan:
    """What is worked out once from a rule set. Predicates stand with the cheap ones first.

    ``most`` is the greatest match weight that a pair can have, ``floor`` the least that can be worth a review, and
    ``bits`` those of each level, by comparison. ``terms`` are the levels whose bits change with the value.
    """

    match: Match
    deterministic: tuple[DeterministicRule, ...]
    steps: tuple[_ScoringStep, ...]
    prior: float
    most: float
    floor: float
    bits: tuple[Floats, ...]
    terms: Mapping[int, Mapping[int, TermBits]] = field(default_factory=dict)
    together: tuple[Floats, ...] = ()


def _make_plan(rules: Ruleset) -> _ScoringPlan:
    match = rules.match
    prior = bits_of(match.prior)
    deterministic = tuple(replace(rule, when=_cheap_first(rule.when)) for rule in match.deterministic)
    if match.method != "fellegi_sunter":
        return _ScoringPlan(match, deterministic, (), prior, math.inf, -math.inf, ())
    return _ScoringPlan(
        match=match,
        deterministic=deterministic,
        steps=tuple(_steps(match.comparisons)),
        prior=prior,
        most=prior
        + sum(max(least_and_most(level)[1] for level in each.levels) for each in match.comparisons)
        + sum(max(map(max, each.bits)) for each in match.dependences),
        floor=_weight_floor(match, prior),
        bits=tuple(np.array([level.bits for level in each.levels]) for each in match.comparisons),
        terms={place: found for place, each in enumerate(match.comparisons) if (found := _terms_of(each))},
        together=tuple(np.array(each.bits, np.float64) for each in match.dependences),
    )


_plan = PerRuleset(_make_plan)


def _terms_of(comparison: Comparison) -> dict[int, TermBits]:
    return {place: level.terms for place, level in enumerate(comparison.levels) if level.terms is not None}


def _cheap_first(when: tuple[Predicate, ...]) -> tuple[Predicate, ...]:
    return tuple(sorted(when, key=lambda predicate: predicate.kind in COSTLY_KINDS))


def _steps(comparisons: tuple[Comparison, ...]) -> list[_ScoringStep]:
    steps: list[_ScoringStep] = []
    for index, comparison in enumerate(comparisons):
        levels = tuple(replace(level, when=_cheap_first(level.when)) for level in comparison.levels)
        bits = [least_and_most(level)[1] for level in levels]
        cheap = len(list(takewhile(_is_cheap, levels)))
        before = max(bits)
        rest = max(bits[cheap:], default=-math.inf)
        if cheap:
            left = 0.0 if cheap == len(levels) else before - rest
            lost = np.array([before - each for each in bits] + [left])
            gain = before - bits[-1] if cheap == len(levels) else left
            steps.append(_ScoringStep(index, 0, levels[:cheap], lost, False, gain))
        if cheap < len(levels):
            top = rest if cheap else before
            lost = np.array([top - each for each in bits] + [0.0])
            steps.append(_ScoringStep(index, cheap, levels[cheap:], lost, True, top - bits[-1]))
    return sorted(steps, key=lambda step: (step.costly, -step.gain))


def _is_cheap(level: Level) -> bool:
    return not any(predicate.kind in COSTLY_KINDS for predicate in level.when)


def _weigh(plan: _ScoringPlan, chunk: PairChunk) -> Scored:
    match = plan.match
    levels = np.full((len(match.comparisons), chunk.size), -1, np.int8)
    bound = np.full(chunk.size, plan.most)
    for step in plan.steps:
        if not len(chunk.active):
            return []
        row = levels[step.comparison]
        where = chunk.active[row[chunk.active] < 0]
        _grade(chunk, step, row, where)
        bound[where] -= step.lost[row[where]]
        chunk.active = chunk.active[~(bound[chunk.active] < plan.floor)]
    left = levels[:, chunk.active]
    if (left < 0).any():
        raise ValueError("a comparison has no level that applies; its last must be 'else'")
    weights = np.full(left.shape[1], plan.prior)
    for place, (bits, row) in enumerate(zip(plan.bits, left, strict=True)):
        weights += bits[row]
        for level, terms in plan.terms.get(place, {}).items():
            there = np.flatnonzero(row == level)
            weights[there] += chunk.term_bits(terms, f"{place}:{level}", chunk.active[there])
    for each, table in zip(match.dependences, plan.together, strict=True):
        weights += table[left[each.first], left[each.second]]
    digits = _digits(left)
    # Pairs that are graded alike, and of values as common, weigh alike: where many are, they share one score.
    made: dict[tuple[str, float], PairScore | None] = {}
    scored: Scored = []
    for at, weight, text in zip(chunk.active.tolist(), weights.tolist(), digits, strict=True):
        if (text, weight) not in made:
            made[text, weight] = weighed(match, weight, text)
        score = made[text, weight]
        if score is not None:
            scored.append((at, score))
    return scored


def _grade(chunk: PairChunk, step: _ScoringStep, row: NDArray[np.int8], where: Codes) -> None:
    """Write the level of each pair of ``where`` that one of the step's levels settles into ``row``."""
    for index, level in enumerate(step.levels, step.first):
        if not len(where):
            return
        row[chunk.settle(level.when, where)] = index
        where = where[row[where] < 0]


def _weight_floor(match: Match, prior: float) -> float:
    """Return a match weight below which no pair can reach review, however its sum was rounded."""
    lowest = _lowest(match)
    if lowest <= 0.0:
        return -math.inf
    sizes = abs(prior) + sum(max(map(_size, each.levels)) for each in match.comparisons)
    sizes += sum(max(abs(bits) for row in each.bits for bits in row) for each in match.dependences)
    return bits_of(lowest) - ROUNDING_SLACK * (1.0 + sizes)


def _size(level: Level) -> float:
    return max(map(abs, (level.bits, *least_and_most(level))))


def _lowest(match: Match) -> float:
    """Return a confidence that, rounded up, is still below review."""
    return match.review - 10.0**-CONFIDENCE_DECIMALS


def _average(match: Match, chunk: PairChunk) -> Scored:
    comparisons = match.comparisons
    similarities = np.full((len(comparisons), chunk.size), math.nan)
    total, present = np.zeros(chunk.size), np.zeros(chunk.size)
    floor = _lowest(match) - ROUNDING_SLACK
    waiting = sorted(range(len(comparisons)), key=lambda index: _mean_order(comparisons[index]))
    while waiting:
        index = waiting.pop(0)
        kind, weight = comparisons[index].similarity or "", comparisons[index].weight
        active = chunk.active
        measured = chunk.measure(similarity_measure(kind), comparisons[index].attributes, active)
        similarities[index, active] = measured
        missing = np.isnan(measured)
        total[active] += np.where(missing, 0.0, weight * measured)
        present[active] += np.where(missing, 0.0, weight)
        # The mean is greatest if all that is still to come agrees entirely.
        rest = sum(comparisons[other].weight for other in waiting)
        chunk.active = active[~(total[active] + rest < floor * (present[active] + rest))]
    return _mean_scores(match, chunk.active, similarities[:, chunk.active])


def _mean_order(comparison: Comparison) -> tuple[bool, float]:
    return comparison.similarity in COSTLY_KINDS, -comparison.weight


def _mean_scores(match: Match, active: Codes, similarities: Floats) -> Scored:
    """Return the scores of the pairs that are left, summed in the declared order."""
    total, present = np.zeros(len(active)), np.zeros(len(active))
    for comparison, row in zip(match.comparisons, similarities, strict=True):
        missing = np.isnan(row)
        total += np.where(missing, 0.0, comparison.weight * row)
        present += np.where(missing, 0.0, comparison.weight)
    steps = np.where(np.isnan(similarities), -1.0, similarities * SIMILARITY_STEPS).astype(np.int8)
    scores = (averaged(match, *each) for each in zip(total.tolist(), present.tolist(), _digits(steps), strict=True))
    return [(at, score) for at, score in zip(active.tolist(), scores, strict=True) if score is not None]


def _digits(levels: NDArray[np.int8]) -> list[str]:
    """Return the text of each column of level indexes; -1 is a similarity that is missing."""
    width, count = levels.shape
    alphabet = np.frombuffer((LEVEL_DIGITS + NO_SIMILARITY).encode(), np.uint8)
    text = alphabet[levels.T].tobytes().decode()
    return [text[start : start + width] for start in range(0, width * count, width)] if width else [""] * count
