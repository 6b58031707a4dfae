"""A bounded number of pairs on factorised columns: which predicates hold of which of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from mdm_stream.core.match.columns import COSTLY_KINDS, Codes, Column, Floats, measure_columns
from mdm_stream.core.match.compare import AT_MOST_MEASURES, bar_of
from mdm_stream.core.match.terms import term_bits_of_columns
from mdm_stream.core.model import MatchValues
from mdm_stream.core.ruleset import Predicate, TermBits, WordWeights

EQUALITY_KINDS = frozenset({"exact", "intersect"})

Flags = NDArray[np.bool_]


class PairChunk:
    """Pairs of records under evaluation. A pair is named by its position in ``left`` and ``right``.

    ``active`` are the positions still of interest, ascending. The caller only ever narrows it, and asks only about
    positions in it: a column is built at its first use, for the records of the pairs that are active then, so the
    attributes that only a few pairs come to need are factorised for those few.
    """

    def __init__(self, records: Sequence[MatchValues], left: Codes, right: Codes) -> None:
        """Take index pairs into ``records``."""
        self._records = records
        used = np.zeros(len(records), np.bool_)
        used[left] = used[right] = True
        self._rows = np.flatnonzero(used)
        place = np.empty(len(records), np.int64)
        place[self._rows] = np.arange(len(self._rows))
        self._left, self._right = place[left], place[right]
        self._columns: dict[int, Column] = {}
        self._measured: dict[tuple[str, tuple[int, ...]], tuple[Floats, Flags]] = {}
        self.size = len(left)
        self.active: Codes = np.arange(self.size)

    def settle(self, when: tuple[Predicate, ...], where: Codes) -> Codes:
        """Return those positions of ``where`` at which every predicate holds, asking them in the order given."""
        for predicate in when:
            if not len(where):
                break
            where = where[self.holds(predicate, where)]
        return where

    def holds(self, predicate: Predicate, where: Codes) -> Flags:
        """Return whether the predicate holds, for each position of ``where``."""
        if predicate.kind == "else":
            return np.ones(len(where), np.bool_)
        if predicate.kind == "null":
            missing = np.zeros(len(where), np.bool_)
            for attribute in predicate.attributes:
                a, b = self._codes(attribute, where)
                missing |= (a == 0) | (b == 0)
            return missing
        if predicate.kind in EQUALITY_KINDS and self._column(predicate.attributes[0]).single:
            a, b = self._codes(predicate.attributes[0], where)
            return np.asarray((a == b) & (a > 0))
        measured = self.measure(predicate.kind, predicate.attributes, where, predicate.word_weights)
        if predicate.kind in AT_MOST_MEASURES:
            return np.asarray(measured <= bar_of(predicate))
        return np.asarray(measured >= bar_of(predicate))

    def measure(
        self, measure: str, attributes: tuple[int, ...], where: Codes, weights: WordWeights | None = None
    ) -> Floats:
        """Return the best measure of each pair of ``where``, NaN for none. No pair is read twice by a costly one.

        ``weights`` are those of the attribute's words, and the same in every call.
        """
        if measure not in COSTLY_KINDS:
            return self._measure(measure, attributes, where, weights)
        found = self._measured.get((measure, attributes))
        if found is None:
            found = (np.full(self.size, math.nan), np.zeros(self.size, np.bool_))
            self._measured[measure, attributes] = found
        values, known = found
        unknown = where[~known[where]]
        if len(unknown):
            values[unknown] = self._measure(measure, attributes, unknown, weights)
            known[unknown] = True
        return values[where]

    def term_bits(self, terms: TermBits, name: str, where: Codes) -> Floats:
        """Return what a level's terms add for each position of ``where``; ``name`` is unique to the terms."""
        a, b = self._codes(terms.attribute, where)
        return term_bits_of_columns(terms, name, self._column(terms.attribute), a, b)

    def _measure(self, measure: str, attributes: tuple[int, ...], where: Codes, weights: WordWeights | None) -> Floats:
        if measure == "swap":
            x, y = attributes
            there = self._crossed(x, y, self._left[where], self._right[where])
            back = self._crossed(x, y, self._right[where], self._left[where])
            return np.minimum(there, back)
        (attribute,) = attributes
        column = self._column(attribute)
        a, b = self._codes(attribute, where)
        return measure_columns(measure, column, a, column, b, weights)

    def _crossed(self, x: int, y: int, a: Codes, b: Codes) -> Floats:
        left, right = self._column(x), self._column(y)
        return measure_columns("jaro_winkler", left, left.codes[a], right, right.codes[b])

    def _codes(self, attribute: int, where: Codes) -> tuple[Codes, Codes]:
        codes = self._column(attribute).codes
        return codes[self._left[where]], codes[self._right[where]]

    def _column(self, attribute: int) -> Column:
        column = self._columns.get(attribute)
        if column is None:
            used = np.zeros(len(self._rows), np.bool_)
            used[self._left[self.active]] = used[self._right[self.active]] = True
            rows = np.flatnonzero(used)
            values = list(map(itemgetter(attribute), map(self._records.__getitem__, self._rows[rows].tolist())))
            column = self._columns[attribute] = Column(len(self._rows), rows, values)
        return column
