"""Several values in one cell: how a declared separator parts them, and how an undeclared one is found out.

A cell that is not parted has no match: two numbers read as one would be evidence for neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from mdm_stream.core.standardise.text import alphanumerics, fold

SEPARATORS_MAX = 16
"""Separators that one attribute may have."""

SEPARATOR_CHARS_MAX = 8
"""Characters of one separator."""

NAMED_SEPARATORS = {"newline": "\n", "tab": "\t"}

Separate = Callable[[str], list[str]]

_COMPILED_MAX = 256
_PHONE_DIGITS = 7
_IDENTIFIER_CHARS = 5
_USUAL = re.compile(r"\s*[;|,/\\\n\r\t]\s*|\s+(?:&|and|or|und|oder|et|ou|y|o|e|en|of|och|og|i|lub)\s+", re.IGNORECASE)
_OF_PHONES = re.compile(r"[;|,/\\&]|\b(?:and|or|und|oder|et|ou|og|och)\b", re.IGNORECASE)
_OF_EMAILS = re.compile(r"[;|,/\\\s]+")
_OF_IDENTIFIERS = re.compile(r"[;|,]")


def separators_of(option: str) -> list[str]:
    """Return the separators that an option names: those between its spaces, ``newline`` and ``tab`` by their names."""
    return [NAMED_SEPARATORS.get(name, name) for name in option.split()]


def problem_with_separators(option: str) -> str | None:
    """Return what was expected instead of these separators, or ``None`` if they can be used."""
    names = option.split()
    if len(names) > SEPARATORS_MAX or any(len(name) > SEPARATOR_CHARS_MAX for name in names):
        return f"at most {SEPARATORS_MAX} separators of at most {SEPARATOR_CHARS_MAX} characters"
    if any(name not in NAMED_SEPARATORS and any(map(str.isalnum, name)) for name in names):
        return "marks that are no letters or digits, 'newline' or 'tab'"
    return None


@lru_cache(maxsize=_COMPILED_MAX)
def separate_by(option: str) -> Separate | None:
    """Return what parts a text at the separators of an option; ``None`` where it names none."""
    found = separators_of(option)
    if not found:
        return None
    between = re.compile("|".join(re.escape(each) for each in sorted(found, key=lambda each: (-len(each), each))))
    return lambda text: [part for part in between.split(text) if part.strip()]


def holds_two_phones(text: str) -> bool:
    """Return whether two numbers of seven digits or more stand beside each other, a usual separator between them."""
    return _long_pieces(_OF_PHONES, text, _PHONE_DIGITS, digits_only=True) > 1


def holds_two_emails(text: str) -> bool:
    """Return whether two pieces of a text hold an @ each."""
    return text.count("@") > 1 and sum("@" in piece for piece in _OF_EMAILS.split(text)) > 1


def holds_two_identifiers(text: str) -> bool:
    """Return whether two identifiers of five letters and digits or more, some of them digits, share a text."""
    return _long_pieces(_OF_IDENTIFIERS, text, _IDENTIFIER_CHARS, digits_only=False) > 1


def _long_pieces(between: re.Pattern[str], text: str, least: int, *, digits_only: bool) -> int:
    if between.search(text) is None:
        return 0
    found = 0
    for piece in between.split(text):
        letters = alphanumerics(fold(piece))
        digits = sum(map(str.isdigit, letters))
        found += (digits if digits_only else len(letters) if digits else 0) >= least
    return found


def ways_to_part(text: str, *, at_spaces: bool) -> Iterator[list[str]]:
    """Yield how a text may be parted: at the usual separators, and, if ``at_spaces``, at each one space in turn."""
    pieces = [piece for piece in _USUAL.split(text) if piece.strip()]
    if len(pieces) > 1:
        yield pieces
    if at_spaces:
        words = text.split()
        if len(words) > 1:
            yield words
        for place in range(1, len(words)):
            yield [" ".join(words[:place]), " ".join(words[place:])]
