"""Forms of one name, and names that are two: nicknames, spellings, and given names that people are known to bear."""

from __future__ import annotations

import re

from mdm_stream.core.memo import remembered_text
from mdm_stream.core.standardise.text import table_rows

WORDS_CACHED_MAX = 32_768
"""Names whose roots and sounds are remembered, least recently used out first."""

_SPELT_OUT = re.compile(r"(a)[ae]+|([ou])e+")
_SOUNDS = (("ph", "f"), ("ck", "k"), ("c", "k"), ("q", "k"), ("y", "i"), ("j", "j"), ("w", "v"), ("z", "s"))
_INNER_H = re.compile(r"(?<=.)h")
_UNKNOWN = ("", "")
_DOUBLED = re.compile(r"(.)\1+")


def _roots_by_nickname() -> dict[str, str]:
    return {nickname: root for root, nicknames in table_rows("nicknames.csv") for nickname in nicknames.split()}


_ROOTS = _roots_by_nickname()
_GIVEN_NAMES = frozenset(
    {
        *_ROOTS,
        *_ROOTS.values(),
        *(word for (names,) in table_rows("given_names.csv") for word in names.split()),
    }
)


def nickname_root(name_match: str) -> str:
    """Return a name's ``match`` with each word that is a nickname or a variant replaced by its root.

    ``bill``, ``will`` and ``billy`` give ``william``, ``paco`` gives ``francisco``; an unknown word stays. Names of
    several languages, from general knowledge. A nickname of several names has the root that most of its bearers have
    (``alex`` is ``alexander``), because to make all its names equal would make ``alexander`` equal ``alexandra``, who
    may be his sister. Idempotent.
    """
    if " " not in name_match:
        return _ROOTS.get(name_match, name_match)
    return " ".join(_ROOTS.get(word, word) for word in name_match.split(" "))


def respelt(match: str) -> str:
    """Return a text with umlauts and their like written in the one way that all others lead to; idempotent.

    ``mueller``, ``muller`` and, folded, ``müller`` give ``muller``; so do ``oe`` and ``ø``, ``aa`` and ``å``, ``ae``
    and ``æ``. Two names that are not one may fall together (``noel``, ``nol``): it is one measure among others.
    """
    return _SPELT_OUT.sub(lambda found: found[1] or found[2], match)


def are_other_names(a: str, b: str) -> bool:
    """Return whether two given names are known to be two: each has a known name that is no form of any of the other.

    Words that both have are left out, so ``anna maria`` may be ``maria``. Spellings of one sound are one name; a word
    that is no known name is a slip of the pen, and no other name.
    """
    first, second = _forms_of(a), _forms_of(b)
    left, right = first - second, second - first
    if not left or not right or _UNKNOWN in left or _UNKNOWN in right:
        return False
    return {sound for _, sound in left}.isdisjoint({sound for _, sound in right})


def has_known_name(text: str) -> bool:
    """Return whether a word of a text is a given name that people are known to bear."""
    return not _GIVEN_NAMES.isdisjoint(text.split(" "))


@remembered_text(WORDS_CACHED_MAX)
def _forms_of(text: str) -> frozenset[tuple[str, str]]:
    """Return the root and sound of each word of a text, ``_UNKNOWN`` of words that are no known names."""
    return frozenset(
        (_ROOTS.get(word, word), _sound(_ROOTS.get(word, word))) if word in _GIVEN_NAMES else _UNKNOWN
        for word in text.split(" ")
        if word
    )


def _sound(word: str) -> str:
    for written, sound in _SOUNDS:
        word = word.replace(written, sound)
    return _DOUBLED.sub(r"\1", _INNER_H.sub("", word))
