"""What the words of two free texts say: how much of their weight is shared, which codes, which sizes.

Titles of one article share the words that are rare, and its model number above all; they differ in words that many
texts have, in their order, and in how a code is written (``DCR-HC52``, ``DCRHC52``). So words are weighed by how rare
they are (Spärck Jones, *A statistical interpretation of term specificity*, 1972), codes are found as such, and words
that stand side by side count as one, too. Weights are whole numbers: their sums are the same in any order.

A text is a match value: folded, its words with one space between.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise, zip_longest
from typing import NamedTuple

from mdm_stream.core.memo import remembered
from mdm_stream.core.ruleset import WordWeights

WORD_UNITS = 16
"""Weights are in this part of a bit."""
TEXT_CHARACTERS_MAX = 256
"""Of a longer text the rest is not read."""
JOINED_MIN = 4
"""Characters of two neighbouring words that may be one, at the least."""
CODE_MIN = 4
CODE_DIGITS_MIN = 5
"""Digits of a code that has no letter: fewer are a count, a year, a size."""
CODE_STEM_MIN = 5
CODE_TAIL_MAX = 4
"""Characters at the end of a code that may say a colour or a country: what is before them may be the model."""
CODE_PREFIX_MAX = 4
CODE_SUFFIX_MAX = 2
"""Characters of a neighbour that may be a part of a code."""
PARTS_REMEMBERED_MAX = 4_096
"""Texts whose parts are remembered: some 40 MB of titles of a dozen words, 120 MB of the worst texts."""
SMALL_BITS = 0.5
SHAPE_BITS_MAX = 12.0

LINKING_WORDS = frozenset({
    "a", "and", "de", "del", "der", "des", "di", "die", "do", "du", "e", "et", "for", "fur", "in", "la", "le", "of",
    "on", "per", "pour", "the", "to", "und", "with", "y",
})  # fmt: skip
_UNITS = (
    "ah", "btu", "cl", "cm", "count", "ct", "cu", "dpi", "feet", "fps", "ft", "g", "gal", "gb", "ghz", "hz", "i", "in",
    "inch", "inches", "kb", "kbps", "kg", "khz", "km", "kw", "l", "lb", "lbs", "m", "mah", "mb", "mbps", "megapixel",
    "megapixels", "mg", "mhz", "ml", "mm", "mp", "oz", "p", "pack", "pc", "pcs", "piece", "pieces", "pk", "qt", "rpm",
    "tb", "v", "volt", "volts", "w", "watt", "watts", "x", "yd",
)  # fmt: skip
_CANONICAL = {
    "inch": "in", "inches": "in", "feet": "ft", "lbs": "lb", "watt": "w", "watts": "w", "volt": "v", "volts": "v",
    "megapixel": "mp", "megapixels": "mp", "pk": "pack", "pcs": "pc", "piece": "pc", "pieces": "pc", "count": "ct",
}  # fmt: skip
_NOT_SIZES = frozenset({"x", "p", "i", "m", "g", "l", "v"})
"""Units of one letter that stand for too much else after a number."""
_LONGEST_FIRST = "|".join(sorted(_UNITS, key=lambda unit: (-len(unit), unit)))
_QUANTITY = re.compile(rf"([0-9]+)({_LONGEST_FIRST})|[0-9]+x[0-9]+|[0-9]+(?:st|nd|rd|th)")


class WordItem(NamedTuple):
    """What is looked for in another text, by any of its ``keys``; ``word`` is what it weighs as."""

    word: str
    keys: tuple[str, ...]


class WordParts(NamedTuple):
    """A text taken apart.

    ``words``: its different words, each with what it and its neighbours may be written as together; ``forms``: all
    such keys. ``codes``: those of the words that are codes. ``stems``: codes, and what they may be without their end.
    ``sizes``: units, each with the quantities that are of it; ``measured``: those units and quantities.
    """

    words: tuple[WordItem, ...]
    forms: frozenset[str]
    codes: tuple[WordItem, ...]
    code_stems: tuple[WordItem, ...]
    stems: frozenset[str]
    sizes: tuple[WordItem, ...]
    measured: frozenset[str]


def parts_of(text: str) -> WordParts:
    """Return the parts of a match text: of the words that end within its first ``TEXT_CHARACTERS_MAX`` characters."""
    return _parts_of(_bounded(text))


def _bounded(text: str) -> str:
    """Return the beginning of a text that is read: a word that is cut off would be another word, or another code."""
    return text if len(text) <= TEXT_CHARACTERS_MAX else text[: TEXT_CHARACTERS_MAX + 1].rpartition(" ")[0]


@remembered(PARTS_REMEMBERED_MAX)
def _parts_of(text: str) -> WordParts:
    listed = text.split()
    keys: dict[str, dict[str, None]] = {word: {word: None} for word in listed}
    for first, second in pairwise(listed):
        joined = first + second
        if len(joined) >= JOINED_MIN:
            keys[first][joined] = keys[second][joined] = None
    words = tuple(WordItem(word, tuple(found)) for word, found in keys.items())
    codes = tuple(each for each in words if is_code(each.word))
    sizes = _sizes(listed)
    return WordParts(
        words=words,
        forms=frozenset(key for found in keys.values() for key in found),
        codes=codes,
        code_stems=tuple(WordItem(each.word, _stems(each.word)) for each in codes),
        stems=frozenset(stem for each in codes for stem in _stems(each.word)),
        sizes=tuple(WordItem(unit, tuple(sorted(found))) for unit, found in sizes.items()),
        measured=frozenset(sizes).union(*sizes.values()),
    )


def is_code(word: str) -> bool:
    """Return whether a word looks like a model or article number: digits, and letters or many of them; no quantity."""
    digits = sum(map(str.isdecimal, word))
    if len(word) < CODE_MIN or not digits or _QUANTITY.fullmatch(word):
        return False
    return digits < len(word) or digits >= CODE_DIGITS_MIN


def code_keys(text: str) -> tuple[str, ...]:
    """Return the codes of a text as keys, each as it stands and as it may be written with a short neighbour.

    ``dcr hc52`` gives ``hc52`` and ``dcrhc52``, ``mb397g a`` gives ``mb397g`` and ``mb397ga``.
    """
    listed = _bounded(text).split()
    found: dict[str, None] = {}
    for place, word in enumerate(listed):
        if not any(map(str.isdecimal, word)):
            continue
        before, after = listed[place - 1] if place else "", listed[place + 1] if place + 1 < len(listed) else ""
        spelt = [word]
        spelt += [before + word] if before.isalpha() and len(before) <= CODE_PREFIX_MAX else []
        spelt += [word + after] if 0 < len(after) <= CODE_SUFFIX_MAX else []
        found.update(dict.fromkeys(filter(is_code, spelt)))
    return tuple(found)


def _stems(code: str) -> tuple[str, ...]:
    least = max(CODE_STEM_MIN, len(code) - CODE_TAIL_MAX)
    shorter = (code[:end] for end in range(least, len(code)))
    return (code, *(stem for stem in shorter if any(map(str.isdecimal, stem))))


def _sizes(listed: list[str]) -> dict[str, set[str]]:
    """Return the quantities in a text by unit: ``16gb`` and ``16 gb`` are one of ``gb``."""
    found: dict[str, set[str]] = {}
    for word, after in zip_longest(listed, listed[1:], fillvalue=""):
        quantity = _QUANTITY.fullmatch(word if not word.isdecimal() else word + after)
        if quantity is None or quantity[2] is None or quantity[2] in _NOT_SIZES:
            continue
        unit = _CANONICAL.get(quantity[2], quantity[2])
        found.setdefault(f"{unit}:", set()).add(f"{unit}:{int(quantity[1])}")
    return found


def weight_of(word: str, weights: WordWeights | None) -> int:
    """Return what a word weighs, in ``WORD_UNITS`` of a bit, 1 at the least.

    By how rare it is, where that is known; else by its shape: of two words the longer is mostly the rarer (Zipf).
    """
    if weights is not None:
        return weights.weights.get(word, weights.rest)
    bits = SMALL_BITS if word in LINKING_WORDS else min(SHAPE_BITS_MAX, 2.0 + len(word))
    return max(1, round(WORD_UNITS * bits))


def shared_words(a: str, b: str, weights: WordWeights | None = None) -> float:
    """Return the share of the weight of two texts' words that is in both of them; NaN if one of them has no words."""
    one, other = parts_of(a), parts_of(b)
    if not (one.words and other.words):
        return math.nan
    total = shared = 0
    for words, forms in ((one.words, other.forms), (other.words, one.forms)):
        for each in words:
            weight = weight_of(each.word, weights)
            total += weight
            shared += weight * (not forms.isdisjoint(each.keys))
    return shared / total


def shared_code(a: str, b: str) -> float:
    """Return 1 if a code of one text stands in the other, 0 if not, NaN if neither has a code."""
    one, other = parts_of(a), parts_of(b)
    if not (one.codes or other.codes):
        return math.nan
    return float(_any_in(one.codes, other.forms) or _any_in(other.codes, one.forms))


def other_code(a: str, b: str) -> float:
    """Return 1 if both texts have codes, none of them shared, and none the beginning of another; NaN without."""
    one, other = parts_of(a), parts_of(b)
    if not (one.codes and other.codes):
        return math.nan
    same = _any_in(one.codes, other.forms) or _any_in(other.codes, one.forms)
    return float(not same and not _any_in(one.code_stems, other.stems))


def other_size(a: str, b: str) -> float:
    """Return 1 if two texts have quantities of one unit, and none of these in common; NaN if of no unit both have."""
    one, other = parts_of(a), parts_of(b)
    both = [each for each in one.sizes if each.word in other.measured]
    return float(any(other.measured.isdisjoint(each.keys) for each in both)) if both else math.nan


def _any_in(items: tuple[WordItem, ...], keys: frozenset[str]) -> bool:
    return any(not keys.isdisjoint(each.keys) for each in items)
