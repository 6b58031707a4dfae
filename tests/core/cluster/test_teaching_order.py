"""The order by what an answer teaches: many open, few decided, near the threshold; the same however it is read."""

from __future__ import annotations

import random

import pytest

from mdm_stream.core.cluster.review_order import ReviewEntry
from mdm_stream.core.cluster.teaching_order import first_teaching, lowered_variance, nearness, pattern_of

LINK_BITS = 4.0


def entry(number, level, bits=LINK_BITS, sizes=(1, 1), reason="score", answered=False, confidence=0.5):
    """Return an entry of a pattern, as much as the order looks at."""
    item = {"reason": reason, "confidence": confidence, "answered": answered, "weight_bits": bits, "rule": "score",
            "evidence": {"name": level}}  # fmt: skip
    return ReviewEntry((f"crm/{number:04}", f"erp/{number:04}"), item, ("g1", "g2"), sizes)


def pattern(level):
    """The pattern of entries at a level."""
    return pattern_of(entry(0, level).item)


def levels(found):
    """The levels of what was found, in order."""
    return [each.item["evidence"]["name"] for each, _ in found]


def test_many_open_and_few_decided_come_first():
    """One verdict on a pattern answers many; what was decided often teaches little, however much of it is open."""
    many, few = [entry(n, "many") for n in range(9)], [entry(10 + n, "few") for n in range(2)]
    ((first, alike),) = first_teaching([*few, *many], 1, {}, LINK_BITS)
    assert first.pair == many[0].pair
    assert (alike.open, alike.links, alike.separates) == (9, 0, 0)
    assert alike.teaches == pytest.approx(9 * 0.25 / 9)
    found = first_teaching([*few, *many], 1, {pattern("many"): (8, 8)}, LINK_BITS)
    assert levels(found) == ["few"]


def test_near_the_threshold_comes_before_far():
    """On either side of it alike: a correction of a bit decides what is a bit away."""
    found = first_teaching(
        [entry(1, "far", bits=LINK_BITS - 6), entry(2, "near", bits=LINK_BITS - 1), entry(3, "at")], 3, {}, LINK_BITS
    )
    assert levels(found) == ["at", "near", "far"]
    assert nearness(0) == 1.0
    assert nearness(2.5) == pytest.approx(nearness(-2.5))
    assert nearness(float("inf")) < 1e-9


def test_patterns_take_turns():
    """The second question of a pattern counts as if the first had been answered: others come between."""
    entries = [entry(n, "a") for n in range(4)] + [entry(10 + n, "b") for n in range(3)]
    assert levels(first_teaching(entries, 4, {}, LINK_BITS)) == ["a", "b", "a", "b"]


def test_contradictions_first_answered_last_and_worth_within_a_pattern():
    """As in the other order; among alike questions the one that puts more pairs right."""
    entries = [
        entry(1, "a", answered=True), entry(2, "a"), entry(3, "a", sizes=(3, 3)),
        entry(4, "b", reason="contradiction", answered=True),
    ]  # fmt: skip
    found = first_teaching(entries, 9, {}, LINK_BITS)
    assert [each.pair[0] for each, _ in found] == ["crm/0004", "crm/0003", "crm/0002", "crm/0001"]
    assert [alike.open for _, alike in found] == [0, 2, 2, 2]


def test_one_verdict_lowers_a_variance_by_what_the_formula_says():
    """The expected variance of a Beta after one more verdict, by both outcomes."""
    for links, separates in ((0, 0), (3, 1), (0, 7)):
        a, b = 1 + links, 1 + separates

        def variance(a, b):
            return a * b / ((a + b) ** 2 * (a + b + 1))

        share = a / (a + b)
        after = share * variance(a + 1, b) + (1 - share) * variance(a, b + 1)
        assert lowered_variance(links, separates) == pytest.approx(variance(a, b) - after)


@pytest.mark.parametrize("limit", [1, 7, 300])
def test_a_long_queue_in_any_order_gives_the_same_beginning(limit):
    """However it is read, and whatever is met twice; a part in memory gives what the whole does."""
    randomness = random.Random(limit)
    entries = [
        entry(n, randomness.choice("abcdef"), randomness.choice([1.0, 4.0, 7.0]), (1, n % 9 + 1)) for n in range(3_000)
    ]
    whole = first_teaching(entries, len(entries), {pattern("a"): (2, 5)}, LINK_BITS)
    read = [*entries]
    randomness.shuffle(read)
    assert first_teaching(read, limit, {pattern("a"): (2, 5)}, LINK_BITS) == whole[:limit]
