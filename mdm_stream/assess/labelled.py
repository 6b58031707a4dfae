"""Records with their truth, their candidate pairs scored once, and the clusters that any thresholds make of these.

What comes out at the rules' own thresholds is F: a test holds it against the reference. Everything is in memory, so
this is for sets of some hundred thousand records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mdm_stream.core.blocking.generic_values import compared_values, generic_by_record
from mdm_stream.core.blocking.limits import block_limit
from mdm_stream.core.cluster.clustering import cluster, connected
from mdm_stream.core.cluster.edges import Edge, ordered, scored_edge, verdict_edge, verdict_on
from mdm_stream.core.cluster.golden import exclusive_values, separated_pairs, weighing_of
from mdm_stream.core.cluster.strongest import kept_edges
from mdm_stream.core.match.score import score_pairs
from mdm_stream.core.model import ChangeEvent, MatchValues, split_ref
from mdm_stream.core.record import Record, build_record
from mdm_stream.core.reference import fold_events
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.evaluate import RecordRef

Positions = NDArray[np.int64]

CANDIDATES_PIECE = 4_000_000
"""Candidate pairs that are put together before those that several keys share are dropped; it bounds memory."""


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """The live records of a set in the order of their references, and its candidate pairs.

    ``left`` and ``right`` are positions of records, ``left < right``, each candidate pair once. ``values`` are match
    values, and ``sides`` the positions in them of each pair's two: those of its records, without what too many share.
    ``generic`` are the keys of such values, of each record that has any.
    ``edges`` are the pairs that stewards linked, and those at least as confident as ``floor`` (``link`` of an edge is
    by the rules' threshold).
    """

    rules: Ruleset
    records: Mapping[str, Record]
    refs: tuple[str, ...]
    left: Positions
    right: Positions
    values: Sequence[MatchValues]
    sides: tuple[Positions, Positions]
    generic: Mapping[str, frozenset[str]]
    edges: tuple[Edge, ...]
    floor: float


@dataclass(frozen=True, slots=True)
class SetOutcome:
    """Clusters at some thresholds: the first member of each record's cluster, and the pairs that stewards are asked."""

    cluster_of: Mapping[str, str]
    questions: tuple[tuple[str, str], ...]

    def clusters(self) -> dict[RecordRef, str]:
        """Return the cluster of each record, as ``mdm_stream.evaluate`` takes it."""
        return {split_ref(ref): first for ref, first in self.cluster_of.items()}


def scored_set(rules: Ruleset, events: Iterable[ChangeEvent], floor: float | None = None) -> ScoredSet:
    """Resolve events to records and score their candidate pairs once; ``floor`` is the review threshold if left out."""
    states = fold_events(events)
    records = {ref: build_record(rules, ref, state) for ref, state in sorted(states.items()) if state.live}
    refs = tuple(records)
    blocks = _blocks(list(records.values()))
    left, right = candidate_pairs(rules, blocks, len(records))
    generic = generic_by_record(rules, {ref: record.keys for ref, record in records.items()})
    by_place = [generic.get(ref, frozenset()) for ref in refs]
    values, *sides = compared_values(rules, [record.match for record in records.values()], by_place, left, right)
    least = rules.match.review if floor is None else min(floor, rules.match.review)
    lenient = replace(rules, match=replace(rules.match, review=least))
    scored = score_pairs(lenient, values, *sides)
    edges = [verdict_edge(pair) for pair in _verdict_pairs(records, "link")]
    settled = {*_verdict_pairs(records, "link"), *_verdict_pairs(records, "separate")}
    for position, score in scored:
        pair = (refs[left[position]], refs[right[position]])
        if pair not in settled:
            edges.append(scored_edge(pair, score))
    found = tuple(sorted(edges))
    return ScoredSet(rules, records, refs, left, right, values, (sides[0], sides[1]), generic, found, least)


def _blocks(records: Sequence[Record]) -> dict[str, list[int]]:
    """Return the positions of the records that have each key."""
    blocks: dict[str, list[int]] = {}
    for position, record in enumerate(records):
        for key in record.keys:
            blocks.setdefault(key, []).append(position)
    return blocks


def candidate_pairs(rules: Ruleset, blocks: Mapping[str, Sequence[int]], count: int) -> tuple[Positions, Positions]:
    """Return the positions of the records of each candidate pair, once each, in order; ``count`` is of all records."""
    found = np.empty(0, np.int64)
    waiting: list[Positions] = []
    size = 0
    for key, members in blocks.items():
        if 1 < len(members) <= block_limit(rules, key):
            first, second = _pairs_of(len(members))
            inside = np.array(members, np.int64)
            waiting.append(inside[first] * count + inside[second])
            size += len(first)
            if size > CANDIDATES_PIECE:
                found, waiting, size = np.unique(np.concatenate([found, *waiting])), [], 0
    found = np.unique(np.concatenate([found, *waiting]))
    return found // max(count, 1), found % max(count, 1)


def outcome_at(scored: ScoredSet, link: float, review: float) -> SetOutcome:
    """Return what thresholds make of the scored pairs; ``review`` must be at least the set's ``floor``.

    A deterministic rule and a verdict link whatever the thresholds are.
    """
    if review < scored.floor:
        raise ValueError(f"pairs below a confidence of {scored.floor} were not scored")
    match = replace(scored.rules.match, link=link, review=min(review, link))
    edges = [edge for each in scored.edges if (edge := _at(each, match.link, match.review)) is not None]
    kept = kept_edges(scored.rules, edges)
    links = [edge for edge in kept if edge.link]
    cluster_of, apart = _clustered(scored, links, match.review)
    questions = {
        edge.pair
        for edge in kept
        if not edge.link
        and cluster_of[edge.a] != cluster_of[edge.b]
        and ordered(cluster_of[edge.a], cluster_of[edge.b]) not in apart
    }
    return SetOutcome(cluster_of, tuple(sorted({*questions, *apart.values()})))


def _at(edge: Edge, link: float, review: float) -> Edge | None:
    """Return an edge as it is decided at other thresholds, ``None`` if it is none."""
    if edge.rule:
        return edge
    return None if edge.confidence < review else edge._replace(link=edge.confidence >= link)


def _clustered(
    scored: ScoredSet, links: Sequence[Edge], review: float
) -> tuple[dict[str, str], dict[tuple[str, str], tuple[str, str]]]:
    """Return the first member of each record's cluster, and by two clusters the strongest link refused between them."""
    rules, records = scored.rules, scored.records
    components = connected(records, (edge.pair for edge in links))
    component_of = {ref: place for place, members in enumerate(components) for ref in members}
    links_of: dict[int, list[Edge]] = {}
    for edge in links:
        links_of.setdefault(component_of[edge.a], []).append(edge)
    cluster_of: dict[str, str] = {}
    refused: dict[tuple[str, str], Edge] = {}
    for place, members in enumerate(components):
        if len(members) == 1:
            cluster_of[members[0]] = members[0]
            continue
        exclusive = {ref: exclusive_values(rules, records[ref]) for ref in members}
        separated = separated_pairs(records, members)
        weighing = weighing_of(rules, records, members)
        weighing = weighing and replace(weighing, needed=review)
        clustering = cluster(members, links_of.get(place, []), separated, exclusive, rules.max_cluster_size, weighing)
        cluster_of.update({ref: refs[0] for refs in clustering.clusters for ref in refs})
        for refusal in clustering.refused:
            pair = ordered(cluster_of[refusal.edge.a], cluster_of[refusal.edge.b])
            held = refused.setdefault(pair, refusal.edge)
            refused[pair] = min(held, refusal.edge, key=lambda edge: edge.strength)
    return cluster_of, {pair: edge.pair for pair, edge in refused.items()}


def _verdict_pairs(records: Mapping[str, Record], verdict: str) -> set[tuple[str, str]]:
    return {
        (ref, other)
        for ref, record in records.items()
        for other in record.state.verdicts
        if ref < other and other in records and verdict_on(record, records[other]) == verdict
    }


@lru_cache(maxsize=1_024)
def _pairs_of(size: int) -> tuple[Positions, Positions]:
    first, second = np.triu_indices(size, 1)
    return first.astype(np.int64), second.astype(np.int64)


def own_outcome(scored: ScoredSet) -> SetOutcome:
    """Return what the rules' own thresholds make of the set."""
    match = scored.rules.match
    return outcome_at(scored, match.link, match.review)
