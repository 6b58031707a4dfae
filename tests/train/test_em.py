"""Expectation maximisation: it finds what pairs were simulated with, and is the obvious computation, only faster."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm_stream.train import em
from mdm_stream.train.em import estimate
from mdm_stream.train.training_evidence import WRITTEN_BITS_APART_MAX as APART
from mdm_stream.train.training_evidence import GradedComparison, TrainingEvidence
from mdm_stream.train.vectors import level_counts
from mdm_stream.train.weights import PRIOR_BITS

LEVELS = 4  # missing, exact, near, else
MATCHES = 2_000
M = np.array([[0.90, 0.06, 0.04], [0.80, 0.10, 0.10], [0.95, 0.02, 0.03], [0.70, 0.05, 0.25]])
U = np.array([[0.002, 0.01, 0.988], [0.01, 0.03, 0.96], [0.0005, 0.002, 0.9975], [0.02, 0.02, 0.96]])
WRITTEN = np.array([0.0, 6.0, 3.0, -3.0])


def drawn(randomness: np.random.Generator, shares: np.ndarray, pairs: int) -> np.ndarray:
    """Return levels of pairs, one in ten of which is missing."""
    columns = [randomness.choice(3, size=pairs, p=each) + 1 for each in shares]
    levels = np.stack(columns, axis=1).astype(np.int8)
    levels[randomness.random(levels.shape) < 0.1] = 0
    return levels


def keys_of(levels: np.ndarray) -> np.ndarray:
    """Key ``k`` finds the pairs that agree in comparison ``k``."""
    return ((levels == 1).astype(np.uint64) << np.arange(levels.shape[1], dtype=np.uint64)).sum(axis=1, dtype=np.uint64)


def simulated(seed: int, *, others: int = 400_000) -> TrainingEvidence:
    """Return what is gathered of so many matches and other pairs; candidates are pairs that agree somewhere."""
    randomness = np.random.default_rng(seed)
    matches, apart = drawn(randomness, M, MATCHES), drawn(randomness, U, others)
    levels = np.concatenate([matches, apart])
    keys = keys_of(levels)
    found = keys != 0
    return TrainingEvidence(
        comparisons=tuple(
            GradedComparison(f"c{place}", WRITTEN, np.array([True, False, False, False]), False, 0b1111 & ~(1 << place))
            for place in range(len(M))
        ),
        candidates=level_counts(levels[found], keys[found]),
        random=level_counts(drawn(randomness, U, 300_000)),
        pairs_in_all=float(len(levels)),
        share=1.0,
        apart_keys=tuple(0b1111 & ~(1 << place) for place in range(len(M))),
    )


def test_known_parameters_are_recovered():
    """From pairs of known m, u and prior, with candidates that blocking chose, all of them are found again.

    No weight moves further from the written one than it may.
    """
    evidence = simulated(7)
    found = estimate(evidence, 1e-4)
    assert found.converged
    for place, weights in enumerate(found.weights):
        assert weights.m[1:] == pytest.approx(M[place], abs=0.05)
        assert weights.u[1:] == pytest.approx(U[place], rel=0.25)
        near = np.clip(np.log2(M[place] / U[place]), WRITTEN[1:] - APART, WRITTEN[1:] + APART)
        assert weights.bits[1:] == pytest.approx(near, abs=0.6)
        assert weights.bits[0] == 0.0
    assert found.prior == pytest.approx(MATCHES / (MATCHES + 400_000), rel=0.1)


def test_blocking_would_mislead_without_care():
    """Counted on all candidates, agreement on what keys read comes out too frequent; it does not as it is counted."""
    evidence = simulated(11)
    careless = replace(evidence, comparisons=tuple(replace(each, apart=0b1111) for each in evidence.comparisons))
    found, misled = estimate(evidence, 1e-4), estimate(careless, 1e-4)
    wrong = [abs(each.m[1] - share[0]) for each, share in zip(found.weights, M, strict=True)]
    more_wrong = [abs(each.m[1] - share[0]) for each, share in zip(misled.weights, M, strict=True)]
    assert sum(wrong) < sum(more_wrong)


@st.composite
def evidences(draw: st.DrawFn) -> TrainingEvidence:
    """A few pairs of any levels and keys, with comparisons of any weights."""
    comparisons, keys = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    level = st.integers(0, LEVELS - 1)
    rows = st.lists(st.tuples(*[level] * comparisons), min_size=1, max_size=12)
    candidates, random = draw(rows), draw(rows)
    masks = draw(st.lists(st.integers(1, 2**keys - 1), min_size=len(candidates), max_size=len(candidates)))
    known = tuple(
        GradedComparison(
            f"c{place}",
            np.array(draw(st.tuples(*[st.floats(-6, 6)] * LEVELS))),
            np.array([draw(st.booleans()), False, False, False]),
            draw(st.integers(0, 4)) == 0,
            draw(st.integers(0, 2**keys - 1)),
        )
        for place in range(comparisons)
    )
    return TrainingEvidence(
        known,
        level_counts(np.array(candidates, np.int8), np.array(masks, np.uint64)),
        level_counts(np.array(random, np.int8)),
        float(draw(st.integers(len(candidates), 1_000))),
        1.0,
        tuple(draw(st.integers(0, 2**keys - 1)) & ~(1 << key) for key in range(keys)),
    )


@settings(max_examples=40, deadline=None)
@given(evidences(), st.floats(0.001, 0.5), st.integers(1, 4))
def test_it_is_the_obvious_computation(evidence: TrainingEvidence, prior: float, steps: int):
    """Vectorised over counts it gives what loops over pairs and levels give, step by step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(em, "ITERATIONS_MAX", steps)
        patch.setattr(em, "CONVERGED_BITS", -1.0)
        found = estimate(evidence, prior)
    bits, expected_prior = slowly(evidence, prior, steps)
    assert found.prior == pytest.approx(expected_prior, rel=1e-6)
    for each, expected in zip(found.weights, bits, strict=True):
        assert each.bits == pytest.approx(expected, abs=1e-5)


def slowly(evidence: TrainingEvidence, prior: float, steps: int) -> tuple[list[list[float]], float]:
    """Expectation maximisation, pair by pair."""
    bits = [each.written.tolist() for each in evidence.comparisons]
    candidates = [
        (row.tolist(), int(mask))
        for row, mask, count in zip(evidence.candidates.levels, evidence.candidates.keys, evidence.candidates.counts,
                                    strict=True)
        for _ in range(int(count))
    ]  # fmt: skip
    random = [
        row.tolist()
        for row, count in zip(evidence.random.levels, evidence.random.counts, strict=True)
        for _ in range(int(count))
    ]

    def probability(row: list[int]) -> float:
        weight = math.log2(prior / (1 - prior)) + sum(each[level] for each, level in zip(bits, row, strict=True))
        return 1 / (1 + 2**-weight)

    step = 0
    while True:
        matched = [probability(row) for row, _ in candidates]
        apart = [1 - probability(row) for row in random]
        prior = slow_prior(evidence, [mask for _, mask in candidates], matched)
        if step >= steps:
            return bits, prior
        new = []
        for column, known in enumerate(evidence.comparisons):
            use = [bool(mask & known.apart) for _, mask in candidates]
            use = use if any(use) else [True] * len(candidates)
            at_match, at_other = [0.0] * LEVELS, [0.0] * LEVELS
            for (row, _), share, used in zip(candidates, matched, use, strict=True):
                at_match[row[column]] += share * used
            for row, share in zip(random, apart, strict=True):
                at_other[row[column]] += share
            new.append(slow_weights(known, at_match, at_other))
        bits, step = new, step + 1


def slow_prior(evidence: TrainingEvidence, masks: list[int], matched: list[float]) -> float:
    """Chapman's estimate from each key and those apart from it; the middle one counts."""
    found = sum(matched)
    estimates = []
    for key, apart in enumerate(evidence.apart_keys):
        if apart:
            own = sum(share for mask, share in zip(masks, matched, strict=True) if mask >> key & 1)
            other = sum(share for mask, share in zip(masks, matched, strict=True) if mask & apart)
            both = sum(share for mask, share in zip(masks, matched, strict=True) if mask >> key & 1 and mask & apart)
            if both >= em.RECAPTURED_MIN:
                estimates.append((own + 1) * (other + 1) / (both + 1) - 1)
    in_all = min(max(found, float(np.median(estimates))) if estimates else found, found / em.COVERAGE_MIN)
    return min(em.PRIOR_MAX, max(1 / (2 * evidence.pairs_in_all), in_all / evidence.pairs_in_all))


def slow_weights(known: GradedComparison, at_match: list[float], at_other: list[float]) -> list[float]:
    """The weight of each level by a search for the greatest posterior density."""
    if known.kept:
        return known.written.tolist()
    told = [level for level in range(LEVELS) if not known.missing[level]]
    matches, others = (sum(counts[level] for level in told) for counts in (at_match, at_other))
    weights = known.written.tolist()
    if matches <= 0 or others <= 0:
        return weights
    for level in told:
        written = float(known.written[level])
        found = greatest(at_match[level], at_other[level], matches, others, written)
        weights[level] = min(max(found, written - APART), written + APART)
    return weights


def greatest(match: float, other: float, matches: float, others: float, written: float) -> float:
    """Return the b of the greatest log posterior, by golden-section search: it is concave."""

    def density(b: float) -> float:
        odds = matches * 2**b / others
        return match * math.log(odds / (1 + odds)) - other * math.log(1 + odds) - (b - written) ** 2 / 2 / PRIOR_BITS**2

    low, high, golden = -40.0, 40.0, (math.sqrt(5) - 1) / 2
    for _ in range(120):
        first, second = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, second) if density(first) > density(second) else (first, high)
    return (low + high) / 2


@settings(max_examples=30, deadline=None)
@given(evidences(), st.randoms(use_true_random=False))
def test_the_order_of_pairs_changes_nothing(evidence: TrainingEvidence, randomness):
    """The same pairs in any order are the same counts, to the last bit."""
    levels = np.repeat(evidence.candidates.levels, evidence.candidates.counts.astype(int), axis=0)
    keys = np.repeat(evidence.candidates.keys, evidence.candidates.counts.astype(int))
    order = list(range(len(levels)))
    randomness.shuffle(order)
    again = level_counts(levels[order], keys[order])
    for name in ("levels", "keys", "counts"):
        assert np.array_equal(getattr(again, name), getattr(evidence.candidates, name))


def test_nothing_is_learned_from_nothing():
    """Without candidates every weight stays as it was written."""
    evidence = replace(simulated(3, others=2_000), candidates=level_counts(np.zeros((0, 4), np.int8)))
    found = estimate(evidence, 1e-3)
    assert found.matches == 0
    assert all((each.bits == WRITTEN).all() for each in found.weights)
