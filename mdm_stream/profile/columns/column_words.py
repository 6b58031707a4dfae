"""What a column's name says of its meaning, in many languages: evidence that counts after the form of its values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from mdm_stream.core.standardise.text import fold, words
from mdm_stream.profile.columns.word_tables import table_rows

NAME_CHARS_MAX = 120
"""Characters of a column's name that are looked at."""
_CAMEL = re.compile(
    r"(?<=[a-z\u0430-\u044f\u03b1-\u03c9\u00e0-\u00ff0-9])(?=[A-Z\u0410-\u042f\u0391-\u03a9\u00c0-\u00de])|(?<=[A-Z])(?=[A-Z][a-z])"
)
_NUMBERED = re.compile(r"(?<=[^\W\d_])(?=\d)")
_COMPOUND_CHARS_MIN = 5
"""Letters that a word needs to be looked for inside of another one (``kundenvorname``)."""
_PART = 0.6
_BOTH_NAMES = 0.95
"""What a name says that has words for both names of a person in it."""
_EXACT = 1.0
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})


def plain_name(name: str) -> str:
    """Return a column's name as its folded words with one space between: ``custFirstName``, ``CUST_FIRST-NAME``."""
    apart = _CAMEL.sub(" ", name[:NAME_CHARS_MAX])
    return words(fold(_NUMBERED.sub(" ", apart.replace("_", " "))))


@cache
def _meanings_by_name() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for meaning, _, names in table_rows("column_words.csv"):
        for name in names:
            for spelling in (plain_name(name), plain_name(name.lower().translate(_UMLAUTS))):
                found.setdefault(spelling, {})[meaning] = None
    return {name: tuple(meanings) for name, meanings in found.items() if name}


@cache
def _names_without_spaces() -> Mapping[str, str]:
    return {name.replace(" ", ""): name for name in _meanings_by_name()}


def meanings_of_name(name: str) -> dict[str, float]:
    """Return what a column's name may mean: meaning -> how much it says so, above 0 and at most 1.

    The whole name says most. Of a longer one the longest known names in it count, the last one in full and others less
    (``customer_birth_date`` is a birth date of a customer), each by the share of the name that it covers.
    """
    plain = plain_name(name)
    known = _meanings_by_name()
    whole = known.get(plain) or known.get(_names_without_spaces().get(plain.replace(" ", ""), ""))
    if whole:
        return dict.fromkeys(whole, _EXACT)
    bare = re.sub(r"(?: |^)\d+$", "", plain).strip()
    if bare != plain and known.get(bare):
        return dict.fromkeys(known[bare], _EXACT * 0.95)
    found: dict[str, float] = {}
    for part, weight in _known_parts(plain):
        for meaning in known[part]:
            found[meaning] = max(found.get(meaning, 0.0), round(weight, 3))
    if {"given_name", "family_name"} <= found.keys():
        found["full_name"] = _BOTH_NAMES
    return found


def _known_parts(plain: str) -> list[tuple[str, float]]:
    """Return the known names in a longer one, with what each says: runs of its words, or parts of a compound."""
    tokens, known = plain.split(), _meanings_by_name()
    parts: list[tuple[str, float]] = []
    taken: set[int] = set()
    for length in range(len(tokens) - 1, 0, -1):
        for start in range(len(tokens) - length, -1, -1):
            run = " ".join(tokens[start : start + length])
            places = set(range(start, start + length))
            if run in known and not places & taken and (len(run) > 1 or not run.isascii()):
                taken |= places
                is_last = start + length == len(tokens)
                parts.append((run, (0.9 if is_last else _PART) * (0.7 + 0.3 * length / len(tokens))))
    if parts:
        return parts
    compact = plain.replace(" ", "")
    least = 2 if _UNSPACED.search(compact) else _COMPOUND_CHARS_MIN
    inside = [each for each in known if least <= len(each) < len(compact) and each.replace(" ", "") in compact]
    if not inside:
        return []
    longest = max(inside, key=lambda each: (len(each), compact.endswith(each)))
    ends = compact.endswith(longest.replace(" ", ""))
    return [(longest, (0.85 if ends else _PART) * (0.6 + 0.4 * len(longest) / len(compact)))]
