"""What a shared value says by how common it is, and what two comparisons say together.

A level with ``terms`` adds bits by value: agreement on a rare name says more than on a common one (Newcombe, Kennedy,
Axford and James, *Automatic linkage of vital records*, 1959). Bits are tabled by value before any pair is scored, so
that the scalar scorer and the bulk one add the same doubles.
"""

from __future__ import annotations

import math

import numpy as np

from mdm_stream.core.match.columns import Codes, Column, Floats, MatchValue
from mdm_stream.core.match.compare import all_texts_of
from mdm_stream.core.model import MatchValues
from mdm_stream.core.ruleset import Level, Match, TermBits


def term_bits(terms: TermBits, a: MatchValues, b: MatchValues) -> float:
    """Return what a level's terms add for two records. Symmetric.

    Of values that both hold, the rarest counts; if they share none, of the rarest of each the commoner one. A value
    that is not known counts as the other record's; 0 if both are not.
    """
    return _bits_of(terms, a[terms.attribute], b[terms.attribute])


def _bits_of(terms: TermBits, a: MatchValue, b: MatchValue) -> float:
    left, right = set(all_texts_of(a)), set(all_texts_of(b))
    shared = left & right
    if shared:
        known = _rarest(terms, shared)
        return 0.0 if known is None else known
    sides = [found for found in (_rarest(terms, left), _rarest(terms, right)) if found is not None]
    return min(sides, default=0.0)


def _rarest(terms: TermBits, texts: set[str]) -> float | None:
    known = [found for text in texts if (found := terms.bits.get(text, terms.rest)) is not None]
    return max(known, default=None)


def term_bits_of_columns(terms: TermBits, name: str, column: Column, a: Codes, b: Codes) -> Floats:
    """Return ``term_bits`` of pairs of value codes of the attribute's column. ``name`` is unique to these terms."""
    if not column.single:
        return _one_by_one(terms, column, a, b)

    def known(text: str) -> float:
        found = terms.bits.get(text, terms.rest) if text else None
        return math.nan if found is None else found

    table = column.derived(name, known, np.float64)
    return np.asarray(np.nan_to_num(np.fmin(table[a], table[b]), nan=0.0), np.float64)


def _one_by_one(terms: TermBits, column: Column, a: Codes, b: Codes) -> Floats:
    wholes = [tuple(sorted(each)) for each in column.wholes]
    found = (_bits_of(terms, wholes[x], wholes[y]) for x, y in zip(a.tolist(), b.tolist(), strict=True))
    return np.fromiter(found, np.float64, len(a))


def least_and_most(level: Level) -> tuple[float, float]:
    """Return the least and the most bits that a level can give a pair, its terms counted."""
    if level.terms is None:
        return level.bits, level.bits
    added = [0.0, *level.terms.bits.values(), *([] if level.terms.rest is None else [level.terms.rest])]
    return level.bits + min(added), level.bits + max(added)


def together_bits(match: Match, levels: list[int]) -> list[float]:
    """Return what each dependence adds to a pair with these levels, in the order of the rules."""
    return [each.bits[levels[each.first]][levels[each.second]] for each in match.dependences]
