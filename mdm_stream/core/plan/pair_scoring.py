"""The candidate pairs of a batch, scored in bulk. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mdm_stream.core.blocking.generic_values import value_keys, without_values
from mdm_stream.core.cluster.edges import Edge, scored_edge, verdict_on
from mdm_stream.core.match.score import score_pairs
from mdm_stream.core.model import MatchValues
from mdm_stream.core.plan.commit import BlockView, Revision
from mdm_stream.core.record import Record
from mdm_stream.core.ruleset import Ruleset

Pair = tuple[str, str]


def pairs_to_score(mates: Mapping[str, Mapping[str, str]], live: Mapping[str, Record]) -> list[Pair]:
    """Return the pairs of live records that no verdict decides, sorted. ``mates``: each record's candidates."""
    pairs = sorted(
        {(ref, mate) if ref < mate else (mate, ref) for ref, found in mates.items() for mate in found if mate in live}
    )
    judged = {ref for ref in mates.keys() | {a for a, _ in pairs} if live[ref].state.verdicts}
    return [(a, b) for a, b in pairs if a not in judged or verdict_on(live[a], live[b]) == "none"]


def generic_keys(
    rules: Ruleset, revisions: Sequence[Revision], blocks: Mapping[str, BlockView]
) -> dict[str, frozenset[str]]:
    """Return, for the records of the batch that have any, their keys of one value that too many records share."""
    closed = {key for key, view in blocks.items() if not view.open_after}
    generic = frozenset(value_keys(rules, closed))
    if not generic:
        return {}
    found = {revision.ref: generic.intersection(revision.after.keys) for revision in revisions}
    return {ref: keys for ref, keys in found.items() if keys}


def score_edges(
    rules: Ruleset, pairs: Sequence[Pair], live: Mapping[str, Record], generic: Mapping[str, frozenset[str]]
) -> list[Edge]:
    """Return the edges (LINK and REVIEW) of some pairs, each of which has a record of the batch.

    ``generic`` is what :func:`generic_keys` gives: values that both records of a pair share with too many others count
    as missing in it.
    """
    places: dict[tuple[str, frozenset[str]], int] = {}
    values: list[MatchValues] = []
    sides: tuple[list[int], list[int]] = [], []
    for pair in pairs:
        shared = _shared(pair, live, generic)
        for ref, side in zip(pair, sides, strict=True):
            place = places.setdefault((ref, shared), len(values))
            if place == len(values):
                values.append(without_values(rules, live[ref].match, shared))
            side.append(place)
    left, right = (np.array(side, np.int64) for side in sides)
    return [scored_edge(pairs[i], score) for i, score in score_pairs(rules, values, left, right)]


_NONE: frozenset[str] = frozenset()


def _shared(pair: Pair, live: Mapping[str, Record], generic: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the keys of generic values that both records of a pair have. One of the two is of the batch."""
    for ref, other in (pair, pair[::-1]):
        if ref in generic:
            return generic[ref].intersection(live[other].keys)
    return _NONE
