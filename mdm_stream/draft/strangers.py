"""How often two records of different things agree on an attribute, measured in a file that has duplicates. Pure.

Records of one thing agree because they are of one thing, and a file of 1,000 records in which each has one other has
as many such pairs as a birth date has by chance. So pairs that agree on something that tells things apart (an email, an
official number, a birth date) are left out, whatever the attribute says of them. They are counted by inclusion and
exclusion over the counts of values, so that no pair is looked at, and nothing is drawn at random.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from mdm_stream.core.match.columns import MatchValue

TELLING_AGREEMENT_MAX = 0.01
"""An attribute on which more pairs than one in a hundred agree tells no things apart."""
TELLING_PRESENT_MIN = 0.2
"""Records that have a value of what tells things apart: of fewer, it leaves hardly a pair out."""
TELLING_MAX = 4
"""Attributes that pairs are left out by; each doubles what is counted."""
WRITTEN_PAIRS = 1_000.0
"""Pairs that the written chance stands for, those of 45 records: fewer say little of how often a name is shared."""


class StrangerPairs(NamedTuple):
    """Pairs of records with a value that agree on nothing that tells things apart; of them, those that agree on it."""

    agreeing: int
    pairs: int

    def chance(self, written: float) -> float:
        """Return how often strangers agree, drawn towards the ``written`` chance as if that had been seen on pairs."""
        return (self.agreeing + WRITTEN_PAIRS * written) / (self.pairs + WRITTEN_PAIRS)


def telling_attributes(values: Mapping[str, Sequence[MatchValue]], asked: str) -> list[str]:
    """Return the attributes that tell things apart, the most complete ones first; never the one that is asked about."""
    found = []
    for name, column in values.items():
        counts = Counter(value for value in column if value is not None)
        present = sum(counts.values())
        if name == asked or present < 2 or present < TELLING_PRESENT_MIN * len(column):
            continue
        if _pairs_of(counts) <= TELLING_AGREEMENT_MAX * present * (present - 1) / 2:
            found.append((-present, name))
    return [name for _, name in sorted(found)[:TELLING_MAX]]


def stranger_pairs(asked: Sequence[MatchValue], telling: Sequence[Sequence[MatchValue]]) -> StrangerPairs:
    """Count the pairs of records that agree on none of ``telling``; columns are by record, None where there is none."""
    there = [place for place, value in enumerate(asked) if value is not None]
    agreeing, pairs = 0, 0
    for size in range(len(telling) + 1):
        for chosen in combinations(telling, size):
            sign = -1 if size % 2 else 1
            rows = [(place, tuple(column[place] for column in chosen)) for place in there]
            told = [(place, row) for place, row in rows if None not in row]
            pairs += sign * _pairs_of(Counter(row for _, row in told))
            agreeing += sign * _pairs_of(Counter((asked[place], row) for place, row in told))
    return StrangerPairs(agreeing, pairs)


def _pairs_of(counts: Mapping[Any, int]) -> int:
    return sum(count * (count - 1) // 2 for count in counts.values())
