"""Values that too many records share: which they are, and what is left of a record without them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from small_world import small_rules

from mdm_stream.core.blocking.generic_values import compared_values, value_keys, without_values
from mdm_stream.core.blocking.keys import blocking_keys
from mdm_stream.core.blocking.limits import block_limit

RULES = small_rules(max_block_size=4, refined_above=2)
MATCH = [
    ("ann", "lee", "1980-01-01", ("a@x.org", "b@x.org")),
    ("bob", "lee", "1980-01-01", ("a@x.org",)),
    ("bob", "kim", None, ()),
    (None, "lee", None, ("b@x.org", "c@x.org")),
]


def test_only_a_key_of_one_whole_value_that_nothing_refines_stands_for_a_value():
    """A name by its sound, a combination, and a key that others refine say nothing of one value."""
    assert value_keys(RULES, blocking_keys(RULES, MATCH[0])) == ["e:a@x.org", "e:b@x.org"]
    plain = small_rules(max_block_size=4)
    assert value_keys(plain, blocking_keys(plain, MATCH[0])) == ["e:a@x.org", "e:b@x.org"]


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        (frozenset(), ("a@x.org", "b@x.org")),
        (frozenset({"e:a@x.org"}), ("b@x.org",)),
        (frozenset({"e:a@x.org", "e:b@x.org"}), ()),
        (frozenset({"e:other@x.org"}), ("a@x.org", "b@x.org")),
    ],
)
def test_what_is_left_are_the_other_values(keys, left):
    """Of several values of an attribute those go that are named, and other attributes stay."""
    assert without_values(RULES, MATCH[0], keys) == (*MATCH[0][:3], left)


def test_many_pairs_are_compared_as_each_of_them_alone():
    """In bulk, each side of a pair lacks what both share with too many, and only in that pair."""
    generic = [
        frozenset(value_keys(RULES, blocking_keys(RULES, match))) - {"e:c@x.org"} for match in MATCH
    ]  # the addresses a and b are those of too many
    pairs = list(combinations(range(len(MATCH)), 2))
    left, right = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    values, *sides = compared_values(RULES, MATCH, generic, left, right)
    for (a, b), one, other in zip(pairs, *sides, strict=True):
        shared = generic[a] & generic[b]
        assert values[one] == without_values(RULES, MATCH[a], shared)
        assert values[other] == without_values(RULES, MATCH[b], shared)


def test_a_key_has_the_limit_of_its_expression():
    """A refined key its own, never above that of the rules; what it is not known of has that of the rules."""
    assert [block_limit(RULES, key) for key in ("n:l000", "ng:l000|a", "nb:l000|1980", "e:a", "other:x")] == [
        *(2, 2, 4, 4, 4)
    ]
    assert block_limit(small_rules(max_block_size=3, refined_above=9), "n:l000") == 3
