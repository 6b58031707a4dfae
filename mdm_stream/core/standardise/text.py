"""Cleaning and folding of text: the ground that every standardiser stands on.

``clean`` makes the readable form (the ``value``), ``fold`` the comparable one (from which a ``match`` is made).
Both accept any text whatever, also with lone surrogates, and never raise. ``clean(clean(x)) == clean(x)``.
"""

from __future__ import annotations

import pkgutil
import re
from functools import cache, lru_cache
from unicodedata import category, combining, decimal, decomposition, normalize

MATCH_LENGTH_MAX = 4096
"""Characters of the longest ``match``. A text that would have a longer one is invalid and has none."""

MARKS_IN_A_ROW_MAX = 30
"""Combining marks and joiners that may follow each other, as in Unicode's stream-safe text format (UAX 15, section 13):
normalising sorts a run of marks in time that grows with its square, and no language has a run of ten."""

_FOLDED_CHARACTERS_MAX = 8192
_FIRST_MARK = "\u0300"
_MARKS_END = 0x1F000
"""Beyond it stand emoji and ideographs, and selectors that normalising does not move."""

# Characters that show nothing and only make equal texts unequal: C0 and C1 controls that are not white space, the
# soft hyphen, zero-width space, directional marks and isolates, byte order mark, interlinear marks, tag characters;
# and lone surrogates, which cannot be written as UTF-8. The zero-width joiners stay: Persian and emoji need them.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]+"
)

# Quotation marks, primes, accents standing alone and modifier letters that people type for an apostrophe.
# Mapped before normalisation, which takes the acute accent standing alone for a space with a mark on it.
_APOSTROPHES = dict.fromkeys(
    map(ord, "'`\u00b4\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u02c8\u2018\u2019\u201b\u2032\uff07"), "'"
)
_ASCII_PUNCTUATION = str.maketrans(dict.fromkeys('!"#$%&()*+,-./:;<=>?@[\\]^_{|}~', " ") | dict.fromkeys("'`"))

# Letters that Unicode does not decompose, by the usual ASCII spelling of people who lack the key; then the Arabic
# letters that Persian and Egyptian keyboards write with another code point.
_MINUS = "\u2212"
_LETTERS = {
    "æ": "ae",
    "œ": "oe",
    "ø": "o",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "ł": "l",
    "ħ": "h",
    "\u0131": "i",  # dotless i
    "ĸ": "k",
    "ŋ": "n",
    "ŧ": "t",
    "\u2044": "/",  # fraction slash
    "ى": "ي",
    "ی": "ي",
    "ک": "ك",
    "\u0629": "\u0647",  # teh marbuta, heh
    "ـ": "",
}


def clean(text: str) -> str:
    """Return the readable form: NFC, no invisible characters, each run of white space one space, none at the ends.

    Time is linear in the text unless it is ``overmarked``.
    """
    return composed(squeezed(text))


def squeezed(text: str) -> str:
    """Return a text without invisible characters, and with one space for each run of white space, none at the ends."""
    if not (text.isascii() and text.isprintable()):
        text = _INVISIBLE.sub("", text)
    return " ".join(text.split())


def composed(squeezed_text: str) -> str:
    """Return the NFC of a squeezed text; it may be longer."""
    return squeezed_text if squeezed_text.isascii() else normalize("NFC", squeezed_text)


def overmarked(text: str) -> bool:
    """Return whether more than ``MARKS_IN_A_ROW_MAX`` marks follow each other somewhere in a text."""
    if text.isascii() or len(text) <= MARKS_IN_A_ROW_MAX or max(text) < _FIRST_MARK:
        return False
    return _marks_in_a_row().search(text) is not None


@cache
def _marks_in_a_row() -> re.Pattern[str]:
    """Return what finds too many marks, joiners, and characters that decompose into marks, made when first needed."""
    ranges: list[list[int]] = []
    for code in range(ord(_FIRST_MARK), _MARKS_END):
        if _is_mark(chr(code)):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    members = "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in ranges)
    return re.compile(f"[{members}]{{{MARKS_IN_A_ROW_MAX + 1}}}")


def _is_mark(character: str) -> bool:
    kind = category(character)
    if kind[0] == "M" or kind == "Cf":
        return True
    return bool(decomposition(character)) and combining(normalize("NFKD", character)[0]) > 0


def fold(text: str) -> str:
    """Return ``text`` without case, accents, compatibility forms and exotic punctuation.

    Not more than ``MATCH_LENGTH_MAX`` characters are looked at; up to eighteen can come of one.
    Follows Unicode's compatibility caseless matching (section 3.13: case folding between normalisations to NFKD),
    and then drops the marks of Latin, Greek, Cyrillic, Hebrew and Arabic letters. Marks of other scripts carry
    vowels and stay. Digits of every script become ASCII digits, every apostrophe ``'``, every dash ``-``, other
    punctuation and symbols beyond ASCII a space.
    """
    text = text[:MATCH_LENGTH_MAX]
    if text.isascii():
        return text.lower()
    decomposed = normalize("NFKD", text.translate(_APOSTROPHES).casefold())
    return normalize("NFKC", "".join(map(_fold_character, decomposed)).casefold())


@lru_cache(maxsize=_FOLDED_CHARACTERS_MAX)
def _fold_character(character: str) -> str:
    if ord(character) in _APOSTROPHES:
        return "'"
    if character in _LETTERS:
        return _LETTERS[character]
    kind = category(character)
    if kind == "Nd":
        return str(decimal(character))
    if _is_european_or_semitic_mark(character, kind) or kind == "Cf":
        return ""
    if character.isascii() or kind[0] in "LMN":
        return character
    return "-" if kind == "Pd" or character == _MINUS else " "


def _is_european_or_semitic_mark(character: str, kind: str) -> bool:
    return kind == "Mn" and ("\u0300" <= character <= "\u036f" or "\u0591" <= character <= "\u0670")


def words(folded: str) -> str:
    """Return the words of a folded text with one space between: apostrophes vanish, other punctuation separates."""
    if folded.isalnum():  # most texts are one word, which has nothing to replace
        return folded
    return " ".join(folded.translate(_ASCII_PUNCTUATION).split())


def alphanumerics(folded: str) -> str:
    """Return the letters and digits of a folded text, nothing between them."""
    return folded if folded.isalnum() else "".join(filter(str.isalnum, folded))


def is_blank(text: str) -> bool:
    """Return whether nothing in ``text`` is a letter or a digit of any script."""
    return not (text[:1].isalnum() or any(map(str.isalnum, text)))


def without_float_tail(text: str) -> str:
    """Return ``12345.0`` as ``12345``: spreadsheets and data frames turn columns of digits into floats."""
    if "." not in text:
        return text
    digits, _, tail = text.partition(".")
    return digits if tail and not tail.strip("0") and digits.isdecimal() else text


def table_rows(name: str) -> list[list[str]]:
    """Return the rows of a table packaged beside this module: fields separated by ``;``, ``#`` starts a comment."""
    raw = pkgutil.get_data(__package__, name)
    if raw is None:
        raise ValueError(f"the packaged table {name} cannot be read: install mdm-stream again")
    lines = (line.partition("#")[0].strip() for line in raw.decode("utf-8").splitlines())
    return [[part.strip() for part in line.split(";")] for line in lines if line]
