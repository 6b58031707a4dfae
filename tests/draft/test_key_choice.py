"""Blocking keys are chosen by the pairs that they make of the data."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.draft.key_choice import (
    KEY_PAIRS_A_RECORD_MAX,
    PAIRS_A_RECORD_MAX,
    RECORDS_MIN,
    WORD_ABOVE,
    KeyCandidate,
    KeyMeasure,
    candidates,
    chosen_keys,
    measured_key,
)

SIZES = st.lists(st.integers(1, 400), max_size=60)


@given(SIZES, st.integers(2, 300))
def test_pairs_are_those_of_blocks_that_are_small_enough(sizes, limit):
    """A block of n makes n (n - 1) / 2 pairs, one that is too large none; each record counts in each of its blocks."""
    found = measured_key(sizes, limit)
    assert found.records == sum(sizes)
    assert found.pairs == sum(n * (n - 1) // 2 for n in sizes if n <= limit)
    assert found.suspended == sum(n for n in sizes if n > limit)
    assert found.largest <= limit


@given(st.lists(SIZES, min_size=1, max_size=12), st.integers(1, 5_000))
def test_chosen_keys_are_affordable_and_there_is_one(keys, records):
    """All chosen keys together stay within the pairs of a record; where none does, the most selective one is taken."""
    measured = [
        (KeyCandidate(f"k{place}", f"a{place}", is_packs=False), measured_key(sizes, 200))
        for place, sizes in enumerate(keys)
    ]
    found = chosen_keys(measured, records)
    chosen = [each for each in found if each.is_chosen]
    assert [each.candidate for each in found] == [candidate for candidate, _ in measured]
    assert chosen
    if len(chosen) > 1:
        assert sum(each.measure.pairs for each in chosen) <= PAIRS_A_RECORD_MAX * max(records, RECORDS_MIN)
        assert all(each.measure.pairs <= KEY_PAIRS_A_RECORD_MAX * max(records, RECORDS_MIN) for each in chosen)
    assert found == chosen_keys(measured, records)


def test_a_key_that_nobody_shares_is_left_out():
    """A key without pairs finds nothing, and says so; one whose blocks are too large says that."""
    measured = [
        (KeyCandidate("unique", "id_card", is_packs=False), KeyMeasure(50, 50, 0, 1, 0)),
        (KeyCandidate("city", "city", is_packs=False), KeyMeasure(500, 1, 0, 0, 500)),
        (KeyCandidate("name", "name", is_packs=False), KeyMeasure(500, 480, 30, 3, 0)),
    ]
    unique, city, name = chosen_keys(measured, 500)
    assert (unique.is_chosen, city.is_chosen, name.is_chosen) == (False, False, True)
    assert "no two records" in unique.said
    assert "too large" in city.said


def test_keys_for_the_records_to_come_stay():
    """A file without a duplicate, or of one row, says nothing against a key of the pack, or of what is one thing's."""
    measured = [
        (KeyCandidate("email_local", "local(email)", is_packs=True), KeyMeasure(50, 50, 0, 1, 0)),
        (KeyCandidate("same_email", "email", is_packs=False), KeyMeasure(50, 50, 0, 1, 0)),
        (KeyCandidate("title_start", "first(title, 8)", is_packs=False), KeyMeasure(50, 50, 0, 1, 0)),
        (KeyCandidate("absent", "passport", is_packs=True), KeyMeasure(0, 0, 0, 0, 0)),
        (KeyCandidate("name", "name", is_packs=False), KeyMeasure(50, 40, 30, 3, 0)),
    ]
    found = chosen_keys(measured, 50)
    assert [each.is_chosen for each in found] == [True, True, False, False, True]
    assert "no two records share it yet" in found[0].said


def test_candidates_follow_from_the_attributes():
    """Products get words of titles with what stands beside, persons parts of both names; packs' keys stay."""
    found = {each.expression for each in candidates({"title": "text", "brand": "text", "gtin": "identifier"}, [])}
    assert {"gtin", "sorted_tokens(title)", "token(title, 3)"} <= found
    persons = candidates({"given_name": "name", "family_name": "name"}, [("own", "family_name")])
    assert persons[0] == KeyCandidate("own", "family_name", is_packs=True)
    assert "first(given_name, 3) + first(family_name, 4)" in {each.expression for each in persons}


def test_words_of_titles_make_candidates_of_few():
    """A word that many records share makes no candidates; one of a pack's names has the pack's own keys beside."""
    types = {"title": "text", "brand": "text", "price": "number", "year": "number"}
    found = {each.name: each for each in candidates(types, [])}
    word = found["title_word"]
    assert (word.expression, word.refine, word.above) == ("token(title, 3)", (), WORD_ABOVE)
    assert "title_long_word" not in found
    assert found["title_price"].expression == "token(title, 4) + price"
    extended = {each.name: each for each in candidates({"name": "text", "city": "city"}, [("own", "name")])}
    assert (extended["name_word"].expression, extended["name_word"].above) == ("token(name, 4)", None)
