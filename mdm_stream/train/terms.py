"""How frequent the values of an attribute are, without naming values that few records have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from mdm_stream.core.match.compare import all_texts_of
from mdm_stream.core.match.words import parts_of
from mdm_stream.core.model import MatchValues

TERM_RECORDS_MIN = 5
"""A value that fewer records have is not listed: it might be one person's own, and rare values need no list."""
TERMS_LISTED_MAX = 50_000
"""Values of an attribute that are listed, the most frequent first."""


class TermFrequencies(NamedTuple):
    """By value the share of the records with any value that have it; ``rest`` is that of a value which is not listed.

    ``agreeing`` is how often two records drawn at random share a value. Not to be used where it is 0.
    """

    values: dict[str, float]
    rest: float
    agreeing: float
    records: int


def term_frequencies(records: Iterable[MatchValues], attribute: int) -> TermFrequencies | None:
    """Return the frequencies of one attribute's match values; ``None`` if no two records share one.

    A value that is not listed is met with the frequency that such values have on average, by how often they are met.
    """
    counted: Counter[str] = Counter()
    having = 0
    for record in records:
        texts = set(all_texts_of(record[attribute]))
        having += bool(texts)
        counted.update(texts)
    shared = sum(count * (count - 1) for count in counted.values())
    if having < 2 or not shared:
        return None
    common = [(value, count) for value, count in counted.items() if count >= TERM_RECORDS_MIN]
    common.sort(key=lambda each: (-each[1], each[0]))
    listed = dict(common[:TERMS_LISTED_MAX])
    rare = [count for value, count in counted.items() if value not in listed]
    rest = sum(count * count for count in rare) / (sum(rare) * having) if rare else 1.0 / having
    values = {value: count / having for value, count in sorted(listed.items())}
    return TermFrequencies(values, rest, shared / (having * (having - 1)), having)


class WordFrequencies(NamedTuple):
    """By word the share of the records with a text that have it; ``rest`` is that of a word which is not listed."""

    values: dict[str, float]
    rest: float


def word_frequencies(records: Iterable[MatchValues], attribute: int) -> WordFrequencies | None:
    """Return how frequent the words of one attribute's texts are; ``None`` if fewer than two records have any.

    Words that fewer than ``TERM_RECORDS_MIN`` records have are not listed, and count as frequent as those are when met.
    """
    counted: Counter[str] = Counter()
    having = 0
    for record in records:
        found = {each.word for text in all_texts_of(record[attribute]) for each in parts_of(text).words}
        having += bool(found)
        counted.update(found)
    if having < 2:
        return None
    common = [(word, count) for word, count in counted.items() if count >= TERM_RECORDS_MIN]
    common.sort(key=lambda each: (-each[1], each[0]))
    listed = dict(common[:TERMS_LISTED_MAX])
    rare = [count for word, count in counted.items() if word not in listed]
    rest = sum(count * count for count in rare) / (sum(rare) * having) if rare else 1.0 / having
    return WordFrequencies({word: count / having for word, count in sorted(listed.items())}, rest)
