"""How much of a value is standardised: each type has a maximum, and what is longer is invalid, whole and unmatched."""

from dataclasses import replace

import pytest
from rulesets import ruleset

from mdm_stream.core.model import MISSING, Standardised
from mdm_stream.core.ruleset import Attribute
from mdm_stream.core.standardise import MATCH_LENGTH_MAX, STANDARDISERS, standardise_record, why_invalid
from mdm_stream.core.standardise.registry import _SPECS, is_placeholder
from mdm_stream.core.standardise.text import MARKS_IN_A_ROW_MAX, overmarked

TYPES = sorted(STANDARDISERS)
SHORTEST = {"phone": "2", "number": "1", "date": "1", "postcode": "2", "email": "a@b.de ", "url": "a.de/ä"}


def filled(name, characters):
    """A text of a type, of just so many characters and with no white space at the end."""
    return (SHORTEST.get(name, "Ab c") * characters)[: characters - 1] + "x"


@pytest.mark.parametrize("name", TYPES)
def test_a_text_beyond_its_types_maximum_is_invalid_and_whole(name):
    """One character more than a type standardises: the value is all of it, without a match, and says why."""
    limit = _SPECS[name].characters_max
    text = filled(name, limit + 1)
    assert len(" ".join(text.split())) == limit + 1
    result = STANDARDISERS[name](text, {})
    assert result == Standardised(text, None, valid=False)
    assert STANDARDISERS[name](result.value, {}) == result
    assert why_invalid(name, text) == "too_long"


@pytest.mark.parametrize("name", ["name", "full_name", "organisation", "address", "city", "identifier", "text", "url"])
def test_a_text_of_its_types_maximum_is_matched_to_its_end(name):
    """Just as many characters as a type standardises are valid, and the last one still counts."""
    limit = _SPECS[name].characters_max
    text = "a.de/" + "b" * (limit - 5) if name == "url" else "b" * (limit - 1)
    ends = [STANDARDISERS[name](text + end, {}) for end in ("" if name == "url" else "x", "")]
    assert all(result.valid and result.match for result in ends)
    if name != "url":
        assert ends[0].match.lower().endswith("x")


@pytest.mark.parametrize("name", TYPES)
def test_white_space_and_invisible_characters_do_not_count(name):
    """A value is as long as what can be seen of it."""
    ordinary = {"phone": "+1 212 555 0100", "date": "1984-06-19", "email": "ann@example.org"}.get(name, "12 ab")
    hidden = "\u200b" * 9_000 + ordinary + " " * 9_000
    assert STANDARDISERS[name](hidden, {}) == STANDARDISERS[name](ordinary, {})
    assert STANDARDISERS[name](" " * 100_000, {}) == MISSING


def test_a_text_that_grows_when_it_is_composed_is_too_long():
    """Some characters are two or three in composed form: what then is too long is invalid, the same each time."""
    text = "\u0958" * 400  # a letter that is two when composed
    result = STANDARDISERS["name"](text, {})
    assert result == Standardised(text, None, valid=False)
    assert STANDARDISERS["name"](result.value, {}) == result
    assert why_invalid("name", text) == "too_long"


def test_a_match_is_never_cut():
    """A ligature that becomes eighteen letters makes a match too long, and then there is none."""
    result = STANDARDISERS["name"]("\ufdfa" * 500, {})
    assert (result.match, result.valid) == (None, False)
    assert why_invalid("name", result.value) == "too_long"
    assert len(STANDARDISERS["name"]("\ufdfa" * 100, {}).match) <= MATCH_LENGTH_MAX


@pytest.mark.parametrize(
    "marks", ["\u0301", "\u0316", "\u0301\u0316", "\u0f73", "\u0344", "\u034f\u0301", "\u0e38\u200d"]
)
def test_marks_beyond_any_language_are_refused(marks):
    """More combining marks in a row than Unicode's stream-safe format has: invalid, whole, and no match."""
    text = "a" + (marks * (MARKS_IN_A_ROW_MAX + 1))[: MARKS_IN_A_ROW_MAX + 1] + "b"
    assert overmarked(text)
    assert STANDARDISERS["name"](text, {}) == Standardised(text, None, valid=False)
    assert why_invalid("name", text) == "combining_marks"
    assert not is_placeholder("name", text)


NAMES = [
    "Nguy\u1ec5n Th\u1ecb H\u1ed3ng",
    "\u0939\u093f\u0928\u094d\u0926\u0940",
    "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
    "\u0e01\u0e47\u0e44\u0e14\u0e49",
    "\u1019\u103c\u1014\u103a\u1019\u102c",
    "e\u0301" * 40,
]


@pytest.mark.parametrize("text", NAMES)
def test_marks_of_languages_are_none_too_many(text):
    """Names with the marks of their scripts are standardised as before."""
    assert not overmarked(text)
    assert STANDARDISERS["name"](text, {}).match


def test_a_name_that_is_too_long_gives_no_parts():
    """A full name beyond its maximum fills nothing: parts of its beginning would be somebody else's."""
    attributes = (
        Attribute("full", "full_name", fills={"given": "given", "family": "family"}),
        Attribute("given", "name"),
        Attribute("family", "name"),
    )
    rules = replace(ruleset("person", ()), attributes=attributes)
    full, given, family = standardise_record(rules, "any", {"full": "Ann " + "Bee " * 200})
    assert (full.valid, full.match, given, family) == (False, None, MISSING, MISSING)
    assert standardise_record(rules, "any", {"full": "Ann Bee"})[1].value == "Ann"
