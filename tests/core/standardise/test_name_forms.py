"""Spellings of one name, and given names that are two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.standardise import are_other_names, fold, has_known_name, nickname_root, respelt
from mdm_stream.core.standardise.text import table_rows, words

WRITTEN_OUT = {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae"}
LETTERS = st.text(st.sampled_from("bdglmnrst" + "".join(WRITTEN_OUT) + "aeiou"), min_size=1, max_size=10)
NAMES = sorted({word for (names,) in table_rows("given_names.csv") for word in names.split()})


@given(LETTERS)
def test_umlauts_and_what_stands_for_them_are_one_spelling(name: str) -> None:
    """Whether written, written out or dropped by a system, ä ö ü ø å æ lead to one spelling."""
    written_out = "".join(WRITTEN_OUT.get(letter, letter) for letter in name)
    assert respelt(fold(written_out)) == respelt(fold(name))


@given(st.text(max_size=15))
def test_respelling_is_idempotent(text: str) -> None:
    """A spelling to which others lead leads to itself."""
    assert respelt(respelt(text)) == respelt(text)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("martina", "marina"),
        ("darren", "warren"),
        ("daniel", "daniela"),
        ("dan", "daniela"),
        ("joan", "john"),
        ("christian", "christina"),
        ("jayden", "kayden"),
        ("anna", "hannah"),
        ("anna maria", "anna sofia"),
    ],
)
def test_names_that_people_bear_are_two(a: str, b: str) -> None:
    """However few letters differ, and also where one is a short form."""
    assert are_other_names(a, b)
    assert are_other_names(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("martina", "martnia"),
        ("sofia", "sophia"),
        ("mohamed", "muhammad"),
        ("dan", "daniel"),
        ("paco", "francisco"),
        ("anna maria", "maria"),
        ("katharina", "catharina"),
        ("j", "john"),
        ("王", "john"),
    ],
)
def test_slips_spellings_and_short_forms_are_no_other_names(a: str, b: str) -> None:
    """A word that is no name, a spelling of one sound, a short form and one of two names do not contradict."""
    assert not are_other_names(a, b)
    assert not are_other_names(b, a)


@given(st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_another_name_is_never_a_form_of_the_same(a: str, b: str) -> None:
    """Symmetric; no name is another than itself, or than its root."""
    assert has_known_name(a)
    assert are_other_names(a, b) == are_other_names(b, a)
    assert not are_other_names(a, nickname_root(a))


def test_the_tables_hold_what_names_become() -> None:
    """Each name stands as the standardiser leaves it, once."""
    listed = [word for (names,) in table_rows("given_names.csv") for word in names.split()]
    assert len(NAMES) > 1500
    assert len(listed) == len(NAMES)
    assert all(words(fold(name)) == name for name in NAMES)
