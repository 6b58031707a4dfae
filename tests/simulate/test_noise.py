"""Errors of writers, scanners and ears."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import DamerauLevenshtein

from mdm_stream.simulate.noise import misspell, mistype_digit


@given(st.integers(), st.text(max_size=40))
def test_a_misspelling_is_one_small_error(seed, text):
    """At most three edits away (a sound of three letters replaced), the same again for the same seed."""
    spoilt = misspell(Random(seed), text)
    assert spoilt == misspell(Random(seed), text)
    assert DamerauLevenshtein.distance(text, spoilt) <= 3
    assert len(text) >= 3 or spoilt == text


@given(st.integers(), st.from_regex(r"[0-9/.\- ]{0,12}", fullmatch=True))
def test_a_mistyped_digit_keeps_the_form(seed, text):
    """Length and separators stay, and at most two digits differ."""
    spoilt = mistype_digit(Random(seed), text)
    assert [c if not c.isdigit() else "0" for c in spoilt] == [c if not c.isdigit() else "0" for c in text]
    assert sum(a != b for a, b in zip(spoilt, text, strict=True)) <= 2


def test_names_are_usually_changed():
    """An ordinary name seldom escapes."""
    random = Random(1)
    assert sum(misspell(random, "Katherine") != "Katherine" for _ in range(1000)) > 950
