"""Comparisons of attributes that no pack weighs: levels in bits, from how often two records agree by chance. Pure.

A level's weight is log2(m / u) (Fellegi and Sunter 1969). ``u`` is measured: the probability that two records drawn at
random agree, from the counts of values. ``m`` is not known without labels, and is assumed by kind: identifiers of one
thing agree nine times in ten, titles of two sources half of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2
from types import MappingProxyType
from typing import NamedTuple

U_MIN = 1e-5
"""The least chance of agreement that is believed: the sample of a file says little of rarer values."""
IDENTIFIER_DISTINCTNESS_MIN = 0.3
OWN_DISTINCTNESS_MIN = 0.4
"""Where so many values differ, those that agree are mostly of one thing: they say nothing of chance."""
_OF_ONE_THING = frozenset({"identifier", "text", "organisation", "full_name", "email", "phone", "url", "address"})


class DraftLevel(NamedTuple):
    """One level as YAML has it: the condition, its bits, what the comment says, and what else the level has."""

    when: str
    bits: float
    said: str = ""
    rest: str = ""


@dataclass(frozen=True, slots=True)
class ValueChance:
    """What is measured of an attribute: records with a value, different values, and the chance that two agree."""

    present: int
    distinct: int
    agreement: float

    @property
    def distinctness(self) -> float:
        """Different values of those there are."""
        return self.distinct / self.present if self.present else 0.0


_M: Mapping[str, float] = MappingProxyType({
    "identifier": 0.9, "text": 0.5, "organisation": 0.5, "name": 0.8, "full_name": 0.7, "number": 0.5,
    "category": 0.8, "city": 0.8,
    "date": 0.9, "email": 0.5, "phone": 0.6, "url": 0.7, "postcode": 0.8, "region": 0.9, "country": 0.95,
    "address": 0.6,
})  # fmt: skip
_BITS_MAX: Mapping[str, float] = MappingProxyType({
    "identifier": 15.0, "text": 13.0, "organisation": 12.0, "name": 8.0, "full_name": 12.0, "number": 6.0,
    "category": 4.0, "city": 5.0,
    "date": 12.0, "email": 14.0, "phone": 10.0, "url": 9.0, "postcode": 7.0, "region": 2.5, "country": 1.5,
    "address": 11.0,
})  # fmt: skip


def agreement_bits(kind: str, chance: ValueChance) -> float:
    """Return the weight of equal values of a type, to half a bit: log2(m / u) within the bounds of the type."""
    is_own = kind in _OF_ONE_THING and chance.distinctness >= OWN_DISTINCTNESS_MIN
    u = U_MIN if is_own else max(chance.agreement, U_MIN)
    bits = log2(_M.get(kind, 0.6) / u) if u < 1 else 0.0
    return max(0.0, min(_BITS_MAX.get(kind, 5.0), round(2 * bits) / 2))


def levels_of(
    name: str, kind: str, meaning: str, chance: ValueChance, *, shares_codes: bool = False
) -> list[DraftLevel]:
    """Return the levels of a comparison of one attribute, from the best to ``else``; none where nothing is gained.

    ``shares_codes``: what looks like a model number in it is shared by many things (``4x40``), and is none.
    """
    best = agreement_bits(kind, chance)
    if kind == "text" and meaning in _WORDY and best >= 1:
        return _levels_of_words(name, meaning, min(best, _BESIDE_BITS_MAX) if meaning in _WEAK else best, shares_codes)
    measured = f"u 1 / {1 / max(chance.agreement, U_MIN):,.0f}" if chance.agreement else "no two agree"
    between = _BETWEEN.get(kind)
    if between is None or (best < 1 and kind != "number"):
        return []
    least = -1.0 if meaning in _WEAK else _ELSE.get(kind, -1.0)
    if kind == "identifier" and chance.distinctness < IDENTIFIER_DISTINCTNESS_MIN:
        least = -1.0
    return [
        DraftLevel("null", 0.0),
        DraftLevel("exact", best, measured),
        *(DraftLevel(when, _rounded(best * share), said) for when, share, said in between),
        DraftLevel("else", least),
    ]


def _levels_of_words(name: str, meaning: str, best: float, shares_codes: bool) -> list[DraftLevel]:
    """Return the levels of a free text: by its model numbers, its sizes, and the weight of the words it shares."""
    least = -1.0 if meaning in _WEAK else _ELSE_OF_WORDS
    return [
        DraftLevel("null", 0.0),
        *(
            DraftLevel(when.format(name=name), max(least, _rounded(best * share)), said)
            for when, share, said in _WORDS
            if not (shares_codes and "shared_code" in when)
        ),
        DraftLevel("else", least),
    ]


def _rounded(bits: float) -> float:
    return round(2 * bits) / 2


_WORDED = (
    ("{token_sort: 0.95}", 0.85, "other order, one slip"),
    ("{token_set: 0.95}", 0.7, "all words of one are in the other"),
    ("{token_sort: 0.85}", 0.55, ""),
    ("{token_sort: 0.75}", 0.25, ""),
    ("{token_set: 0.7}", 0.1, ""),
)
_BETWEEN: Mapping[str, tuple[tuple[str, float, str], ...]] = MappingProxyType({
    "text": _WORDED,
    "organisation": (*_WORDED[:3], ("acronym", 0.5, ""), ("{token_sort: 0.75}", 0.2, "")),
    "name": (("{jaro_winkler: 0.93}", 0.7, "one slip"), ("{token_set: 0.99}", 0.5, ""), ("initial", 0.4, ""),
             ("{jaro_winkler: 0.85}", 0.35, "")),
    "full_name": (("{token_sort: 0.95}", 0.85, ""), ("{token_set: 0.95}", 0.6, ""), ("{jaro_winkler: 0.92}", 0.55, ""),
                  ("{token_sort: 0.8}", 0.3, "")),
    "identifier": (("{damerau_levenshtein: 1}", 0.4, "a slip, or a neighbour in a series"),),
    "number": (("{numeric_ratio: 0.98}", 0.6, ""), ("{numeric_ratio: 0.85}", 0.2, "")),
    "date": (("date_swap", 0.6, "day and month exchanged"), ("{damerau_levenshtein: 1}", 0.4, ""),
             ("{date_within: 31}", 0.1, "")),
    "city": (("{jaro_winkler: 0.9}", 0.6, ""),),
    "address": (("{token_sort: 0.9}", 0.75, ""), ("{token_set: 0.95}", 0.65, "with and without the flat"),
                ("{token_sort: 0.75}", 0.3, "")),
    "email": (("{damerau_levenshtein: 1}", 0.5, ""), ("{jaro_winkler: 0.92}", 0.15, "")),
    "phone": (("{damerau_levenshtein: 1}", 0.4, ""),),
    "url": (("{damerau_levenshtein: 1}", 0.4, ""),),
    "postcode": (("{damerau_levenshtein: 1}", 0.2, ""),),
    "category": (), "region": (), "country": (),
})  # fmt: skip
_WORDY = frozenset({"title", "description"})
_ELSE_OF_WORDS = -7.0
_BESIDE_BITS_MAX = 4.0
"""What stands beside a title says much of the same in more words, and what all things of a kind have in common."""
_WORDS = (
    ("exact", 1.1, ""),
    ("{{{name}: shared_code, shared_words: 0.6}}", 1.25, "the same model number, which is an identifier"),
    ("{{{name}: shared_code, shared_words: 0.35}}", 1.15, ""),
    ("{{{name}: other_code, shared_words: 0.85}}", 0.3, "another model number"),
    ("{{{name}: other_code, shared_words: 0.65}}", 0.0, ""),
    ("{{{name}: other_code}}", -0.5, ""),
    ("{{{name}: shared_code}}", 0.85, ""),
    ("{{{name}: other_size, shared_words: 0.6}}", 0.2, "another size"),
    ("{{{name}: other_size}}", -0.5, ""),
    ("{{shared_words: 0.9}}", 1.0, ""),
    ("{{shared_words: 0.75}}", 0.85, ""),
    ("{{shared_words: 0.6}}", 0.6, ""),
    ("{{shared_words: 0.45}}", 0.3, ""),
    ("{{shared_words: 0.3}}", 0.0, ""),
)
"""Conditions on a free text, with their share of the weight of two equal ones."""
_ELSE: Mapping[str, float] = MappingProxyType({
    "text": -4.0, "organisation": -4.0, "name": -4.0, "full_name": -4.5, "identifier": -4.0, "number": -1.0,
    "date": -4.0, "city": -2.0,
    "address": -3.0, "email": -1.0, "phone": -0.5, "url": -2.0, "postcode": -2.0, "category": -1.0, "region": -1.0,
    "country": -2.0,
})  # fmt: skip
_WEAK = frozenset({"description", "brand", "other", "unit", "care_of", "created_at", "price", "category", "number"})
"""Meanings in which two records of one thing often differ."""


def prior_of(records: int) -> float:
    """Return how likely two records drawn at random are of one thing, if each has one other record on average.

    Then n / 2 of the n (n - 1) / 2 pairs are matches (Fellegi and Sunter's share of the matched set): about 1 / n.
    Between one in a thousand and one in ten million, to one digit: in fewer records, people of one home are likelier.
    """
    exact = min(1e-3, max(1e-7, 1 / max(1, records)))
    return float(f"{exact:.0e}")
