"""What blocking makes of records that fit in this process: see ``blocking_statistics``, which does it on Spark.

Beside what each expression finds, it says what closed keys cost: of the pairs that share a key which too many records
share, and that no other key finds, a sample is scored. How many of these would be linked is an estimate of the matches
that are lost to the limit, with its standard error (of a proportion of a simple random sample).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from mdm_stream.core.blocking.generic_values import compared_values, value_attributes
from mdm_stream.core.blocking.keys import key_digest
from mdm_stream.core.fold import EMPTY, Foldable, RecordState, fold
from mdm_stream.core.match.score_bulk import PAIRS_MAX, score_many
from mdm_stream.core.model import MatchValues
from mdm_stream.core.record import build_record
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.reconcile.block_table import (
    BlockTable,
    Ints,
    KeyBlocks,
    candidate_pairs,
    pairs_in_closed,
    sampled_closed_pairs,
)
from mdm_stream.reconcile.blocking_statistics import (
    BlockStatistics,
    Expression,
    Recall,
    chapman,
    expressions_of,
    recall_of,
)

SAMPLED_PAIRS = 10_000
"""Pairs of closed keys that are scored: the standard error of the share that would link is 0.5 % at the most."""
LISTED_BLOCKS = 5
"""Blocks of each expression that are listed: those of the most records."""


@dataclass(frozen=True, slots=True)
class LargeBlock:
    """One of the largest blocks of an expression. ``key`` is made of values."""

    expression: str
    digest: str
    key: str
    records: int
    closed: bool


@dataclass(frozen=True, slots=True)
class LostPairs:
    """What keys that too many records share do not find.

    ``in_closed_keys`` counts the pairs that share such a key, each key for itself; of ``sampled`` ones ``unfound``
    share no other key that is at work, and ``linked`` of these would be linked. ``estimated_links`` are the pairs that
    would be linked in all, ``standard_error`` is its own; the rest of a cluster may find them by other pairs.
    """

    in_closed_keys: int
    sampled: int
    unfound: int
    linked: int
    estimated_links: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class WholeKey:
    """A key together with all that refines it, by the expression of the key: it is kept or removed as a whole.

    ``keys_a_record``: keys that a record has of them; ``linked``: linked pairs that any of them finds; ``only``: those
    of them that no other key finds, nor what refines it.
    """

    expression: str
    expressions: int
    keys_a_record: float
    linked: int
    only: int


@dataclass(frozen=True, slots=True)
class BlockingReport:
    """What blocking makes of the live records of a domain. ``pairs``: distinct candidate pairs.

    ``pairs_a_record`` is how many an event finds on average while the records come one by one: a pair is found once,
    by the later of its records.
    """

    domain: str
    records: int
    pairs: int
    pairs_a_record: float
    largest_open: int
    expressions: list[BlockStatistics]
    whole_keys: list[WholeKey]
    recall: Recall
    lost: LostPairs
    largest: list[LargeBlock]


def blocking_report(rules: Ruleset, events: Iterable[Foldable]) -> BlockingReport:
    """Return the figures of what was delivered: events in any order. Stewards' verdicts are not looked at."""
    states: dict[str, RecordState] = {}
    for event in events:
        for ref in event.refs:
            states[ref] = fold(states.get(ref, EMPTY), event, ref).state
    table = BlockTable(rules)
    match: list[MatchValues] = []
    keys: list[tuple[str, ...]] = []
    for ref in sorted(states):
        record = build_record(rules, ref, states.pop(ref))
        if record.live:
            table.add(record.keys)
            match.append(record.match)
            keys.append(record.keys)
    blocks = table.blocks()
    pairs, finders = candidate_pairs(blocks, table.records)
    scorer = _Scorer(rules, match, _generic(rules, blocks, keys))
    linked = finders[scorer.linked(pairs)]
    expressions = expressions_of(rules)
    with_key = _with_key(rules, keys)
    statistics = [
        _statistics(expressions, place, own, linked, (with_key[place], table.records))
        for place, own in enumerate(blocks)
    ]
    return BlockingReport(
        domain=rules.domain,
        records=table.records,
        pairs=len(pairs),
        pairs_a_record=len(pairs) / table.records if table.records else 0.0,
        largest_open=max((int(each.sizes[each.open].max(initial=0)) for each in blocks), default=0),
        expressions=statistics,
        whole_keys=_whole_keys(rules, blocks, linked, table.records),
        recall=recall_of(statistics, len(linked)),
        lost=_lost(scorer, blocks, pairs),
        largest=[each for place, own in enumerate(blocks) for each in _largest(rules, place, own, keys)],
    )


@dataclass(frozen=True, slots=True)
class _Scorer:
    """Scores pairs of records by their places. ``generic``: each record's values that too many others share."""

    rules: Ruleset
    match: Sequence[MatchValues]
    generic: Sequence[frozenset[str]]

    def linked(self, pairs: Ints) -> list[int]:
        """Return the positions of the pairs that score as links."""
        found: list[int] = []
        for start in range(0, len(pairs), PAIRS_MAX):
            left, right = np.divmod(pairs[start : start + PAIRS_MAX], len(self.match))
            compared = compared_values(self.rules, self.match, self.generic, left, right)
            found += [start + position for position, score in score_many(self.rules, *compared) if score.link]
        return found


def whole_key_of(rules: Ruleset, place: int) -> int:
    """Return the place of the key that the expression at a place refines, or its own where it refines none."""
    parts = rules.blocking[place].parts
    return next(
        other
        for other, each in enumerate(rules.blocking[: place + 1])
        if other == place or (each.refined_above is not None and parts[: len(each.parts)] == each.parts)
    )


def _whole_keys(
    rules: Ruleset, blocks: Sequence[KeyBlocks], linked: NDArray[np.uint64], records: int
) -> list[WholeKey]:
    members: dict[int, list[int]] = {}
    for place in range(len(rules.blocking)):
        members.setdefault(whole_key_of(rules, place), []).append(place)
    found = []
    for first, places in members.items():
        bits = np.uint64(sum(1 << place for place in places))
        keys = sum(int(blocks[place].sizes.sum()) for place in places)
        found.append(
            WholeKey(
                expression=rules.blocking[first].text,
                expressions=len(places),
                keys_a_record=keys / records if records else 0.0,
                linked=int(((linked & bits) != 0).sum()),
                only=int(((linked != 0) & ((linked & ~bits) == 0)).sum()),
            )
        )
    return found


def _generic(rules: Ruleset, blocks: Sequence[KeyBlocks], keys: Sequence[tuple[str, ...]]) -> list[frozenset[str]]:
    """Return each record's keys of one value that too many records share."""
    found: dict[int, set[str]] = {}
    attributes = value_attributes(rules)
    for place, expression in enumerate(rules.blocking):
        if expression.tag in attributes:
            for block in np.nonzero(~blocks[place].open)[0].tolist():
                key = blocks[place].key(block, keys)
                for row in blocks[place].members(block).tolist():
                    found.setdefault(row, set()).add(key)
    return [frozenset(found.get(row, ())) for row in range(len(keys))]


def _with_key(rules: Ruleset, keys: Sequence[tuple[str, ...]]) -> list[int]:
    """Return how many records have a key of each expression."""
    counts = dict.fromkeys((each.tag for each in rules.blocking), 0)
    for own in keys:
        for tag in {key.partition(":")[0] for key in own}:
            counts[tag] += 1
    return list(counts.values())


def _statistics(
    expressions: Sequence[Expression],
    place: int,
    blocks: KeyBlocks,
    linked: NDArray[np.uint64],
    counts: tuple[int, int],
) -> BlockStatistics:
    """Return the figures of one expression. ``counts``: records that have a key of it, and all."""
    having, whole = counts
    each = expressions[place]
    own_bit = np.uint64(1 << place)
    tags = [other.tag for other in expressions]
    apart_bits = np.uint64(sum(1 << tags.index(tag) for tag in each.apart))
    own, apart = (linked & own_bit) != 0, (linked & apart_bits) != 0
    sizes, opened = blocks.sizes, blocks.open
    return BlockStatistics(
        expression=each.text,
        tag=each.tag,
        keys=len(sizes),
        records=having,
        records_without=whole - having,
        single_keys=int((sizes == 1).sum()),
        suspended_keys=int((~opened).sum()),
        suspended_records=int(sizes[~opened].sum()),
        pairs=int((sizes[opened] * (sizes[opened] - 1) // 2).sum()),
        largest=int(sizes.max(initial=0)),
        linked=int(own.sum()),
        only=int((linked == own_bit).sum()),
        share_of_linked=float(own.mean()) if len(linked) else None,
        apart_linked=int(apart.sum()),
        both=int((own & apart).sum()),
        estimated_pairs=chapman(int(own.sum()), int(apart.sum()), int((own & apart).sum())),
    )


def _lost(scorer: _Scorer, blocks: Sequence[KeyBlocks], pairs: Ints) -> LostPairs:
    whole = pairs_in_closed(blocks)
    if not whole:
        return LostPairs(0, 0, 0, 0, 0.0, 0.0)
    sampled = sampled_closed_pairs(blocks, len(scorer.match), min(SAMPLED_PAIRS, whole))
    unfound = sampled[~np.isin(sampled, pairs)]
    linked = len(scorer.linked(unfound))
    share = linked / len(sampled)
    error = sqrt(share * (1 - share) / len(sampled))
    return LostPairs(whole, len(sampled), len(unfound), linked, share * whole, error * whole)


def _largest(rules: Ruleset, place: int, blocks: KeyBlocks, keys: Sequence[tuple[str, ...]]) -> list[LargeBlock]:
    expression = rules.blocking[place]
    own = np.nonzero(blocks.sizes > 1)[0]
    first = own[np.argsort(-blocks.sizes[own], kind="stable")][:LISTED_BLOCKS]
    found = []
    for block in first.tolist():
        key = blocks.key(block, keys)
        size, closed = int(blocks.sizes[block]), not bool(blocks.open[block])
        found.append(LargeBlock(expression.text, key_digest(key), key, size, closed))
    return found
