"""What each kind of predicate means, for two records: obvious code that the bulk scorer must agree with.

Everything rests on *measures*. A measure takes two texts to a number: a similarity in 0..1, a distance in edits, days
or units, the length of a shared prefix, or 1 and 0 for yes and no. It is NaN where the texts cannot be read as the
measure needs. A predicate holds if the best measure over the values of the two records passes its bar.

Long inputs are bounded, so that no value can stall a batch: of a multi-valued attribute the first ``VALUES_MAX``
values are compared, unless it is for equality, and the similarity and edit measures read the first ``CHARACTERS_MAX``
characters of a text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import partial
from typing import NamedTuple

from rapidfuzz import fuzz
from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler, Levenshtein

from mdm_stream.core.match import phonetics
from mdm_stream.core.match.words import other_code, other_size, shared_code, shared_words
from mdm_stream.core.memo import remembered_text
from mdm_stream.core.model import MatchValues
from mdm_stream.core.ruleset import Comparison, DeterministicRule, Match, Predicate, WordWeights
from mdm_stream.core.standardise import (
    are_other_names,
    is_other_script,
    nickname_root,
    respelt,
    romanised_similarity,
)

VALUES_MAX = 8
CHARACTERS_MAX = 256
DAYS_MAX = 3_652_059
"""The days from 0001-01-01 to 9999-12-31."""
DATES_CACHED_MAX = 32_768

NUMBERED_LETTERS_MIN = 3
"""Letters that two texts need in common to be one name with two numbers."""

UNBOUNDED = 1e300

INITIALS_END = "\u2e80"
"""First of the Chinese, Japanese and Korean characters, each of which may be a whole name and is no initial of one."""

EQUALITY_MEASURES = frozenset({"exact", "intersect"})
"""Whether two records share a value at all. All of their values are asked: it takes no comparison of each with each."""

WEAKEST_MEASURES = frozenset({"other_code", "other_name", "other_script", "other_size"})
"""What must hold of every pair of the values of two records: two people of whom one alias agrees may be one."""

SMALL_WORDS = frozenset({
    "and", "da", "das", "de", "dei", "del", "della", "delle", "den", "der", "des", "di", "do", "dos", "du", "e", "el",
    "en", "et", "for", "fuer", "fur", "het", "i", "in", "la", "las", "le", "les", "los", "och", "of", "og", "para",
    "per", "pour", "the", "und", "van", "voor", "y",
})  # fmt: skip
"""Words that an acronym may leave out: articles, prepositions and *and* in the languages of western business names."""


class PredicateKind(NamedTuple):
    """What a predicate of one kind takes: how many attributes (0: none), and the inclusive range of its threshold.

    ``threshold`` is ``None`` for a kind that has none.
    """

    attributes: int
    threshold: tuple[float, float] | None


_SHARE = (0.0, 1.0)
_EDITS = (0.0, float(CHARACTERS_MAX))

PREDICATE_KINDS: Mapping[str, PredicateKind] = {
    "null": PredicateKind(1, None),
    "else": PredicateKind(0, None),
    "exact": PredicateKind(1, None),
    "intersect": PredicateKind(1, None),
    "jaro_winkler": PredicateKind(1, _SHARE),
    "token_sort": PredicateKind(1, _SHARE),
    "token_set": PredicateKind(1, _SHARE),
    "damerau_levenshtein": PredicateKind(1, _EDITS),
    "levenshtein": PredicateKind(1, _EDITS),
    "prefix": PredicateKind(1, (1.0, float(CHARACTERS_MAX))),
    "initial": PredicateKind(1, None),
    "nickname": PredicateKind(1, None),
    "acronym": PredicateKind(1, None),
    "other_name": PredicateKind(1, None),
    "other_number": PredicateKind(1, None),
    "other_script": PredicateKind(1, None),
    "respelt": PredicateKind(1, None),
    "romanised": PredicateKind(1, _SHARE),
    "soundex": PredicateKind(1, None),
    "metaphone": PredicateKind(1, None),
    "shared_words": PredicateKind(1, _SHARE),
    "shared_code": PredicateKind(1, None),
    "other_code": PredicateKind(1, None),
    "other_size": PredicateKind(1, None),
    "date_within": PredicateKind(1, (0.0, float(DAYS_MAX))),
    "date_swap": PredicateKind(1, None),
    "numeric_within": PredicateKind(1, (0.0, UNBOUNDED)),
    "numeric_ratio": PredicateKind(1, _SHARE),
    "swap": PredicateKind(2, _SHARE),
}
"""Every kind of predicate, as the rules loader checks it. :class:`Predicate` says what each means."""

SIMILARITY_KINDS = frozenset(
    {
        "exact",
        "intersect",
        "jaro_winkler",
        "token_sort",
        "token_set",
        "damerau_levenshtein",
        "levenshtein",
        "initial",
        "nickname",
        "acronym",
        "soundex",
        "metaphone",
        "date_swap",
        "numeric_ratio",
        "swap",
    }
)
"""The kinds that a weighted mean can use: those with a similarity in 0..1 that needs no threshold."""

AT_MOST_MEASURES = frozenset({"damerau_levenshtein", "levenshtein", "date_within", "numeric_within"})
"""The measures where less is better: the best of several values is the least, and the bar is an upper one."""

_SIMILARITY_MEASURES = {
    "damerau_levenshtein": "damerau_levenshtein_similarity",
    "levenshtein": "levenshtein_similarity",
}


def holds(predicate: Predicate, a: MatchValues, b: MatchValues) -> bool:
    """Return whether a predicate holds of two records. Symmetric. ``ValueError`` for a kind that does not exist."""
    if predicate.kind == "else":
        return True
    if predicate.kind == "null":
        return any(not (texts_of(a[index]) and texts_of(b[index])) for index in predicate.attributes)
    measured = measure_of(predicate.kind, predicate.attributes, a, b, predicate.word_weights)
    if predicate.kind in AT_MOST_MEASURES:
        return measured <= bar_of(predicate)
    return measured >= bar_of(predicate)


def deciding_rule(match: Match, a: MatchValues, b: MatchValues) -> DeterministicRule | None:
    """Return the first deterministic rule that applies, ``None`` where none decides the pair."""
    for rule in match.deterministic:
        if all(holds(predicate, a, b) for predicate in rule.when):
            return rule
    return None


def level_of(comparison: Comparison, a: MatchValues, b: MatchValues) -> int:
    """Return the index of the first level whose predicates all hold. ``ValueError`` if none does (no ``else``)."""
    for index, level in enumerate(comparison.levels):
        if all(holds(predicate, a, b) for predicate in level.when):
            return index
    raise ValueError(f"comparison {comparison.name!r} has no level that applies; its last must be 'else'")


def similarity_of(kind: str, attributes: tuple[int, ...], a: MatchValues, b: MatchValues) -> float | None:
    """Return the similarity in 0..1 of two records' values, or ``None`` where one is missing or unreadable.

    ``kind`` is one of ``SIMILARITY_KINDS``; edits are divided by the length of the longer text and taken from 1.
    """
    measured = measure_of(similarity_measure(kind), attributes, a, b)
    return None if math.isnan(measured) else measured


def similarity_measure(kind: str) -> str:
    """Return the measure that is the similarity of a kind. ``ValueError`` if the kind has none."""
    if kind not in SIMILARITY_KINDS:
        raise ValueError(f"{kind!r} has no similarity; a weighted mean takes one of {sorted(SIMILARITY_KINDS)}")
    return _SIMILARITY_MEASURES.get(kind, kind)


def bar_of(predicate: Predicate) -> float:
    """Return what the measure must reach (or not exceed): the threshold, or 1 where the measure is yes or no."""
    if PREDICATE_KINDS[predicate.kind].threshold is None:
        return 1.0
    return max(1.0, predicate.threshold) if predicate.kind == "prefix" else predicate.threshold


def texts_of(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the texts of a match value that are compared: none where it is missing, ``VALUES_MAX`` at most."""
    return all_texts_of(value)[:VALUES_MAX]


def all_texts_of(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the texts of a match value, none where it is missing."""
    if not value:
        return ()
    return (value,) if isinstance(value, str) else tuple(text for text in value if text)


def measure_of(
    measure: str, attributes: tuple[int, ...], a: MatchValues, b: MatchValues, weights: WordWeights | None = None
) -> float:
    """Return the best measure over the values of two records, NaN if there is none."""
    if measure == "swap":
        left, right = attributes
        crossed = (_best("jaro_winkler", a[left], b[right]), _best("jaro_winkler", b[left], a[right]))
        return math.nan if any(math.isnan(similarity) for similarity in crossed) else min(crossed)
    (attribute,) = attributes
    return _best(measure, a[attribute], b[attribute], weights)


def _best(
    measure: str,
    a: str | tuple[str, ...] | None,
    b: str | tuple[str, ...] | None,
    weights: WordWeights | None = None,
) -> float:
    function = MEASURES.get(measure)
    if weights is not None and measure == "shared_words":
        function = partial(shared_words, weights=weights)
    if function is None:
        raise ValueError(f"unknown kind of predicate {measure!r}; expected one of {sorted(PREDICATE_KINDS)}")
    if measure in EQUALITY_MEASURES:
        left, right = set(all_texts_of(a)), set(all_texts_of(b))
        return float(not left.isdisjoint(right)) if left and right else math.nan
    measured = [function(x, y) for x, y in _pairs(texts_of(a), texts_of(b))]
    readable = [value for value in measured if not math.isnan(value)]
    if not readable:
        return math.nan
    return min(readable) if measure in AT_MOST_MEASURES or measure in WEAKEST_MEASURES else max(readable)


def _pairs(a: tuple[str, ...], b: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    return ((x, y) for x in a for y in b)


def _ordered(scorer: Callable[..., float], a: str, b: str) -> float:
    """Return a RapidFuzz score of two bounded texts, the smaller first: no scorer need be symmetric to the last bit."""
    a, b = a[:CHARACTERS_MAX], b[:CHARACTERS_MAX]
    return float(scorer(a, b) if a <= b else scorer(b, a))


def _shared_prefix(a: str, b: str) -> float:
    shorter, longer = sorted((a, b), key=len)
    return float(len(shorter)) if longer.startswith(shorter) else 0.0


def _is_initial(a: str, b: str) -> float:
    return float(min(len(a), len(b)) == 1 and a[0] == b[0] and a[0] < INITIALS_END)


def _is_acronym(a: str, b: str) -> float:
    return float(a in acronyms(b) or b in acronyms(a))


def acronyms(text: str) -> tuple[str, str] | tuple[()]:
    """Return the initials of a text's words, of all of them and without the small ones; none of a single word.

    ``bank of america`` gives ``boa`` and ``ba``. One letter is an initial, not an acronym.
    """
    words = text.split()
    full = "".join(word[0] for word in words)
    short = "".join(word[0] for word in words if word not in SMALL_WORDS)
    return (full, short if len(short) > 1 else full) if len(words) > 1 else ()


def without_digits(text: str) -> str:
    """Return a text without its digits; ``""`` where hardly a letter is left, so that digits alone tell it apart."""
    left = "".join(character for character in text if not character.isdecimal())
    return left if sum(map(str.isalpha, left)) >= NUMBERED_LETTERS_MIN else ""


def digits_alone(text: str) -> str:
    """Return the digits of a text."""
    return "".join(filter(str.isdecimal, text))


def _is_other_number(a: str, b: str) -> float:
    """Two numbers with one name. With a slip beside, both have one, and no single edit explains all of it."""
    rest, other = without_digits(a), without_digits(b)
    if a == b or not rest or not other:
        return 0.0
    if rest == other:
        return 1.0
    return float(
        "" != digits_alone(a) != digits_alone(b) != ""
        and _ordered(DamerauLevenshtein.distance, rest, other) == 1
        and _ordered(DamerauLevenshtein.distance, a, b) > 1
    )


def _same_code(code: Callable[[str], str], a: str, b: str) -> float:
    return float(code(a) == code(b) != "")


def _days_between(a: str, b: str) -> float:
    first, second = read_date(a), read_date(b)
    return math.nan if first is None or second is None else float(abs(first.toordinal() - second.toordinal()))


def _is_swapped_date(a: str, b: str) -> float:
    first, second = read_date(a), read_date(b)
    if first is None or second is None:
        return math.nan
    exchanged = (second.year, second.day, second.month)
    return float((first.year, first.month, first.day) == exchanged and first.month != first.day)


def _difference(a: str, b: str) -> float:
    return abs(read_number(a) - read_number(b))


def _ratio(a: str, b: str) -> float:
    first, second = read_number(a), read_number(b)
    if math.isnan(first) or math.isnan(second):
        return math.nan
    larger = max(abs(first), abs(second))
    if larger == 0.0:
        return 1.0
    return 0.0 if (first < 0.0) != (second < 0.0) else min(abs(first), abs(second)) / larger


MEASURES: Mapping[str, Callable[[str, str], float]] = {
    "exact": lambda a, b: float(a == b),
    "intersect": lambda a, b: float(a == b),
    "jaro_winkler": lambda a, b: _ordered(JaroWinkler.similarity, a, b),
    "token_sort": lambda a, b: _ordered(fuzz.token_sort_ratio, a, b) / 100.0,
    "token_set": lambda a, b: _ordered(fuzz.token_set_ratio, a, b) / 100.0,
    "damerau_levenshtein": lambda a, b: _ordered(DamerauLevenshtein.distance, a, b),
    "damerau_levenshtein_similarity": lambda a, b: _ordered(DamerauLevenshtein.normalized_similarity, a, b),
    "levenshtein": lambda a, b: _ordered(Levenshtein.distance, a, b),
    "levenshtein_similarity": lambda a, b: _ordered(Levenshtein.normalized_similarity, a, b),
    "prefix": _shared_prefix,
    "initial": _is_initial,
    "nickname": lambda a, b: _same_code(nickname_root, a, b),
    "acronym": _is_acronym,
    "other_name": lambda a, b: float(are_other_names(a, b)),
    "other_number": _is_other_number,
    "other_script": lambda a, b: float(is_other_script(a, b)),
    "respelt": lambda a, b: _same_code(respelt, a, b),
    "romanised": romanised_similarity,
    "soundex": lambda a, b: _same_code(phonetics.soundex, a, b),
    "metaphone": lambda a, b: _same_code(phonetics.metaphone, a, b),
    "shared_words": shared_words,
    "shared_code": shared_code,
    "other_code": other_code,
    "other_size": other_size,
    "date_within": _days_between,
    "date_swap": _is_swapped_date,
    "numeric_within": _difference,
    "numeric_ratio": _ratio,
}

_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


@remembered_text(DATES_CACHED_MAX)
def read_date(text: str) -> date | None:
    """Return the date of ``yyyy-mm-dd``, or ``None`` if the text is anything else or no such day exists."""
    if not _ISO_DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def read_number(text: str) -> float:
    """Return a decimal number as a double, or NaN if the text is anything else or too large for one."""
    if not _NUMBER.fullmatch(text):
        return math.nan
    number = float(text)
    return number if math.isfinite(number) else math.nan
