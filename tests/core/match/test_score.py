"""One pair: weights, confidences, decisions and their explanation."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.cluster.golden import level_label
from mdm_stream.core.match.decide import BITS_MAX, NO_SIMILARITY, bits_of, confidence_of
from mdm_stream.core.match.score import PairScore, explain_pair, score_pair
from mdm_stream.core.ruleset import Attribute, Comparison, DeterministicRule, Level, Match, Predicate, Ruleset

ELSE = (Predicate("else", ()),)
NAME = Comparison(
    "name",
    (0,),
    (
        Level("missing", (Predicate("null", (0,)),), 0.0),
        Level("equal", (Predicate("exact", (0,)),), 6.0),
        Level("close", (Predicate("jaro_winkler", (0,), 0.9),), 3.0),
        Level("other", ELSE, -6.0),
    ),
)
BORN = Comparison("born", (1,), (Level("equal", (Predicate("exact", (1,)),), 8.0), Level("other", ELSE, -4.0)))
SAME_ID = DeterministicRule("same_id", (Predicate("exact", (2,)),), True, 0.99)
NOT_THIS = DeterministicRule("not_this", (Predicate("exact", (2,)), Predicate("exact", (1,))), False, 0.99)


def rules(**changes: object) -> Ruleset:
    """Return a small rule set, its match part changed."""
    settings = {
        "method": "fellegi_sunter",
        "prior": 0.01,
        "link": 0.85,
        "review": 0.5,
        "deterministic": (),
        "comparisons": (NAME, BORN),
    }
    match = Match(**(settings | changes))
    attributes = tuple(Attribute(name, "text") for name in ("name", "born", "identity"))
    return Ruleset("person", 7, "digest", attributes, {}, (), 100, 100, match, ())


def test_weight_is_prior_and_bits() -> None:
    """The weight is the prior's bits plus those of each level, and the levels are kept."""
    score = score_pair(rules(), ("ann", "1984", None), ("ann", "1984", None))
    assert score is not None
    assert score.weight == pytest.approx(math.log2(0.01 / 0.99) + 14)
    assert (score.link, score.rule, score.levels) == (True, "", "10")
    assert score.confidence == confidence_of(score.weight)


def test_review_and_no_link() -> None:
    """A pair between the thresholds is REVIEW, one below both is nothing."""
    score = score_pair(rules(), (None, "1984", None), (None, "1984", None))
    assert score is not None
    assert not score.link
    assert score_pair(rules(), ("ann", "1984", None), ("bob", "1985", None)) is None


def test_the_shown_confidence_decides() -> None:
    """A confidence that rounds up to a threshold reaches it."""
    weight = math.log2(0.84999996 / 0.15000004)
    one = Comparison("all", (0,), (Level("always", ELSE, weight),))
    score = score_pair(rules(prior=0.5, comparisons=(one,)), ("a",), ("a",))
    assert score is not None
    assert (score.confidence, score.link) == (0.85, True)


def test_the_first_deterministic_rule_decides() -> None:
    """A rule decides outright, in order, before any comparison."""
    a, b = ("ann", "1984", "x"), ("bob", "1984", "x")
    linked = score_pair(rules(deterministic=(SAME_ID, NOT_THIS)), a, b)
    assert linked == PairScore(bits_of(0.99), 0.99, True, "same_id", "")
    assert score_pair(rules(deterministic=(NOT_THIS, SAME_ID)), a, b) is None


def test_weighted_mean_leaves_out_what_is_missing() -> None:
    """Missing values count neither for nor against, and nothing at all to compare is NO_LINK."""
    compared = (
        Comparison("name", (0,), similarity="jaro_winkler", weight=1.0),
        Comparison("born", (1,), similarity="exact", weight=3.0),
    )
    mean = rules(method="weighted_mean", comparisons=compared)
    score = score_pair(mean, ("ann", None), ("ann", "1984"))
    assert score == PairScore(BITS_MAX, 1.0, True, "", "z-")
    score = score_pair(mean, ("ann", "1984"), ("bob", "1984"))
    assert score is not None
    assert (score.confidence, score.link) == (0.75, False)
    assert score_pair(mean, (None, None), (None, None)) is None
    assert explain_pair(mean, (None, None), (None, None))["confidence"] is None


@given(st.floats(allow_nan=False))
def test_any_weight_has_a_confidence(weight: float) -> None:
    """Huge and infinite weights are safe, and the confidence is a share."""
    assert 0.0 <= confidence_of(weight) <= 1.0


@given(st.floats(0, 1))
def test_bits_are_bounded(probability: float) -> None:
    """No probability has more than the most bits, and a confidence comes back from its bits."""
    bits = bits_of(probability)
    assert abs(bits) <= BITS_MAX
    assert confidence_of(bits) == pytest.approx(probability, abs=1e-6)


@pytest.mark.parametrize("deterministic", [(), (SAME_ID,), (NOT_THIS,)])
@pytest.mark.parametrize("other", [("ann", "1984", "x"), ("ann", "1985", None), ("bob", None, "x")])
def test_explanation_agrees_with_the_score(deterministic: tuple, other: tuple) -> None:
    """What explains a pair is what decided it, is JSON, and repeats no value."""
    person = ("ann", "1984", "x")
    ruled = rules(deterministic=deterministic)
    score, explained = score_pair(ruled, person, other), explain_pair(ruled, person, other)
    text = json.dumps(explained)
    assert not any(f'"{value}"' in text for value in (*person, *other) if value)
    if score is None:
        assert explained["decision"] == "NO_LINK"
    else:
        assert explained["decision"] == ("LINK" if score.link else "REVIEW")
        assert (explained["weight"], explained["confidence"]) == (score.weight, score.confidence)
    assert [each["name"] for each in explained["comparisons"]] == ["name", "born"]
    assert (explained["rule"] or {}).get("name", "") in {"", "same_id", "not_this"}


def test_a_comparison_that_a_mean_left_out_has_a_label() -> None:
    """A review item says of each comparison how alike the two were, or that a value was missing."""
    assert level_label((), "z") == "similarity 1.00"
    assert level_label((), "0") == "similarity 0.00"
    assert level_label((), NO_SIMILARITY) == "missing"
