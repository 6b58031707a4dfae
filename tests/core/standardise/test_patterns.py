r"""Patterns of rule sets: what Python's ``re`` says of the whole text, in time linear in it."""

import re
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mdm_stream.core.standardise.patterns import (
    PATTERN_CHARS_MAX,
    PatternError,
    any_pattern,
    compile_pattern,
)

ATOMS = [
    *("a", "B", "0", "ä", "五", " ", r"\.", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", ".", r"\x41", r"\u00e4", r"\-"),
    *("[ab]", "[^a]", "[]a]", "[^]a]", r"[\d-]", r"[\w.]", r"[^\s]", r"[\D]", "[a[]", "{", "a{", "{a}", "a{x}"),
    *("(?:a|B)", "(a)", "(?P<n>b)", "(?i:ab)", "(?#no)", "(?s:.)", r"\t", r"\0", r"\A", r"\Z", "a{,2}", r"\_"),
]
REPEATS = ["", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{,3}", "{2,}"]
REPEATABLE = [atom for atom in ATOMS if atom not in (r"\A", r"\Z", "(?#no)") and not atom.endswith("}")]

atoms = st.one_of(st.sampled_from(ATOMS), st.tuples(st.sampled_from(REPEATABLE), st.sampled_from(REPEATS)).map("".join))
patterns = st.lists(st.lists(atoms, max_size=4).map("".join), min_size=1, max_size=3).map("|".join)
texts = st.text(st.sampled_from("aAbB019äÄ五٣ .-_[]{}xnot\t\x00"), max_size=6)


@given(patterns, texts)
def test_a_pattern_means_what_python_says(pattern, text):
    """Where RE2 takes a pattern of Python's, both agree on every text, of every script."""
    assume(pattern.count("(?P<n>") < 2)
    assert compile_pattern(pattern)(text) == (re.fullmatch(pattern, text) is not None)


@given(st.lists(patterns, min_size=1, max_size=4), texts)
def test_several_patterns_mean_what_each_says(several, text):
    """Patterns that are asked together match what any of them matches, also where they share the name of a group."""
    assume(all(each.count("(?P<n>") < 2 for each in several))
    assert any_pattern(tuple(several))(text) == any(compile_pattern(each)(text) for each in several)


def test_options_of_one_pattern_are_not_those_of_the_next():
    """A pattern without case leaves the others theirs; patterns too long for one are asked one by one."""
    assert [any_pattern(("(?i)ab", "cd"))(text) for text in ("AB", "cd", "CD")] == [True, True, False]
    assert any_pattern(("a" * PATTERN_CHARS_MAX, "cd"))("cd")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (r"(?=a)b", "look-around .*part of the pattern"),
        (r"a(?!b).", "look-around .*list what is allowed"),
        (r"(?<=a)b", "look-around .*stands before"),
        (r"(?<!a)b", "look-around .*stand before"),
        (r"(a)\1", "back-reference .*alternatives"),
        (r"(?P<x>a)(?P=x)", "back-reference .*alternatives"),
        (r"(a)?(?(1)b|c)", "condition .*alternatives"),
        (r"(?>a+)b", "atomic group .*write"),
        (r"(?x)a b", "unknown kind of group"),
        (r"a++", "cannot be read: .*repetition"),
        (r"\bword", "word boundary .*ASCII alone"),
        (r"[\W]", r"inside of \[...\]; list"),
        (r"\C", "unknown escape"),
        (r"\Qa", "unknown escape"),
        (r"a{1001}", "more than 1,000 times"),
        (r"(?:a{100}){100}", "repeats more than 1,000 times|cannot be read"),
        (r"(?:\w{1,900})", "too much memory; .*ASCII classes"),
        ("[", "cannot be read"),
        ("(" * 900, "cannot be read"),
        ("a\\", "backslash"),
        ("\ud800", "lone surrogate"),
        ("a" * (PATTERN_CHARS_MAX + 1), "characters; expected 1,000"),
    ],
)
def test_what_no_linear_engine_has_is_refused_with_what_to_write(pattern, said):
    """Every refusal names the thing and what to write instead."""
    with pytest.raises(PatternError, match=said):
        compile_pattern(pattern)


@given(st.text(st.sampled_from(r"a1\[](){},?*+|^$.-:<>=!#PpxuUbdwsZN" + "\ud800é\n"), max_size=12))
def test_any_text_is_a_pattern_or_is_refused(pattern):
    """Nothing that stands in a rule set raises anything but ``PatternError``."""
    try:
        matches = compile_pattern(pattern)
    except PatternError:
        return
    assert matches("aab") in {True, False}


@pytest.mark.parametrize(
    "pattern", ["(a+)+b", "(a|a)*b", "(a*)*b", r"(?:\w+\s?)*!", "(?:a?){50}a{50}b", "(.*)(.*)(.*)x"]
)
def test_no_pattern_backtracks(pattern):
    """What takes Python's engine years for a hundred letters takes a moment for 4,096."""
    begin_s = time.process_time()
    assert not compile_pattern(pattern)("a" * 4_096)
    assert time.process_time() - begin_s < 2.0
