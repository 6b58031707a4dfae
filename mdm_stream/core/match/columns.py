"""The measures of :mod:`mdm_stream.core.match.compare` over many pairs at once, on factorised columns.

A :class:`Column` holds one attribute of some records with each distinct value once, so that equality is a comparison
of integers and what is derived from a text (a code, a date, a number) is derived once. :func:`measure_columns` gives,
for arrays of value codes, exactly the floats that the scalar measure gives for the values, to the last bit.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import count
from operator import itemgetter
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process
from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler, Levenshtein, Prefix

from mdm_stream.core.match import phonetics
from mdm_stream.core.match.compare import (
    AT_MOST_MEASURES,
    CHARACTERS_MAX,
    EQUALITY_MEASURES,
    INITIALS_END,
    WEAKEST_MEASURES,
    acronyms,
    all_texts_of,
    digits_alone,
    read_date,
    read_number,
    texts_of,
    without_digits,
)
from mdm_stream.core.match.word_columns import (
    other_code_columns,
    other_size_columns,
    shared_code_columns,
    shared_words_of,
)
from mdm_stream.core.ruleset import WordWeights
from mdm_stream.core.standardise import (
    are_other_names,
    has_known_name,
    is_other_script,
    nickname_root,
    respelt,
    romanised_similarity,
)

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
T = TypeVar("T")
MatchValue = str | tuple[str, ...] | None

MISSING_VALUES: tuple[MatchValue, ...] = (None, "", ())

EXPANDED_MAX = 262_144
"""The most pairs of texts measured at once where values hold several texts."""
DENSE_TABLE_FACTOR = 16
"""Distinct pairs are found through a table of all possible ones if it has at most this many cells a pair."""


class Column:
    """One attribute of some records, factorised. Code 0 is a missing value, among values and among texts.

    ``codes`` has the value code of each record; ``texts`` the text of each text code. Where every value is one text
    (``single``) a value's code is also its text's. Otherwise value ``v`` has the text codes
    ``flat[starts[v] : starts[v] + counts[v]]``, and ``wholes[v]`` is the set of all its texts, those included that are
    compared for equality alone.
    """

    __slots__ = ("_derived", "codes", "counts", "flat", "single", "starts", "texts", "wholes")

    def __init__(self, size: int, rows: Codes, values: list[MatchValue]) -> None:
        """Take the number of records, and the values of those among them that will be asked for."""
        self._derived: dict[str, Any] = {}
        # One pass in C numbers the values as they are first met; the missing ones are met before all others.
        numbered: defaultdict[MatchValue, int] = defaultdict(count().__next__)
        for missing in MISSING_VALUES:
            numbered[missing]
        codes = np.fromiter(map(numbered.__getitem__, values), np.int64, len(values))
        distinct = list(numbered)[len(MISSING_VALUES) :]
        self.codes: Codes = np.zeros(size, np.int64)
        self.codes[rows] = np.maximum(codes - (len(MISSING_VALUES) - 1), 0)
        self.single = tuple not in set(map(type, distinct))
        self.texts: list[str] = [""]
        none: Codes = np.zeros(0, np.int64)
        self.starts = self.counts = self.flat = none
        self.wholes: list[frozenset[str]] = []
        if self.single:
            self.texts += cast("list[str]", distinct)
        else:
            self._spread(distinct, rows)

    def _spread(self, distinct: list[MatchValue], rows: Codes) -> None:
        self.wholes = [frozenset(), *(frozenset(all_texts_of(value)) for value in distinct)]
        spans = [texts_of(value) for value in distinct]
        text_code: dict[str, int] = {}
        flat = [text_code.setdefault(text, len(text_code) + 1) for span in spans for text in span]
        self.texts += text_code
        self.flat = np.array(flat, np.int64)
        self.counts = np.array([0, *map(len, spans)], np.int64)
        self.starts = np.cumsum(self.counts) - self.counts
        # A tuple of empty texts is a missing value, which only its span tells.
        self.codes[rows] = np.where(self.counts[self.codes[rows]] > 0, self.codes[rows], 0)

    def derived(self, name: str, derive: Callable[[str], object], dtype: type) -> NDArray[Any]:
        """Return an array of what ``derive`` gives for each text, by text code; made once for each name."""
        found = self._derived.get(name)
        if found is None:
            found = np.empty(len(self.texts), dtype)
            found[:] = list(map(derive, self.texts))
            self._derived[name] = found
        return cast("NDArray[Any]", found)

    def table(self, name: str, make: Callable[[list[str]], T]) -> T:
        """Return what ``make`` gives for all texts; made once for each name."""
        if name not in self._derived:
            self._derived[name] = make(self.texts)
        return cast("T", self._derived[name])

    def keys(self, name: str, code: Callable[[str], str]) -> NDArray[Any]:
        """Return an integer for each text that is equal where ``code`` of the texts is, 0 where it is empty."""
        numbers: dict[str, int] = {"": 0}
        return self.derived(name, lambda text: numbers.setdefault(code(text) if text else "", len(numbers)), np.int64)


TextMeasure = Callable[[Column, Codes, Column, Codes], Floats]


def measure_columns(
    measure: str, left: Column, a: Codes, right: Column, b: Codes, weights: WordWeights | None = None
) -> Floats:
    """Return the best measure of each pair of value codes (``a`` in ``left``, ``b`` in ``right``), NaN for none.

    Measures that compare what is derived from texts need ``left`` and ``right`` to be one column, ``weights`` to be
    those of every call about it.
    """
    function = shared_words_of(weights) if measure == "shared_words" else TEXT_MEASURES[measure]
    measured = np.full(len(a), math.nan)
    present = np.flatnonzero((a > 0) & (b > 0))
    if left.single and right.single:
        measured[present] = function(left, a[present], right, b[present])
        return measured
    if measure in EQUALITY_MEASURES and left is right:
        measured[present] = _share_a_text(left, a[present], b[present])
        return measured
    counts = _counts(left, a[present]) * _counts(right, b[present])
    for part in _slices(counts):
        places = present[part]
        measured[places] = _measure_several(measure, function, left, a[places], right, b[places])
    return measured


def _share_a_text(column: Column, a: Codes, b: Codes) -> Floats:
    wholes = column.wholes
    shared = (not wholes[x].isdisjoint(wholes[y]) for x, y in zip(a.tolist(), b.tolist(), strict=True))
    return np.fromiter(shared, np.float64, len(a))


def _measure_several(measure: str, function: TextMeasure, left: Column, a: Codes, right: Column, b: Codes) -> Floats:
    """Measure every text of one value with every text of the other, and keep the best of each pair of values."""
    in_b = _counts(right, b)
    counts = _counts(left, a) * in_b
    ends = np.cumsum(counts)
    starts = ends - counts
    owner = np.repeat(np.arange(len(a)), counts)
    offset = np.arange(ends[-1]) - starts[owner]
    of_a, of_b = np.divmod(offset, in_b[owner])
    measured = function(left, _texts_at(left, a[owner], of_a), right, _texts_at(right, b[owner], of_b))
    best = np.fmin if measure in AT_MOST_MEASURES or measure in WEAKEST_MEASURES else np.fmax
    return best.reduceat(measured, starts)


def _counts(column: Column, values: Codes) -> Codes:
    return np.ones(len(values), np.int64) if column.single else column.counts[values]


def _texts_at(column: Column, values: Codes, offset: Codes) -> Codes:
    return values if column.single else column.flat[column.starts[values] + offset]


def _slices(counts: Codes) -> Iterable[slice]:
    """Yield slices that cover ``counts``, each of a sum of about ``EXPANDED_MAX`` at most or of one element."""
    if not len(counts):
        return
    bounds = np.flatnonzero(np.diff(np.cumsum(counts) // EXPANDED_MAX)) + 1
    yield from (slice(low, high) for low, high in zip([0, *bounds], [*bounds, len(counts)], strict=True))


def _bounded(column: Column) -> NDArray[Any]:
    return column.derived("bounded", itemgetter(slice(CHARACTERS_MAX)), object)


def _rests(column: Column) -> NDArray[Any]:
    return column.derived("rests", lambda text: without_digits(text)[:CHARACTERS_MAX], object)


def _scored(
    scorer: Callable[..., Any], dtype: type, divisor: float = 1.0, of: Callable[[Column], NDArray[Any]] = _bounded
) -> TextMeasure:
    """Return the measure that a RapidFuzz scorer gives for texts, the smaller first, each distinct pair once."""

    def measure(left: Column, a: Codes, right: Column, b: Codes) -> Floats:
        first, second, inverse = _distinct(left, a, right, b)
        x, y = of(left)[first], of(right)[second]
        swapped = x > y
        x, y = np.where(swapped, y, x).tolist(), np.where(swapped, x, y).tolist()
        scores = process.cpdist(x, y, scorer=scorer, dtype=dtype).astype(np.float64)
        if divisor != 1.0:
            scores /= divisor
        return np.asarray(scores if inverse is None else scores[inverse], np.float64)

    return measure


def _distinct(left: Column, a: Codes, right: Column, b: Codes) -> tuple[Codes, Codes, Codes | None]:
    """Return the distinct pairs of text codes, and where each given pair is among them (``None``: they are as given).

    Of one column a pair is the same both ways round.
    """
    if left is right:
        a, b = np.minimum(a, b), np.maximum(a, b)
    width = len(right.texts)
    cells = len(left.texts) * width
    if cells > DENSE_TABLE_FACTOR * len(a):
        return a, b, None
    pairs = a * width + b
    place = np.zeros(cells, np.int64)
    place[pairs] = 1
    distinct = np.flatnonzero(place)
    place[distinct] = np.arange(len(distinct))
    return distinct // width, distinct % width, place[pairs]


def _equal_texts(_: Column, a: Codes, __: Column, b: Codes) -> Floats:
    return np.asarray(a == b, np.float64)


def _equal_keys(name: str, code: Callable[[str], str]) -> TextMeasure:
    def measure(column: Column, a: Codes, _: Column, b: Codes) -> Floats:
        keys: Codes = column.keys(name, code)
        return np.asarray((keys[a] == keys[b]) & (keys[a] > 0), np.float64)

    return measure


_EDITS = _scored(DamerauLevenshtein.distance, np.int64)
_REST_EDITS = _scored(DamerauLevenshtein.distance, np.int64, of=_rests)


def _is_other_number(column: Column, a: Codes, _: Column, b: Codes) -> Floats:
    keys: Codes = column.keys("without_digits", without_digits)
    found = np.asarray((keys[a] == keys[b]) & (keys[a] > 0) & (a != b), np.float64)
    digits: Codes = column.keys("digits_alone", digits_alone)
    numbered = (keys > 0) & (digits > 0)
    asked = np.flatnonzero(numbered[a] & numbered[b] & (keys[a] != keys[b]) & (digits[a] != digits[b]))
    asked = asked[_REST_EDITS(column, a[asked], column, b[asked]) == 1.0]
    found[asked] = _EDITS(column, a[asked], column, b[asked]) > 1.0
    return found


def _told(measure: Callable[[str, str], float], worth: Callable[[Column], NDArray[Any]], *, both: bool) -> TextMeasure:
    """Return a measure of two texts for the distinct pairs of which both, or either, are worth asking; else 0."""

    def measured(left: Column, a: Codes, right: Column, b: Codes) -> Floats:
        first, second, inverse = _distinct(left, a, right, b)
        x, y = worth(left)[first], worth(right)[second]
        found = np.zeros(len(first))
        for at in np.flatnonzero(x & y if both else x | y).tolist():
            found[at] = measure(left.texts[first[at]], right.texts[second[at]])
        return found if inverse is None else found[inverse]

    return measured


def _beyond_ascii(column: Column) -> NDArray[Any]:
    return column.derived("beyond_ascii", lambda text: not text.isascii(), np.bool_)


def _known_names(column: Column) -> NDArray[Any]:
    return column.derived("known_name", has_known_name, np.bool_)


def _shared_prefix(left: Column, a: Codes, right: Column, b: Codes) -> Floats:
    first, second, inverse = _distinct(left, a, right, b)
    shorter = np.minimum(_lengths(left)[first], _lengths(right)[second])
    x, y = ([column.texts[code] for code in codes.tolist()] for column, codes in ((left, first), (right, second)))
    shared = process.cpdist(x, y, scorer=Prefix.similarity, dtype=np.int64)
    measured: Floats = np.where(shared == shorter, shorter, 0).astype(np.float64)
    return np.asarray(measured if inverse is None else measured[inverse], np.float64)


def _is_initial(left: Column, a: Codes, right: Column, b: Codes) -> Floats:
    shorter = np.minimum(_lengths(left)[a], _lengths(right)[b])
    first = _first_characters(left)[a]
    same = (first == _first_characters(right)[b]) & (first < ord(INITIALS_END))
    return np.asarray((shorter == 1) & same, np.float64)


def _is_acronym(left: Column, a: Codes, right: Column, b: Codes) -> Floats:
    x, y = left.derived("text", str, object), right.derived("text", str, object)
    return np.asarray(_shortens(x[a], right, b) | _shortens(y[b], left, a), np.float64)


def _shortens(texts: NDArray[Any], column: Column, codes: Codes) -> NDArray[np.bool_]:
    """Return whether each text is an acronym of the one with that code."""
    full = column.derived("acronym", lambda text: next(iter(acronyms(text)), None), object)[codes]
    short = column.derived("acronym_short", lambda text: next(reversed(acronyms(text)), None), object)[codes]
    return np.asarray((texts == full) | (texts == short), np.bool_)


def _lengths(column: Column) -> NDArray[Any]:
    return column.derived("length", len, np.int64)


def _first_characters(column: Column) -> NDArray[Any]:
    return column.derived("first", lambda text: ord(text[0]) if text else 0, np.int64)


def _ordinal(text: str) -> float:
    read = read_date(text)
    return math.nan if read is None else float(read.toordinal())


def _days_between(left: Column, a: Codes, right: Column, b: Codes) -> Floats:
    return np.asarray(np.abs(_days(left)[a] - _days(right)[b]), np.float64)


def _days(column: Column) -> Floats:
    return np.asarray(column.derived("day", _ordinal, np.float64), np.float64)


def _is_swapped_date(left: Column, a: Codes, right: Column, b: Codes) -> Floats:
    dates = left.derived("date", _month_first, np.int64)[a]
    exchanged = right.derived("exchanged", _day_first, np.int64)[b]
    swapped = ((dates == exchanged) & (left.derived("exchanged", _day_first, np.int64)[a] != dates)).astype(np.float64)
    return np.where((dates > 0) & (exchanged > 0), swapped, math.nan)


def _month_first(text: str) -> int:
    read = read_date(text)
    return 0 if read is None else (read.year * 100 + read.month) * 100 + read.day


def _day_first(text: str) -> int:
    read = read_date(text)
    return 0 if read is None else (read.year * 100 + read.day) * 100 + read.month


def _difference(left: Column, a: Codes, right: Column, b: Codes) -> Floats:
    with np.errstate(over="ignore"):
        difference = np.abs(_numbers(left)[a] - _numbers(right)[b])
    return np.asarray(difference, np.float64)


def _ratio(left: Column, a: Codes, right: Column, b: Codes) -> Floats:
    x, y = _numbers(left)[a], _numbers(right)[b]
    smaller, larger = np.minimum(np.abs(x), np.abs(y)), np.maximum(np.abs(x), np.abs(y))
    ratio = np.where((x < 0.0) != (y < 0.0), 0.0, smaller / np.where(larger == 0.0, 1.0, larger))
    return np.where(np.isnan(larger), math.nan, np.where(larger == 0.0, 1.0, ratio))


def _numbers(column: Column) -> NDArray[Any]:
    return column.derived("number", read_number, np.float64)


TEXT_MEASURES: dict[str, TextMeasure] = {
    "exact": _equal_texts,
    "intersect": _equal_texts,
    "jaro_winkler": _scored(JaroWinkler.similarity, np.float64),
    "token_sort": _scored(fuzz.token_sort_ratio, np.float64, 100.0),
    "token_set": _scored(fuzz.token_set_ratio, np.float64, 100.0),
    "damerau_levenshtein": _EDITS,
    "damerau_levenshtein_similarity": _scored(DamerauLevenshtein.normalized_similarity, np.float64),
    "levenshtein": _scored(Levenshtein.distance, np.int64),
    "levenshtein_similarity": _scored(Levenshtein.normalized_similarity, np.float64),
    "prefix": _shared_prefix,
    "initial": _is_initial,
    "nickname": _equal_keys("nickname", nickname_root),
    "acronym": _is_acronym,
    "other_name": _told(are_other_names, _known_names, both=True),
    "other_number": _is_other_number,
    "other_script": _told(is_other_script, _beyond_ascii, both=False),
    "respelt": _equal_keys("respelt", respelt),
    "romanised": _told(romanised_similarity, _beyond_ascii, both=False),
    "soundex": _equal_keys("soundex", phonetics.soundex),
    "metaphone": _equal_keys("metaphone", phonetics.metaphone),
    "shared_words": shared_words_of(None),
    "shared_code": shared_code_columns,
    "other_code": other_code_columns,
    "other_size": other_size_columns,
    "date_within": _days_between,
    "date_swap": _is_swapped_date,
    "numeric_within": _difference,
    "numeric_ratio": _ratio,
}
"""The bulk form of each measure of ``compare.MEASURES``: non-missing text codes to floats."""

COSTLY_KINDS = frozenset({
    "damerau_levenshtein", "jaro_winkler", "levenshtein", "other_code", "other_name", "other_number", "other_script",
    "other_size", "prefix", "romanised", "shared_code", "shared_words", "swap", "token_set", "token_sort",
})  # fmt: skip
"""The kinds that read both texts of each pair; the others compare numbers that are derived once a text."""
