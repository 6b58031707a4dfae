"""How a name sounds, as a short code: Soundex, Metaphone and NYSIIS, made total.

The three algorithms know the 26 Latin letters only. A text that has any of these is coded by them alone; a text that
has none (another script, digits) is its own code, so that such names are told apart and never fall together under one
empty code. A text of white space has the empty code.
"""

from __future__ import annotations

import re

import jellyfish

from mdm_stream.core.memo import remembered_text

CODES_CACHED_MAX = 32_768
"""How many texts each algorithm remembers, least recently used out first: names repeat, and coding costs 1 us."""

_NOT_LETTERS = re.compile(r"[^a-z]+")


def _letters(text: str) -> str:
    return _NOT_LETTERS.sub("", text.casefold())


def _itself(text: str) -> str:
    return "".join(text.casefold().split())


@remembered_text(CODES_CACHED_MAX)
def soundex(text: str) -> str:
    """Return the Soundex code, such as ``r163`` for robert and rupert."""
    letters = _letters(text)
    return jellyfish.soundex(letters).lower() if letters else _itself(text)


@remembered_text(CODES_CACHED_MAX)
def metaphone(text: str) -> str:
    """Return the Metaphone code, such as ``0mpsn`` for thompson; the letters themselves where it would be empty."""
    letters = _letters(text)
    return (jellyfish.metaphone(letters).lower() or letters) if letters else _itself(text)


@remembered_text(CODES_CACHED_MAX)
def nysiis(text: str) -> str:
    """Return the NYSIIS code, such as ``nagt`` for knight and night."""
    letters = _letters(text)
    return (jellyfish.nysiis(letters).lower() or letters) if letters else _itself(text)
