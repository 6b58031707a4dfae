"""The functions of blocking-key expressions: from one match text to the texts that may meet in a key.

Each takes the text and an integer argument (0 where none was given) and returns the parts that it yields: none where
the text has nothing to offer (no digits, no date), several for ``token`` and ``codes`` alone. All are total and pure.
``first``, ``initials`` and those that code a sound read a text of another script in Latin letters, so that a name
meets itself.

==================== ==================================================================================
``attribute``        the whole text (``exact``)
``first(a, n)``      its first n characters
``last(a, n)``       its last n characters
``digits(a[, n])``   its digits in order; with n, the last n of them: phone numbers differ in how they begin
``soundex(a)``       its Soundex code; likewise ``metaphone(a)`` and ``nysiis(a)``
``nickname(a)``      the given name that it is a form of (bill: william)
``year(a)``          the year of an ISO date
``month_day(a)``     the month and day of an ISO date
``token(a[, n])``    each of its words (of at least n characters): one key a word
``codes(a)``         each of its model and article numbers, see :mod:`mdm_stream.core.match.words`
``sorted_tokens(a)`` its words in alphabetic order, joined
``initials(a)``      the first character of each word, joined
``local(a)``         what stands before the last @ of an email address
``domain(a)``        what stands after it
==================== ==================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from mdm_stream.core.match import phonetics
from mdm_stream.core.match.words import code_keys
from mdm_stream.core.standardise import nickname_root, readings

Texts = tuple[str, ...]

ARGUMENT_MAX = 64
"""The greatest argument: no key is longer than that either."""


SEVERAL = frozenset({"codes", "token"})
"""The functions that yield several parts of one text."""


class KeyFunction(NamedTuple):
    """One function, and whether its integer argument is needed (True), allowed (False) or refused (None)."""

    apply: Callable[[str, int], Texts]
    needs_argument: bool | None


_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2}-[0-9]{2})")


def _some(text: str) -> Texts:
    return (text,) if text else ()


def _latin(text: str) -> str:
    """Return a text with each word in Latin letters."""
    return text if text.isascii() else " ".join(readings(word)[0] or word for word in text.split())


def _digits(text: str, count: int) -> Texts:
    digits = "".join(filter(str.isdecimal, text))
    return _some(digits[-count:] if count else digits)


def _date_part(text: str, group: int) -> Texts:
    found = _ISO_DATE.fullmatch(text)
    return (found[group],) if found else ()


def _tokens(text: str, characters_min: int) -> Texts:
    return tuple({token: None for token in text.split() if len(token) >= characters_min})


def _email_part(text: str, position: int) -> Texts:
    local, at, domain = text.rpartition("@")
    return _some((local, domain)[position]) if at else ()


KEY_FUNCTIONS: Mapping[str, KeyFunction] = {
    "exact": KeyFunction(lambda text, _: _some(text), None),
    "first": KeyFunction(lambda text, count: _some(_latin(text)[:count].strip()), True),
    "last": KeyFunction(lambda text, count: _some(text[-count:].strip()), True),
    "digits": KeyFunction(_digits, False),
    "soundex": KeyFunction(lambda text, _: _some(phonetics.soundex(_latin(text))), None),
    "metaphone": KeyFunction(lambda text, _: _some(phonetics.metaphone(_latin(text))), None),
    "nysiis": KeyFunction(lambda text, _: _some(phonetics.nysiis(_latin(text))), None),
    "nickname": KeyFunction(lambda text, _: _some(nickname_root(text)), None),
    "year": KeyFunction(lambda text, _: _date_part(text, 1), None),
    "month_day": KeyFunction(lambda text, _: _date_part(text, 2), None),
    "token": KeyFunction(_tokens, False),
    "codes": KeyFunction(lambda text, _: code_keys(text), None),
    "sorted_tokens": KeyFunction(lambda text, _: _some(" ".join(sorted(text.split()))), None),
    "initials": KeyFunction(lambda text, _: _some("".join(token[0] for token in _latin(text).split())), None),
    "local": KeyFunction(lambda text, _: _email_part(text, 0), None),
    "domain": KeyFunction(lambda text, _: _email_part(text, 1), None),
}
