"""Weights of drafted comparisons follow from how often values agree by chance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.standardise import TYPE_OPTIONS
from mdm_stream.draft.weights import ValueChance, agreement_bits, levels_of, prior_of

CHANCES = st.builds(ValueChance, st.integers(2, 10**6), st.integers(1, 10**6), st.floats(0, 1))


@given(st.sampled_from(sorted(TYPE_OPTIONS)), CHANCES)
def test_levels_fall_from_equal_to_else(kind, chance):
    """Equal values never say less than alike ones; nothing missing says anything; what differs never speaks for."""
    levels = levels_of("attribute", kind, "", chance)
    if levels:
        assert (levels[0].when, levels[0].bits) == ("null", 0.0)
        assert levels[1].when == "exact"
        assert levels[-1].when == "else"
        assert levels[-1].bits <= 0
        assert all(level.bits <= levels[1].bits for level in levels)


@given(st.sampled_from(sorted(TYPE_OPTIONS)), st.integers(2, 10**6), st.floats(1e-6, 1), st.floats(1e-6, 1))
def test_what_agrees_more_often_by_chance_weighs_less(kind, present, one, other):
    """A value that random records share seldom says more than one that they share often."""
    rare, common = sorted((one, other))
    first, second = (agreement_bits(kind, ValueChance(present, 1, each)) for each in (rare, common))
    assert first >= second >= 0


@pytest.mark.parametrize(
    ("records", "prior"), [(100, 1e-3), (1_000, 1e-3), (10_000, 1e-4), (120_000, 8e-6), (10**9, 1e-7)]
)
def test_the_prior_falls_with_the_records(records, prior):
    """One other record of a thing among so many: the more there are, the less likely a random one is it."""
    assert prior_of(records) == prior


def test_a_title_is_compared_by_its_words_and_numbers():
    """A shared model number weighs as an identifier does, another one speaks against, and words count by weight."""
    levels = {level.when: level.bits for level in levels_of("title", "text", "title", ValueChance(1_000, 990, 1e-5))}
    assert levels["{title: shared_code, shared_words: 0.35}"] > levels["{shared_words: 0.75}"] > 0
    assert levels["{title: other_code}"] < 0
    assert levels["{shared_words: 0.9}"] > levels["{shared_words: 0.45}"] > levels["else"]


def test_sizes_that_many_titles_share_are_no_model_numbers():
    """Where many things share a code (4x40), sharing one says nothing, and another one still speaks against."""
    chance = ValueChance(1_000, 990, 1e-5)
    levels = [level.when for level in levels_of("title", "text", "title", chance, shares_codes=True)]
    assert not any("shared_code" in when for when in levels)
    assert "{title: other_code}" in levels
    assert "{shared_words: 0.75}" in levels
