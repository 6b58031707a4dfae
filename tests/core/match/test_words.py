"""Words, codes and sizes of free texts."""

from __future__ import annotations

import math

import pytest

from mdm_stream.core.match.words import (
    is_code,
    other_code,
    other_size,
    parts_of,
    shared_code,
    shared_words,
    weight_of,
)
from mdm_stream.core.ruleset import WordWeights


def test_a_rare_word_weighs_more_than_a_common_one():
    """Two titles that share what every title has are less alike than two that share what few have."""
    weights = WordWeights({"black": 16, "sony": 32}, 160)
    assert shared_words("sony black vaio", "sony black bravia", weights) < 0.3
    assert shared_words("sony vaio", "black vaio", weights) > 0.8
    assert weight_of("vaio", weights) == 160


def test_words_written_apart_and_together_are_one():
    """A word counts as shared where the other text has it joined with its neighbour, or in two."""
    assert shared_words("sony dcr hc52", "sony dcrhc52") == 1.0
    assert shared_words("blu ray player", "player bluray") == 1.0
    assert shared_words("a b", "c d") == 0.0
    assert math.isnan(shared_words(" ", "sony"))


@pytest.mark.parametrize("word", ["dcrhc52", "40s4100", "mb397g", "8223ip2", "10045", "kdl40"])
def test_codes_are_told(word):
    """Letters with digits, or many digits, are a model or article number."""
    assert is_code(word)


@pytest.mark.parametrize("word", ["16gb", "1080p", "1920x1080", "2008", "24x", "bravia", "10th", "a4", "120v"])
def test_quantities_are_no_codes(word):
    """Quantities, years, short words and words without a digit are none."""
    assert not is_code(word)


def test_a_code_speaks_for_or_against():
    """One that both have is found however it is written; others speak against, unless one may be a variant."""
    assert shared_code("sony handycam dcr hc52", "camcorder dcrhc52") == 1.0
    assert shared_code("sony ln55a950", "sony ln46a950") == 0.0
    assert other_code("sony ln55a950", "sony ln46a950") == 1.0
    assert other_code("danby ddw1805wh", "danby ddw1805w") == 0.0
    assert math.isnan(shared_code("sony", "danby"))
    assert math.isnan(other_code("sony ln55a950", "sony tv"))


def test_sizes_of_one_unit_are_compared():
    """16 GB and 16gb are one size, 8 GB is another; inches say nothing of gigabytes."""
    assert other_size("stick 16gb", "memory stick 16 gb") == 0.0
    assert other_size("stick 16gb", "memory stick 8 gb") == 1.0
    assert math.isnan(other_size("stick 16gb", "tv 40 in"))


def test_long_texts_are_bounded():
    """Of a text of any length so much is read that no value can stall a batch."""
    assert len(parts_of("ab12 " * 10_000).words) == 1
    assert len(parts_of(" ".join(f"w{number}x" for number in range(10_000))).words) < 100
