"""Memories of values: what they give is what the function gives, and huge values do not fill them."""

from __future__ import annotations

import pytest

from mdm_stream.core import memo
from mdm_stream.core.match.compare import read_date
from mdm_stream.core.match.phonetics import metaphone, nysiis, soundex
from mdm_stream.core.match.words import code_keys, parts_of
from mdm_stream.core.standardise import are_other_names, is_other_script, readings, romanised_similarity

HUGE = [str(number) + " мaria" * 700 for number in range(20)]
SAME_BEGINNING = ["мaria" * 60 + str(number) for number in range(20)]


def remembered_now() -> int:
    """Return how many results all memories of this process hold."""
    return sum(memory.cache_info().currsize for memory in list(memo._MEMORIES))


@pytest.mark.parametrize("function", [soundex, metaphone, nysiis, read_date, lambda text: are_other_names(text, text)])
def test_a_huge_text_is_not_remembered(function):
    """One of ordinary length is; the results are the same with and without."""
    memo.forget_values()
    for text in HUGE:
        assert function(text) == function(text)
    assert remembered_now() == 0
    function("maria")
    assert remembered_now() == 1


@pytest.mark.parametrize(
    "function",
    [parts_of, readings, lambda text: is_other_script(text, "x"), lambda text: romanised_similarity(text, "x")],
)
def test_of_a_huge_text_what_is_read_is_remembered(function):
    """So twenty texts with one beginning are one to it."""
    memo.forget_values()
    assert len({function(text) for text in SAME_BEGINNING}) == 1
    assert 1 <= remembered_now() <= 4
    memo.forget_values()
    assert remembered_now() == 0


def test_a_word_that_is_cut_off_is_no_word_and_no_code():
    """Of a long text the words are read that end within its limit: the rest of a code would be another code."""
    text = "abc " * 62 + "dcrhc52e9 sony"
    assert "dcrhc52e9"[: 256 - 62 * 4] == "dcrhc52e"
    assert code_keys(text) == ()
    assert {each.word for each in parts_of(text).words} == {"abc"}
    assert code_keys(text[4:])[0] == "dcrhc52e9"
