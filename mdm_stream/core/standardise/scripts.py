"""Writing systems: romanisation of folded text, and how names of different scripts can be compared.

Alphabets and syllabaries that spell every sound (Cyrillic, Greek, Armenian, Georgian, kana) have a romanisation that
keeps names apart: :func:`in_latin` writes them in Latin letters once and for all, so every measure, nickname and key
works on them. Other scripts do not: Chinese characters of one sound are many names, and scripts that leave vowels out
(Arabic, Hebrew, those of India and South-East Asia) are read in several ways. Texts in them stay as they are, and meet
one of another script through their :func:`readings` alone, where agreeing counts and differing says nothing.

Letters are romanised by anyascii, whose tables follow the usual systems: BGN/PCGN, Hepburn, pinyin, Revised
Romanization.
"""

from __future__ import annotations

import re
from itertools import product
from unicodedata import name

from anyascii import anyascii
from rapidfuzz.distance import JaroWinkler

from mdm_stream.core.memo import remembered
from mdm_stream.core.standardise.text import alphanumerics, table_rows

TEXTS_CACHED_MAX = 32_768
"""Texts whose scripts and readings are remembered, least recently used out first."""

READING_CHARS_MAX = 256
"""Characters of a text that are read in Latin letters for a comparison."""

_SPELT = re.compile(
    "[\u0370-\u03ff\u1f00-\u1fff\u0400-\u052f\u1c80-\u1c8f\u2de0-\u2dff\ua640-\ua69f\u0531-\u058a\u10a0-\u10ff\u1c90-\u1cbf"
    "\u2d00-\u2d2d\u3041-\u30ff\u31f0-\u31ff]+"
)
_GREEK = re.compile("[\u0370-\u03ff\u1f00-\u1fff]")
_KANA = re.compile("[\u3041-\u30ff\u31f0-\u31ff]")
_KANA_SILENT = str.maketrans("", "", "\u30fb\u30fc")  # the middle dot and the mark of a long vowel
# ELOT 743: letters that make one sound, and upsilon after a vowel. Others are romanised one by one.
_GREEK_DIGRAPHS = tuple((greek, latin) for greek, latin in table_rows("greek_digraphs.csv"))
_GREEK_B = re.compile(r"(?<!\w)μπ|μπ(?!\w)")
_LONG_VOWELS = (("ou", "o"), ("oo", "o"), ("uu", "u"), ("aa", "a"), ("ee", "e"))

# Scripts that leave out vowels, or some of them; what agrees is the skeleton of consonants.
_CONSONANTAL = frozenset({
    "ARABIC", "HEBREW", "SYRIAC", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU",
    "KANNADA", "MALAYALAM", "SINHALA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "ETHIOPIC", "THAANA",
})  # fmt: skip
_SCRIPT_OF_WORD = {"CJK": "HAN", "IDEOGRAPHIC": "HAN"}
_VOWELS = re.compile("[aeiouwy]+")
_DOUBLED = re.compile(r"(.)\1+")
_SAME_SOUND = (
    ("sh", "s"), ("ch", "c"), ("kh", "k"), ("gh", "g"), ("dh", "d"), ("th", "t"), ("bh", "b"), ("ph", "f"),
    ("jh", "j"), ("q", "k"), ("x", "ks"), ("z", "s"), ("p", "b"), ("v", "b"), ("ck", "k"),
)  # fmt: skip
_ARTICLE_LETTERS_MIN = 3
# Revised Romanization writes a syllable's last consonant as it is said: 빛 is bit.
_HANGUL = re.compile("[\uac00-\ud7a3]")
_HANGUL_FIRST, _HANGUL_VOWELS, _HANGUL_LAST = 0xAC00, 21, 28
_INITIALS = (
    "g", "kk", "n", "d", "tt", "r", "m", "b", "pp", "s", "ss", "", "j", "jj", "ch", "k", "t", "p", "h",
)  # fmt: skip
_MEDIALS = (
    "a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wae", "oe", "yo", "u", "wo", "we", "wi", "yu", "eu",
    "ui", "i",
)  # fmt: skip
_FINALS = (
    "", "k", "k", "k", "n", "n", "n", "t", "l", "k", "m", "l", "l", "l", "p", "l", "m", "p", "p", "t", "t", "ng", "t",
    "t", "k", "t", "p", "t",
)  # fmt: skip
_KOREAN_SURNAMES = {hangul: tuple(latin.split()) for hangul, latin in table_rows("korean_surnames.csv")}


def in_latin(folded: str) -> str:
    """Return a folded text with its Cyrillic, Greek, Armenian, Georgian and kana letters romanised; idempotent."""
    if folded.isascii():
        return folded
    return _SPELT.sub(lambda found: _romanised(found[0]), folded)


def _romanised(letters: str) -> str:
    if _GREEK.match(letters):
        letters = _GREEK_B.sub("b", letters)
        for greek, latin in _GREEK_DIGRAPHS:
            letters = letters.replace(greek, latin)
    kana = _KANA.match(letters) is not None
    latin = _ascii(letters.translate(_KANA_SILENT))
    if kana:
        for long, short in _LONG_VOWELS:
            latin = latin.replace(long, short)
    return latin


def _ascii(text: str) -> str:
    return "".join(filter(str.isalnum, anyascii(text).lower()))


def scripts_of(text: str) -> frozenset[str]:
    """Return the scripts of a text's letters by Unicode's names, such as ``LATIN``; digits and marks have none.

    Of a text its first ``READING_CHARS_MAX`` characters are read.
    """
    return _scripts_of(text[:READING_CHARS_MAX])


@remembered(TEXTS_CACHED_MAX)
def _scripts_of(text: str) -> frozenset[str]:
    if text.isascii():
        return frozenset({"LATIN"} if any(map(str.isalpha, text)) else ())
    words = (name(character, "").partition(" ")[0].partition("-")[0] for character in text if character.isalpha())
    return frozenset(_SCRIPT_OF_WORD.get(word, word) for word in words)


def is_other_script(a: str, b: str) -> bool:
    """Return whether two texts have letters, and no script in common: they cannot be compared as they stand."""
    if a.isascii() and b.isascii():
        return False
    first, second = scripts_of(a), scripts_of(b)
    return bool(first) and bool(second) and first.isdisjoint(second)


def romanised_similarity(a: str, b: str) -> float:
    """Return how alike two texts of different scripts are once both are read in Latin letters, as Jaro-Winkler.

    Where one leaves vowels out, consonants alone are compared. 0 where the texts share a script, or have none.
    """
    if not is_other_script(a, b):
        return 0.0
    if not _CONSONANTAL.isdisjoint(scripts_of(a) | scripts_of(b)):
        pairs = product(*(_skeletons(text[:READING_CHARS_MAX]) for text in (a, b)))
    else:
        pairs = product(readings(a), readings(b))
    return max((_similarity(x, y) for x, y in pairs), default=0.0)


def _similarity(x: str, y: str) -> float:
    first, second = (x, y) if x <= y else (y, x)
    return JaroWinkler.normalized_similarity(first, second) if first else 0.0


def readings(text: str) -> tuple[str, ...]:
    """Return a text in Latin letters alone: of a Korean family name in each of its spellings, the usual one first.

    Of a text its first ``READING_CHARS_MAX`` characters are read.
    """
    return _readings(text[:READING_CHARS_MAX])


@remembered(TEXTS_CACHED_MAX)
def _readings(text: str) -> tuple[str, ...]:
    plain = alphanumerics(text)
    if plain.isascii():
        return (plain.lower(),)
    return (*_KOREAN_SURNAMES.get(plain, ()), _ascii(_HANGUL.sub(_syllable, plain)))


def _syllable(found: re.Match[str]) -> str:
    place, last = divmod(ord(found[0]) - _HANGUL_FIRST, _HANGUL_LAST)
    first, vowel = divmod(place, _HANGUL_VOWELS)
    return _INITIALS[first] + _MEDIALS[vowel] + _FINALS[last]


@remembered(TEXTS_CACHED_MAX)
def _skeletons(text: str) -> tuple[str, ...]:
    """Return the consonants of a text's reading, also without an Arabic article, letters of one sound made one."""
    (reading, *_) = readings(text)
    found = [_skeleton(reading)]
    if reading.startswith(("al", "el")) and len(reading) >= _ARTICLE_LETTERS_MIN + len("al"):
        found.append(_skeleton(reading[len("al") :]))
    return tuple(skeleton for skeleton in found if skeleton)


def _skeleton(reading: str) -> str:
    for written, sound in _SAME_SOUND:
        reading = reading.replace(written, sound)
    consonants = _VOWELS.sub("", reading)
    return _DOUBLED.sub(r"\1", consonants[:1] + consonants[1:].removesuffix("h"))
