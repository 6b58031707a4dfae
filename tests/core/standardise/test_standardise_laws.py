"""The laws that hold of every type, whatever the text."""

import itertools
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mdm_stream.core.model import MISSING
from mdm_stream.core.standardise import MATCH_LENGTH_MAX, STANDARDISERS, TYPE_OPTIONS, clean, fold
from mdm_stream.core.standardise.text import is_blank

TYPES = sorted(STANDARDISERS)
ALL_OPTIONS = {
    "full_name": [{"order": "given_first"}, {"order": "family_first"}],
    "postcode": [{}, {"country": "US"}],
    "phone": [{}, {"region": "AU"}, {"region": "IT"}],
    "date": [
        {"day_first": first, "pivot": 50, "epoch_days": days} for first in (True, False) for days in (True, False)
    ],
    "number": [{}, {"decimal_comma": True}],
    "category": [{}, {"synonyms": "m=male; f=female"}],
}
CASES = [(name, options) for name in TYPES for options in ALL_OPTIONS.get(name, [{}])]

# Text of the kinds that sources send, and of the kinds that they should not: every code point, lone surrogates too.
FRAGMENTS = st.sampled_from([
    "O'", "van der", "St.", "#", "4/12", "P.O. Box", "&", "Ltd", "Apt", "Jr", "1984", "06", "19", "/", "-", ".", ",",
    "@", "+1", "(0)", "gmail.com", "Jun", "1,234", "€", "N/A", "0", "00", "\u202e", "\u200d", "ß", "İ", "ﬁ", "½", "é",
    "e\u0301", "\u0301", "हिन्दी", "日本", "한", "ـ", "\x00", "\t", "<", ">", "mailto:", "http://", "www.", "12345",
    "T10:00", "e5", "%", "third", "north", "east", "strasse", "bis", "no", "floor", "5th", "١٢", ";", "x12", "'",
])  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(), max_size=20),
    st.lists(FRAGMENTS, max_size=8).map("".join),
    st.lists(FRAGMENTS, max_size=8).map(" ".join),
    st.text("0123456789+-/.,:() xT", max_size=24),
)


@pytest.mark.parametrize(("name", "options"), CASES)
@settings(max_examples=80, deadline=None)
@given(text=TEXTS)
@example(text="\ud800")
@example(text="mailto:<mailto:none@none>")
def test_total_and_idempotent(name, options, text):
    """Any text gives a Standardised, and standardising its value again gives the same value, match and validity."""
    once = STANDARDISERS[name](text, options)
    if once.value is None:
        assert once == MISSING
        return
    assert isinstance(once.value, str)
    assert once.match is None or (isinstance(once.match, str) and 0 < len(once.match) <= MATCH_LENGTH_MAX)
    (once.value + (once.match or "")).encode("utf-8")
    assert STANDARDISERS[name](once.value, options) == once


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("unit", ["a", "1, ", "é ", "😀", "(<@", "van 1/", "\x00"])
def test_a_megabyte_is_standardised(name, options, unit):
    """A text of a megabyte is no error, and its match stays within the documented length."""
    result = STANDARDISERS[name]((unit * (1 << 20))[: 1 << 20], options)
    assert result.match is None or len(result.match) <= MATCH_LENGTH_MAX


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_clean_is_idempotent_and_printable(text):
    """Cleaning twice is cleaning once, and leaves no control character, no surrogate and no doubled space."""
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in cleaned)
    assert "  " not in cleaned
    assert cleaned == cleaned.strip()


LATIN = "abcdefghijklmnopqrstuvwxyzàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿßłđőűșțžščřůěąę"
GREEK, CYRILLIC = ("".join(map(chr, range(first, first + 25))) for first in (0x3B1, 0x430))
LETTERS = LATIN + GREEK + CYRILLIC
WORDS = st.lists(st.text(LETTERS, min_size=1, max_size=8), min_size=1, max_size=3)
FOLDING_TYPES = ["name", "full_name", "text", "organisation", "address", "city", "region", "country", "category"]


@pytest.mark.parametrize("name", FOLDING_TYPES)
@settings(max_examples=60, deadline=None)
@given(words=WORDS, gap=st.sampled_from([" ", "  ", "\t", " \n ", "\u00a0"]))
def test_case_accents_and_spaces_do_not_matter(name, words, gap):
    """The match of a text is that of its upper case, its decomposed form, its bare letters, and any white space."""
    standardise = STANDARDISERS[name]
    text = " ".join(words)
    expected = standardise(text, {}).match
    bare = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    for variant in (text.upper(), text.title(), unicodedata.normalize("NFD", text), bare, f" {gap.join(words)}{gap}"):
        assert standardise(variant, {}).match == expected


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_folding_never_empties_a_text_of_letters_and_digits(text):
    """A text that holds a letter or digit which is no mere modifier still holds one after folding."""
    kinds = {unicodedata.category(c) for c in unicodedata.normalize("NFKD", clean(text))}
    if kinds & {"Lu", "Ll", "Lo", "Nd"}:
        assert not is_blank(fold(clean(text)))


ADDRESS_PARTS = {
    "number": ["12", "12a"],
    "street": ["High Street", "North High St.", "Fifth Avenue", "Saint James's Road"],
    "unit": ["Apt 4", "#4", "Level 5", "Flat B"],
}


@pytest.mark.parametrize("parts", list(itertools.product(*ADDRESS_PARTS.values())))
def test_the_order_of_address_parts_does_not_matter(parts):
    """Number, street and unit give one match in whatever order they are written."""
    standardise = STANDARDISERS["address"]
    matches = {standardise(", ".join(order), {}).match for order in itertools.permutations(parts)}
    assert len(matches) == 1


def test_options_are_declared_for_every_type():
    """Each type declares its options, and each default is acceptable to its own declaration."""
    assert set(TYPE_OPTIONS) == set(STANDARDISERS)
    for options in TYPE_OPTIONS.values():
        for option in options.values():
            assert option.problem_with(option.default) is None
            assert option.description
