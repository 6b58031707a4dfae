"""A pack's weights are lowered to what values say in a file whose records share them often, and never raised."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.draft.lowered import lowered_comparisons
from mdm_stream.draft.strangers import StrangerPairs, stranger_pairs, telling_attributes
from mdm_stream.rules.extend import locate
from mdm_stream.rules.tree import plain, read_tree

VALUES = st.one_of(st.none(), st.sampled_from("abc"), st.tuples(st.sampled_from("ab"), st.sampled_from("cd")))
PACKS = {pack: plain(read_tree(locate(pack), pack))["match"]["comparisons"] for pack in ("person", "organisation")}
TYPES = {
    "given_name": "name", "middle_name": "name", "family_name": "name", "birth_date": "date", "city": "city",
    "postcode": "postcode",
}  # fmt: skip
COUNTED = st.tuples(st.integers(0, 10**5), st.integers(10**5, 10**6)).map(lambda each: StrangerPairs(*each))


@given(st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=25))
def test_pairs_are_counted_as_if_each_were_looked_at(rows):
    """Inclusion and exclusion give what a look at each pair gives: a missing value agrees with nothing."""
    asked, *telling = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    pairs = agreeing = 0
    for a, b in combinations(range(len(asked)), 2):
        shared = any(column[a] is not None and column[a] == column[b] for column in telling)
        if asked[a] is not None and asked[b] is not None and not shared:
            pairs += 1
            agreeing += asked[a] == asked[b]
    assert stranger_pairs(asked, telling) == StrangerPairs(agreeing, pairs)


def people(names, copies):
    """Names of 300 people, drawn from so many, with their birth dates; each person in so many records."""
    random = Random(names)
    drawn = [(f"name{random.randrange(names)}", f"day{place}") for place in range(300)]
    return [list(column) for column in zip(*(drawn * copies), strict=True)]


@pytest.mark.parametrize("names", [10, 100])
def test_records_of_one_person_do_not_make_a_name_common(names):
    """A file with each person in it four times says of a name what a file with each of them once says."""
    once, often = (stranger_pairs(asked, [telling]) for asked, telling in (people(names, 1), people(names, 4)))
    assert often.chance(0.01) == pytest.approx(once.chance(0.01), rel=0.1)


def test_what_many_records_share_tells_no_things_apart():
    """Of some columns those tell things apart whose values few records share, the most complete ones first."""
    columns = {
        "phone": [str(place) if place % 2 else None for place in range(100)],
        "email": [f"{place}@example.org" for place in range(100)],
        "year": [str(place % 3) for place in range(100)],
        "card": ["1", *[None] * 99],
    }
    assert telling_attributes(columns, "") == ["email", "phone"]
    assert telling_attributes(columns, "email") == ["phone"]


@given(st.sampled_from(sorted(PACKS)), st.dictionaries(st.sampled_from(sorted(TYPES)), COUNTED))
def test_no_weight_is_raised_and_none_against_is_touched(pack, strangers):
    """Whatever was counted, a level says at most what the pack says, a negative one what it says, and in its place."""
    for found in lowered_comparisons(PACKS[pack], TYPES, strangers):
        written = PACKS[pack][found.attribute]["levels"]
        assert len(found.levels) == len(written)
        for level, below in zip(found.levels, written, strict=True):
            assert level.bits == below["bits"] if below["bits"] <= 0 else 0 <= level.bits <= below["bits"]


def weights(pack, strangers):
    """The weight of each lowered comparison's levels by their condition."""
    found = lowered_comparisons(PACKS[pack], TYPES, strangers)
    return {each.attribute: {level.when: level.bits for level in each.levels} for each in found}


def test_a_name_of_a_small_pool_says_what_its_chance_says():
    """One given name in ten is shared: 3 bits for it, and no more for a slip, a short form or names exchanged."""
    found = weights("person", {"given_name": StrangerPairs(40_000, 400_000)})["given_name"]
    assert found["exact"] == 3.0
    assert max(found.values()) == 3.0
    assert found["else"] == -5.5


def test_a_name_of_a_large_population_keeps_its_weight():
    """Where strangers share a given name once in 90 pairs and a family name once in 150, the pack's weights stand."""
    strangers = {"given_name": StrangerPairs(4_444, 400_000), "family_name": StrangerPairs(2_666, 400_000)}
    assert not weights("person", strangers)


def test_a_handful_of_records_lowers_nothing():
    """Among ten records three that share a name say nothing of how often it is shared."""
    assert not weights("person", {"given_name": StrangerPairs(3, 45)})


def test_a_city_that_all_live_in_says_nothing():
    """The city alone is worth nothing then; a street in it what it was worth."""
    found = weights("person", {"city": StrangerPairs(390_000, 400_000)})["address"]
    assert found["{city: {jaro_winkler: 0.88}, street: null}"] == 0.0
    assert found["{street: exact, city: exact}"] == 12.0
