"""What speaks for and against a pair adds up to its score, in the order of its strength."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import BOTH_SAME, RARE, learned, small_rules

from mdm_stream.core.match.decide import bits_of
from mdm_stream.core.match.score import explain_pair
from mdm_stream.core.ruleset import Comparison
from mdm_stream.steward.evidence_balance import balance_of
from mdm_stream.steward.explain import _SCORE

RULES = small_rules()
MEAN = replace(
    RULES,
    match=replace(
        RULES.match,
        method="weighted_mean",
        deterministic=(),
        comparisons=(
            Comparison("given", (0,), (), "jaro_winkler", 2),
            Comparison("family", (1,), (), "jaro_winkler", 1.5),
            Comparison("born", (2,), (), "exact", 1),
        ),
    ),
)
LEARNED = learned(RULES)
NAMES = st.sampled_from(["ann", "anne", "bob", "lee", "leigh", None])
DATES = st.sampled_from(["1980-01-01", "1980-01-02", "1991-05-05", None])
EMAILS = st.sampled_from([(), ("a@x.org",)])
RECORDS = st.tuples(NAMES, NAMES, DATES, EMAILS)


def balanced(rules, a, b):
    """Return a pair's score, and its balance."""
    score = _SCORE.validate_python(explain_pair(rules, a, b))
    return score, balance_of(score)


@given(a=RECORDS, b=RECORDS, rules=st.sampled_from([RULES, MEAN, LEARNED]))
@settings(max_examples=200, deadline=None)
def test_the_steps_lead_from_the_start_to_the_total(a, b, rules):
    """Each comparison is in it once; steps join without a gap, strongest first, and end at what was scored."""
    score, balance = balanced(rules, a, b)
    if balance is None:
        assert score.confidence is None
        return
    steps = [*balance.speaks_for, *balance.speaks_against]
    named = [each.name for each in [*steps, *balance.silent]]
    together = [" + ".join(each.comparisons) for each in getattr(score, "dependences", []) if each.bits]
    assert sorted(named) == sorted([*(each.name for each in score.comparisons), *together])
    at = balance.start
    for step in steps:
        assert step.begins == at
        assert step.ends - step.begins == pytest.approx(step.amount, abs=1e-5)
        at = step.ends
    assert balance.total == at
    assert [each.amount for each in balance.speaks_for] == sorted((e.amount for e in balance.speaks_for), reverse=True)
    assert [each.amount for each in balance.speaks_against] == sorted(each.amount for each in balance.speaks_against)
    assert all(each.amount > 0 for each in balance.speaks_for)
    assert all(each.amount < 0 for each in balance.speaks_against)
    if balance.counted:
        scored = score.weight if balance.unit == "bits" else score.confidence
        assert balance.total == pytest.approx(scored, abs=1e-5)
        decision = "LINK" if balance.total >= balance.link_from else "other"
        assert abs(balance.total - balance.link_from) < 1e-5 or (score.decision == "LINK") == (decision == "LINK")


def test_what_is_missing_says_nothing():
    """A comparison that lacks a value is neither for nor against, and is named as missing."""
    _, balance = balanced(RULES, ("ann", None, None, ()), ("ann", "lee", "1980-01-01", ()))
    assert [each.name for each in balance.speaks_for] == ["given_name"]
    assert [(each.name, each.missing) for each in balance.silent] == [("family_name", True), ("birth_date", True)]
    _, balance = balanced(MEAN, ("ann", None, None, ()), ("ann", "lee", "1980-01-01", ()))
    assert [(each.name, each.missing) for each in balance.silent] == [("family", True), ("born", True)]


def test_what_a_model_learned_is_in_it():
    """A rare value speaks with its comparison; two comparisons that are not independent are a step of their own."""
    _, balance = balanced(LEARNED, ("ann", "lee", None, ()), ("ann", "lee", None, ()))
    steps = {each.name: (each.label, each.amount) for each in (*balance.speaks_for, *balance.speaks_against)}
    assert steps["given_name"] == ("exact, rare value", 3.0 + RARE)
    assert steps["given_name + family_name"] == ("together", BOTH_SAME)


def test_thresholds_are_in_the_unit_of_the_steps():
    """In bits where evidence is added up; as they are for a mean, which starts at the link threshold."""
    same = ("ann", "lee", "1980-01-01", ())
    _, balance = balanced(RULES, same, same)
    assert (balance.link_from, balance.review_from) == pytest.approx((bits_of(0.85), bits_of(0.3)), abs=1e-6)
    _, balance = balanced(MEAN, same, same)
    assert (balance.start, balance.link_from, balance.review_from, balance.total) == (0.85, 0.85, 0.3, 1.0)


def test_a_rule_that_decides_makes_the_comparisons_not_count():
    """The balance is still what the comparisons say, and says that they did not count."""
    score, balance = balanced(RULES, ("ann", "lee", None, ("a@x.org",)), ("bob", "kim", None, ("a@x.org",)))
    assert score.rule.name == "same_email"
    assert not balance.counted
    assert balance.total < 0 < score.weight
