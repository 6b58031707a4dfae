"""The order of the review queue: what is worth more comes first, and it is a function of F's result."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from small_world import HISTORIES, small_rules

from mdm_stream.core.cluster.review_order import ReviewEntry, first_in_order, ordered_review
from mdm_stream.core.reference import resolve


def entry(pair, confidence, sizes=(1, 1), reason="score", answered=False):
    """Return an entry of which nothing else counts."""
    item = {"reason": reason, "confidence": confidence, "answered": answered}
    return ReviewEntry(pair, item, ("g1", "g2"), sizes)


def pairs(entries):
    """Return the pairs of entries, in order."""
    return [each.pair for each in entries]


def test_an_item_is_worth_the_pairs_that_one_answer_puts_right():
    """A doubtful pair between two large clusters comes before a likely one between two single records."""
    large = entry(("a", "b"), 0.4, (10, 20))
    small = entry(("c", "d"), 0.8)
    assert (large.expected_pairs, small.expected_pairs) == (80.0, 0.8)
    assert pairs(first_in_order([small, large], 2)) == [("a", "b"), ("c", "d")]


def test_contradictions_come_first_and_ties_go_by_the_pair():
    """Two decisions that cannot both hold are not weighed against doubts; among equals the smaller pair is first."""
    worth_most = entry(("a", "b"), 0.9, (50, 50))
    contradiction = entry(("x", "y"), 1.0, reason="contradiction", answered=True)
    tied = [entry(("c", f"d{n}"), 0.5) for n in range(3)]
    found = first_in_order([*reversed(tied), worth_most, contradiction], 9)
    assert pairs(found) == [("x", "y"), ("a", "b"), ("c", "d0"), ("c", "d1"), ("c", "d2")]


def test_what_a_verdict_has_answered_comes_last_whatever_refused_the_link():
    """However much it would be worth; among themselves answered items are ordered as all others are."""
    answered = [
        entry(("a", "b"), 0.9, (50, 50), "max_cluster_size", answered=True),
        entry(("c", "d"), 0.9, (60, 60), "separated", answered=True),
    ]
    found = first_in_order([*answered, entry(("e", "f"), 0.4, reason="exclusive"), entry(("g", "h"), 0.3)], 9)
    assert pairs(found) == [("e", "f"), ("g", "h"), ("c", "d"), ("a", "b")]


@pytest.mark.parametrize("limit", [1, 7, 2_000])
def test_a_long_queue_in_any_order_gives_the_same_beginning(limit):
    """The first items are those of the whole queue sorted, however it is read, and whatever is met twice."""
    randomness = random.Random(limit)
    entries = [entry(("a", f"b{n:05}"), randomness.choice([0.4, 0.5, 0.6]), (1, n % 9 + 1)) for n in range(5_000)]
    wanted = sorted(entries, key=lambda each: each.order)[:limit]
    read = entries + randomness.sample(entries, 2_000)
    randomness.shuffle(read)
    assert first_in_order(read, limit) == wanted


@given(history=HISTORIES)
@settings(max_examples=60, deadline=None)
def test_the_order_is_a_function_of_the_result(history):
    """It has each item of the queue once, between two clusters; worth falls within each of three tiers."""
    found = resolve(small_rules(), history)
    entries = ordered_review(found.crosswalk, found.review)
    assert sorted(pairs(entries)) == sorted(found.review)
    members = [*found.crosswalk.values()]
    for each in entries:
        assert each.golden_ids[0] != each.golden_ids[1]
        assert each.sizes == tuple(members.count(golden_id) for golden_id in each.golden_ids)
    tiers = ["contradiction" if e.item["reason"] == "contradiction" else e.item["answered"] for e in entries]
    assert tiers == sorted(tiers, key=["contradiction", False, True].index)
    for tier in set(tiers):
        worths = [e.expected_pairs for e, its_tier in zip(entries, tiers, strict=True) if its_tier == tier]
        assert worths == sorted(worths, reverse=True)
    shuffled = dict(random.Random(1).sample([*found.review.items()], len(found.review)))
    assert ordered_review(found.crosswalk, shuffled) == entries
