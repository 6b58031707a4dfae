"""A missing value is never evidence: the law of every pack, and the levels that say what a missing value changes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm_stream.core.match.compare import deciding_rule, level_of
from mdm_stream.core.match.decide import bits_of
from mdm_stream.core.match.score import score_pair
from mdm_stream.core.model import MatchValues
from mdm_stream.core.ruleset import Comparison, Ruleset
from mdm_stream.rules import load_ruleset, pack_names

PACKS = sorted(pack_names())
TEXTS = st.sampled_from(["ann", "anna", "bo", "lee", "1980-01-02", "1980-02-01", "12 high st", "a@x.example", "123456"])
VALUE = st.none() | TEXTS | st.lists(TEXTS, min_size=2, max_size=3, unique=True).map(lambda texts: tuple(sorted(texts)))


@cache
def rules_of(pack: str) -> Ruleset:
    """Return a pack, compiled once."""
    return load_ruleset(pack)


def read_by(comparison: Comparison) -> frozenset[int]:
    """Return the attributes that any level of a comparison looks at."""
    return frozenset(at for level in comparison.levels for each in level.when for at in each.attributes)


def records(pack: str) -> st.SearchStrategy[tuple[MatchValues, MatchValues]]:
    """Return two records of a pack, each with values or none."""
    record = st.lists(VALUE, min_size=len(rules_of(pack).attributes), max_size=len(rules_of(pack).attributes)).map(
        tuple
    )
    return st.tuples(record, record)


def bits(comparison: Comparison, a: MatchValues, b: MatchValues) -> float:
    """Return what a comparison says of two records."""
    return comparison.levels[level_of(comparison, a, b)].bits


def without(values: MatchValues, blanked: frozenset[int]) -> MatchValues:
    """Return a record without some of its values."""
    return tuple(None if at in blanked else value for at, value in enumerate(values))


def comparisons() -> Iterator[object]:
    """Yield each comparison of each pack."""
    for pack in PACKS:
        for comparison in rules_of(pack).match.comparisons:
            yield pytest.param(pack, comparison, id=f"{pack}-{comparison.name}")


@pytest.mark.parametrize(("pack", "comparison"), list(comparisons()))
@settings(max_examples=30)
@given(data=st.data())
def test_a_comparison_of_what_is_missing_says_nothing(pack: str, comparison: Comparison, data: st.DataObject) -> None:
    """Where neither record, or one of them, has any value that a comparison looks at, it counts 0 bits."""
    a, b = data.draw(records(pack))
    blanked = read_by(comparison)
    assert bits(comparison, without(a, blanked), without(b, blanked)) == 0
    assert bits(comparison, without(a, blanked), b) == 0
    assert bits(comparison, a, without(b, blanked)) == 0


@pytest.mark.parametrize("pack", PACKS)
@settings(max_examples=100)
@given(data=st.data())
def test_blank_attributes_leave_the_score_of_all_else(pack: str, data: st.DataObject) -> None:
    """A pair whose attribute is blank on both sides has the weight of the comparisons that do not look at it."""
    rules = rules_of(pack)
    a, b = data.draw(records(pack))
    comparison = data.draw(st.sampled_from(rules.match.comparisons))
    blanked = read_by(comparison)
    a, b = without(a, blanked), without(b, blanked)
    score = score_pair(rules, a, b)
    others = [each for each in rules.match.comparisons if each is not comparison]
    weight = bits_of(rules.match.prior) + sum(bits(each, a, b) for each in others)
    if score is not None and not score.rule:
        assert score.weight == pytest.approx(weight)
    elif score is None and deciding_rule(rules.match, a, b) is None:
        assert weight < bits_of(rules.match.review) + 1e-9


@pytest.mark.parametrize("pack", PACKS)
@settings(max_examples=100)
@given(data=st.data())
def test_no_rule_decides_by_what_is_missing(pack: str, data: st.DataObject) -> None:
    """Two records without a value that they share are decided by no deterministic rule, and are no link."""
    rules = rules_of(pack)
    a, b = data.draw(records(pack))
    of_a = data.draw(st.sets(st.sampled_from(range(len(a)))))
    left = tuple(value if at in of_a else None for at, value in enumerate(a))
    right = tuple(None if at in of_a else value for at, value in enumerate(b))
    assert deciding_rule(rules.match, left, right) is None
    score = score_pair(rules, left, right)
    assert score is None or not score.link
