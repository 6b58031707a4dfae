"""The measures of :mod:`mdm_stream.core.match.words` over many pairs of texts at once.

What two texts share is found by look-ups of all their items in one sorted array of (text, key), without a loop over
pairs. Sums are of whole numbers, so that each float is that of the scalar measure, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mdm_stream.core.match.words import WordItem, WordParts, parts_of, weight_of
from mdm_stream.core.ruleset import WordWeights

if TYPE_CHECKING:
    from mdm_stream.core.match.columns import Column

Numbers = NDArray[np.int64]
Doubles = NDArray[np.float64]
Marks = NDArray[np.bool_]

LOOKED_UP_MAX = 1_000_000
"""The most keys looked up at once. It bounds memory and never changes a result."""


@dataclass(frozen=True, slots=True)
class ItemTable:
    """The items of each text of a column, and the keys that each text holds.

    Text ``t`` has the items ``starts[t]`` to ``starts[t] + counts[t]``; item ``i`` the keys ``keys[key_starts[i]]`` and
    ``key_counts[i]`` on. ``held`` are ``t * width + key`` of the keys that the texts hold, ascending.
    """

    starts: Numbers
    counts: Numbers
    key_starts: Numbers
    key_counts: Numbers
    keys: Numbers
    sizes: Numbers
    held: Numbers
    width: int


def shared_words_of(weights: WordWeights | None) -> Callable[[Column, Numbers, Column, Numbers], Doubles]:
    """Return the bulk form of ``shared_words`` under these weights, which are the only ones of the column."""

    def measure(column: Column, a: Numbers, _right: Column, b: Numbers) -> Doubles:
        table = _table(column, "words", lambda parts: parts.words, lambda parts: parts.forms)
        weighed = column.table("words:weights", lambda texts: _weights(texts, weights))
        totals = column.table("words:totals", lambda _texts: _sums(table, weighed))
        shared = _weight_found(table, weighed, a, b) + _weight_found(table, weighed, b, a)
        return np.where((totals[a] > 0) & (totals[b] > 0), shared / np.maximum(totals[a] + totals[b], 1), math.nan)

    return measure


def shared_code_columns(column: Column, a: Numbers, _right: Column, b: Numbers) -> Doubles:
    """Return ``shared_code`` of pairs of text codes of one column."""
    table = _code_table(column)
    said = (table.counts[a] > 0) | (table.counts[b] > 0)
    return np.where(said, _has_any(table, a, b) | _has_any(table, b, a), math.nan)


def other_code_columns(column: Column, a: Numbers, _right: Column, b: Numbers) -> Doubles:
    """Return ``other_code`` of pairs of text codes of one column."""
    table = _code_table(column)
    stems = _table(column, "stems", lambda parts: parts.code_stems, lambda parts: parts.stems)
    other = ~(_has_any(table, a, b) | _has_any(table, b, a) | _has_any(stems, a, b))
    return np.where((table.counts[a] > 0) & (table.counts[b] > 0), other, math.nan)


def other_size_columns(column: Column, a: Numbers, _right: Column, b: Numbers) -> Doubles:
    """Return ``other_size`` of pairs of text codes of one column."""
    units = _table(
        column, "units", lambda parts: tuple(WordItem(each.word, (each.word,)) for each in parts.sizes), _measured
    )
    sizes = _table(column, "sizes", lambda parts: parts.sizes, _measured)
    found = np.full(len(a), math.nan)
    for part in _parts(np.maximum(units.sizes[a], sizes.sizes[a])):
        owner, both = _found(units, a[part], b[part])
        _, same = _found(sizes, a[part], b[part])
        known = np.bincount(owner, weights=both, minlength=part.stop - part.start)
        other = np.bincount(owner, weights=both & ~same, minlength=part.stop - part.start)
        found[part] = np.where(known > 0, (other > 0).astype(np.float64), math.nan)
    return found


def _measured(parts: WordParts) -> Iterable[str]:
    return parts.measured


def _code_table(column: Column) -> ItemTable:
    return _table(column, "codes", lambda parts: parts.codes, lambda parts: parts.forms)


def _table(
    column: Column,
    name: str,
    items: Callable[[WordParts], tuple[WordItem, ...]],
    held: Callable[[WordParts], Iterable[str]],
) -> ItemTable:
    return column.table(f"items:{name}", lambda texts: _made(list(map(parts_of, texts)), items, held))


def _made(
    texts: list[WordParts],
    items: Callable[[WordParts], tuple[WordItem, ...]],
    held: Callable[[WordParts], Iterable[str]],
) -> ItemTable:
    listed = [items(parts) for parts in texts]
    numbers: dict[str, int] = {}
    keys = [numbers.setdefault(key, len(numbers)) for own in listed for each in own for key in each.keys]
    width = max(1, len(numbers))
    # A key that no item asks for need not be known to be there.
    there = [
        place * width + number
        for place, parts in enumerate(texts)
        for key in held(parts)
        if (number := numbers.get(key)) is not None
    ]
    counts = np.array([len(own) for own in listed], np.int64)
    key_counts = np.array([len(each.keys) for own in listed for each in own], np.int64)
    return ItemTable(
        starts=np.cumsum(counts) - counts,
        counts=counts,
        key_starts=np.cumsum(key_counts) - key_counts,
        key_counts=key_counts,
        keys=np.array(keys, np.int64),
        sizes=np.array([sum(len(each.keys) for each in own) for own in listed], np.int64),
        held=np.unique(np.array(there, np.int64)),
        width=width,
    )


def _weights(texts: list[str], weights: WordWeights | None) -> Numbers:
    return np.array([weight_of(each.word, weights) for text in texts for each in parts_of(text).words], np.int64)


def _sums(table: ItemTable, weighed: Numbers) -> Numbers:
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(weighed)])
    return np.asarray(ends[table.starts + table.counts] - ends[table.starts], np.int64)


def _weight_found(table: ItemTable, weighed: Numbers, a: Numbers, b: Numbers) -> Numbers:
    """Return, for each pair, the weight of the items of the first text that the second holds."""
    found = np.zeros(len(a), np.int64)
    for part in _parts(table.sizes[a]):
        owner, hit = _found(table, a[part], b[part])
        item = _expanded(table.starts[a[part]], table.counts[a[part]])
        summed = np.bincount(owner, weights=weighed[item] * hit, minlength=part.stop - part.start)
        found[part] = summed.astype(np.int64)  # sums of whole numbers far below 2**53 are exact
    return found


def _has_any(table: ItemTable, a: Numbers, b: Numbers) -> Marks:
    """Return whether the second text of each pair holds any item of the first."""
    found = np.zeros(len(a), np.bool_)
    for part in _parts(table.sizes[a]):
        owner, hit = _found(table, a[part], b[part])
        found[part.start + owner[hit]] = True
    return found


def _found(table: ItemTable, a: Numbers, b: Numbers) -> tuple[Numbers, Marks]:
    """Return the items of the first texts of pairs: the pair of each, and whether the second text holds it."""
    counts = table.counts[a]
    owner = np.repeat(np.arange(len(a)), counts)
    item = _expanded(table.starts[a], counts)
    key_counts = table.key_counts[item]
    asked = np.repeat(b[owner], key_counts) * table.width + table.keys[_expanded(table.key_starts[item], key_counts)]
    hit = np.zeros(len(item), np.bool_)
    if len(asked) and len(table.held):
        place = np.minimum(np.searchsorted(table.held, asked), len(table.held) - 1)
        hit[np.repeat(np.arange(len(item)), key_counts)[table.held[place] == asked]] = True
    return owner, hit


def _expanded(starts: Numbers, counts: Numbers) -> Numbers:
    """Return ``starts[0], starts[0] + 1, ..`` for the first count, and so on for each."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total) + np.repeat(starts - (ends - counts), counts), np.int64)


def _parts(sizes: Numbers) -> Iterator[slice]:
    """Yield slices that cover ``sizes``, each of a sum of about ``LOOKED_UP_MAX`` at most, or of one element."""
    if not len(sizes):
        return
    bounds = (np.flatnonzero(np.diff(np.cumsum(sizes) // LOOKED_UP_MAX)) + 1).tolist()
    yield from (slice(low, high) for low, high in zip([0, *bounds], [*bounds, len(sizes)], strict=True))
