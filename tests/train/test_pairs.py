"""Pairs to learn from: every candidate once with all keys that find it, an even share of many, and random ones."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm_stream.core.match.compare import level_of
from mdm_stream.core.match.level_vectors import level_vectors
from mdm_stream.core.ruleset import Comparison, Level, Predicate
from mdm_stream.train.pairs import candidate_pairs, random_pairs

TAGS = ("aa", "bb", "cc")
KEYS = st.lists(
    st.lists(st.builds("{}:{}".format, st.sampled_from(TAGS), st.integers(0, 3)), unique=True, max_size=4), max_size=9
)


@settings(max_examples=100, deadline=None)
@given(KEYS, st.integers(2, 5), st.integers(0, 2**63))
def test_candidates_are_those_of_blocks_at_work(keys: list[list[str]], max_block_size: int, seed: int):
    """Each pair that shares a key of a block that is not too large, with a bit for each expression that finds it."""
    blocks: dict[str, list[int]] = {}
    for row, own in enumerate(keys):
        for key in own:
            blocks.setdefault(key, []).append(row)
    expected: dict[tuple[int, int], int] = {}
    for key, rows in blocks.items():
        if len(rows) <= max_block_size:
            for pair in combinations(rows, 2):
                expected[pair] = expected.get(pair, 0) | 1 << TAGS.index(key.partition(":")[0])
    found = candidate_pairs(keys, dict.fromkeys(TAGS, max_block_size), seed=seed)
    pairs = zip(found.left.tolist(), found.right.tolist(), strict=True)
    assert dict(zip(pairs, found.keys.tolist(), strict=True)) == expected
    assert found.share == 1.0


def test_of_many_an_even_share_is_drawn():
    """About so many as allowed are kept, the same ones for one seed and others for another."""
    keys = [[f"aa:{row % 40}", f"bb:{row % 33}"] for row in range(2_000)]
    every = candidate_pairs(keys, dict.fromkeys(TAGS, 100), seed=1)
    some, again, other = (
        candidate_pairs(keys, dict.fromkeys(TAGS, 100), seed=seed, pairs_max=20_000) for seed in (1, 1, 2)
    )
    assert 0.9 * 20_000 < len(some.left) < 1.1 * 20_000
    assert some.share * len(every.left) == len(some.left) or abs(some.share * len(every.left) - len(some.left)) < 1_500
    assert np.array_equal(some.left, again.left)
    assert not np.array_equal(some.left[:100], other.left[:100])


def test_random_pairs_are_of_two_records():
    """All pairs where they are few; else so many, each of two different records, spread evenly."""
    left, right = random_pairs(20, seed=3)
    assert sorted(zip(left.tolist(), right.tolist(), strict=True)) == list(combinations(range(20), 2))
    left, right = random_pairs(1_000, seed=3, pairs_max=50_000)
    assert len(left) == 50_000
    assert (left != right).all()
    for side in (left, right):
        counts = np.bincount(side, minlength=1_000)
        assert 15 < counts.min() < counts.max() < 110
    assert [len(side) for side in random_pairs(1, seed=0)] == [0, 0]


VALUES = st.sampled_from([None, "ann", "anna", "bob", "bobby", "zoe"])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8))
def test_levels_are_those_of_the_scalar_comparison(records: list):
    """For every pair and comparison, without leaving one out."""
    whens = [(Predicate("null", (0,)),), (Predicate("exact", (0,)),), (Predicate("jaro_winkler", (0,), 0.8),)]
    levels = tuple(Level("", when, 0.0) for when in [*whens, (Predicate("else", ()),)])
    other = (Level("", (Predicate("exact", (1,)), Predicate("prefix", (0,), 2.0)), 1.0), levels[-1])
    comparisons = [Comparison("one", (0,), levels), Comparison("other", (1,), other)]
    left, right = (np.array(side) for side in zip(*[(a, b) for a in range(len(records)) for b in range(len(records))],
                                                  strict=True))  # fmt: skip
    found = level_vectors(comparisons, records, left, right)
    for row, (a, b) in enumerate(zip(left, right, strict=True)):
        assert found[row].tolist() == [level_of(each, records[a], records[b]) for each in comparisons]
