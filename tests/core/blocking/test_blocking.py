"""Blocking keys, and the expressions that make them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm_stream.core.blocking.functions import KEY_FUNCTIONS
from mdm_stream.core.blocking.keys import KEY_CHARACTERS_MAX, blocking_keys, candidates_max, parse_key
from mdm_stream.core.ruleset import Attribute, KeyExpression, KeyPart, Match, Ruleset

NAMES = ("given_name", "family_name", "birth_date", "email", "street")
MATCH = Match("fellegi_sunter", 0.01, 0.85, 0.5, (), ())
KEYS_MAX = 5


def rules(*texts: str) -> Ruleset:
    """Return a rule set with these key expressions, tagged k0, k1, ..."""
    attributes = tuple(Attribute(name, "text") for name in NAMES)
    plain = Ruleset("person", 1, "digest", attributes, {}, (), 100, 100, MATCH, ())
    keys = tuple(KeyExpression(f"k{at}", text, parse_key(text, plain.index_of)) for at, text in enumerate(texts))
    return Ruleset("person", 1, "digest", attributes, {}, keys, 100, 100, MATCH, (), KEYS_MAX)


def keys(text: str, **values: object) -> list[str]:
    """Return the keys of one expression without their tag."""
    found = blocking_keys(rules(text), tuple(values.get(name) for name in NAMES))
    return [key.removeprefix("k0:") for key in found]


def index_of(name: str) -> int:
    """Return an attribute's position, as the rules loader does."""
    return rules().index_of(name)


ALL_FUNCTIONS = [
    "street" if name == "exact" else f"{name}(street{', 3' if function.needs_argument else ''})"
    for name, function in KEY_FUNCTIONS.items()
]


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("street", "12 main st", ["12 main st"]),
        ("first(street, 4)", "12 main st", ["12 m"]),
        ("last(street, 2)", "12 main st", ["st"]),
        ("digits(street)", "+44 20 7123", ["44207123"]),
        ("digits(street, 4)", "+44 20 7123", ["7123"]),
        ("digits(street)", "main st", []),
        ("soundex(street)", "robert", ["r163"]),
        ("metaphone(street)", "thompson", ["0mpsn"]),
        ("nysiis(street)", "knight", ["nagt"]),
        ("nickname(street)", "bill", ["william"]),
        ("year(street)", "1984-06-19", ["1984"]),
        ("month_day(street)", "1984-06-19", ["06-19"]),
        ("year(street)", "19 june", []),
        ("token(street)", "st main st", ["main", "st"]),
        ("token(street, 3)", "st main", ["main"]),
        ("sorted_tokens(street)", "12 main st", ["12 main st"]),
        ("sorted_tokens(street)", "st main 12", ["12 main st"]),
        ("initials(street)", "general electric", ["ge"]),
        ("local(street)", "ann@example.com", ["ann"]),
        ("domain(street)", "ann@example.com", ["example.com"]),
        ("domain(street)", "ann", []),
    ],
)
def test_functions(text: str, value: str, expected: list[str]) -> None:
    """Each function yields what its table says."""
    assert keys(text, street=value) == expected


def test_parts_are_joined_and_all_needed() -> None:
    """A key joins its parts, and an expression with a missing part gives no key."""
    text = "soundex(family_name) + first(given_name, 1) + year(birth_date)"
    assert keys(text, family_name="smith", given_name="ann", birth_date="1984-06-19") == ["s530|a|1984"]
    assert keys(text, family_name="smith", given_name="ann") == []
    assert keys(text, family_name="smith", given_name="", birth_date=()) == []


def test_tags_keep_expressions_apart() -> None:
    """Keys of two expressions never meet, and all are sorted."""
    found = blocking_keys(rules("given_name", "family_name"), ("ann", "ann", None, None, None))
    assert found == ("k0:ann", "k1:ann")


def test_several_values_give_several_keys() -> None:
    """A key is made of each choice of values."""
    found = keys("email + first(given_name, 1)", email=("a@x", "b@x"), given_name=("ann", "bo", "abe"))
    assert found == ["a@x|a", "a@x|b", "b@x|a", "b@x|b"]


def test_unordered_meets_exchanged_names() -> None:
    """Two records with their names exchanged share the key, whatever stands around it."""
    text = "year(birth_date) + unordered(soundex(given_name), soundex(family_name)) + local(email)"
    rest = {"birth_date": "1984-06-19", "email": "a@x"}
    straight = keys(text, given_name="ann", family_name="smith", **rest)
    assert straight == keys(text, given_name="smith", family_name="ann", **rest) == ["1984|a500|s530|a"]


@settings(max_examples=40)
@given(st.sets(st.text("abc", min_size=1, max_size=4), min_size=10), st.sets(st.text("abc", min_size=1), min_size=10))
def test_unordered_survives_the_cut(given_names: set, family_names: set) -> None:
    """Exchanged names meet even where there are more combinations than keys."""
    one, other = tuple(sorted(given_names)), tuple(sorted(family_names))
    text = "unordered(given_name, family_name)"
    straight = keys(text, given_name=one, family_name=other)
    assert len(straight) <= KEYS_MAX
    assert straight == keys(text, given_name=other, family_name=one)


@given(st.lists(st.one_of(st.none(), st.text(), st.lists(st.text(), max_size=30).map(tuple)), min_size=5, max_size=5))
def test_keys_are_total_printable_and_bounded(values: list) -> None:
    """Any text gives keys that can be shown, stored and counted, and none that is empty."""
    found = blocking_keys(rules(*ALL_FUNCTIONS, "token(street) + token(email)"), tuple(values))
    assert len(found) <= KEYS_MAX * (len(ALL_FUNCTIONS) + 1)
    assert list(found) == sorted(set(found))
    for key in found:
        assert key.isprintable()
        assert len(key) <= KEY_CHARACTERS_MAX
        assert key.partition(":")[2]


@settings(max_examples=40)
@given(st.lists(st.text("abcdef", min_size=1), min_size=40, max_size=60), st.randoms())
def test_the_cut_ignores_order(tokens: list[str], chooser: object) -> None:
    """Which of too many keys stay depends on the values alone, not on their order."""
    shuffled = tokens.copy()
    chooser.shuffle(shuffled)
    found = keys("token(street)", street=" ".join(tokens))
    assert len(found) <= KEYS_MAX
    assert found == keys("token(street)", street=" ".join(shuffled))


def test_candidates_are_bounded_by_the_rules_alone() -> None:
    """One key for an expression that can give one, ``max_keys`` for one that can give more; each has a full block."""
    one = rules("soundex(given_name) + year(birth_date)")
    assert candidates_max(one) == 99
    assert candidates_max(rules("token(street)", "email")) == (KEYS_MAX + 1) * 99
    several = replace(one, attributes=tuple(replace(each, multi=True) for each in one.attributes))
    assert candidates_max(several) == KEYS_MAX * 99
    also = replace(one, attributes=tuple(replace(each, also=("street",)) for each in one.attributes))
    assert candidates_max(also) == KEYS_MAX * 99


def test_long_keys_stay_apart() -> None:
    """Long values that differ at their end have different keys."""
    assert keys("street", street="a" * 500 + "x") != keys("street", street="a" * 500 + "y")


def test_control_characters_stay_apart() -> None:
    """Values that differ in a character that cannot be shown have different keys."""
    assert keys("street", street="a\x00") != keys("street", street="a\x01")


def test_names_in_other_scripts_have_their_own_codes() -> None:
    """No phonetic function throws names that it cannot code together."""
    for function in ("soundex", "metaphone", "nysiis"):
        found = [keys(f"{function}(street)", street=name) for name in ("李明", "李华", "Иван", "Игорь")]
        assert all(found)
        assert len({tuple(each) for each in found}) == 4


def test_parse() -> None:
    """An expression is parsed to its parts; white space does not matter."""
    parts = (KeyPart("first", 0, 2), KeyPart("exact", 1))
    assert parse_key(" first( given_name ,2 )+family_name ", index_of) == parts
    parts = parse_key("unordered(email, street) + unordered(given_name, family_name)", index_of)
    assert [part.group for part in parts] == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unexpected end at character 1"),
        ("email +", "unexpected end at character 8"),
        ("email street", "unexpected 'street' at character 7"),
        ("mail", "unknown attribute 'mail' at character 1"),
        ("soundx(email)", "did you mean 'soundex'"),
        ("qqqq(email)", "expected one of"),
        ("first(email)", "'first' needs a number"),
        ("soundex(email, 2)", "'soundex' takes no number"),
        ("first(email, 0)", "expected an integer from 1 to"),
        ("first(email, 999999999)", "expected an integer from 1 to"),
        ("first(email, x)", "expected an integer from 1 to"),
        ("first(email, 2", "unexpected end"),
        ("em$ail", "unexpected '$' at character 3"),
        ("unordered(email)", "cannot change places"),
        ("unordered(email, email)", "cannot change places"),
        ("unordered(first(email, 1), first(street, 2))", "cannot change places"),
        ("unordered(unordered(email, street), given_name)", "inside 'unordered'"),
        (" + ".join(["email"] * 13), "expected 12 at most"),
    ],
)
def test_parse_errors(text: str, message: str) -> None:
    """What is wrong is named, with its place."""
    with pytest.raises(ValueError, match=r".") as caught:
        parse_key(text, index_of)
    assert message in str(caught.value)


@given(st.text("abcegilmrst(),+ 1_é$", max_size=20))
def test_parse_fails_only_with_value_error(text: str) -> None:
    """Any other text is an expression or a ValueError."""
    try:
        parts = parse_key(text, index_of)
    except ValueError:
        return
    assert parts
