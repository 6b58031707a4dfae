"""F, slow and obvious: the meaning of the whole system in one page.

The incremental engine and the batch job must agree with this, byte for byte. It scores every candidate pair with the
scalar functions, one at a time, and keeps nothing between calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import orjson

from mdm_stream.core.blocking.generic_values import pair_values, value_keys
from mdm_stream.core.blocking.limits import block_limit
from mdm_stream.core.cluster.clustering import connected
from mdm_stream.core.cluster.edges import Edge, ordered, scored_edge, verdict_edge, verdict_on
from mdm_stream.core.cluster.golden import resolve_component, review_item
from mdm_stream.core.cluster.strongest import kept_edges
from mdm_stream.core.fold import EMPTY, RecordState, fold
from mdm_stream.core.match.score import score_pair
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.record import Record, build_record
from mdm_stream.core.ruleset import Ruleset


@dataclass(frozen=True, slots=True)
class Resolution:
    """The state of one domain. ``crosswalk``: reference to golden id; ``golden``: golden id to JSON content;
    ``review``: pair of references to JSON item. Each in the order of its keys.
    """

    crosswalk: dict[str, str]
    golden: dict[str, Mapping[str, object]]
    review: dict[tuple[str, str], dict[str, object]]


def resolve(rules: Ruleset, events: Iterable[ChangeEvent]) -> Resolution:
    """Return F of what was delivered: events in any order, with any repetition."""
    return resolve_states(rules, fold_events(events))


def fold_events(events: Iterable[ChangeEvent]) -> dict[str, RecordState]:
    """Fold events to the state of each record key they name."""
    states: dict[str, RecordState] = {}
    for event in events:
        for ref in event.refs:
            states[ref] = fold(states.get(ref, EMPTY), event, ref).state
    return states


def resolve_states(rules: Ruleset, states: Mapping[str, RecordState]) -> Resolution:
    """Return F of folded states."""
    records = {ref: build_record(rules, ref, state) for ref, state in sorted(states.items()) if state.live}
    edges = kept_edges(rules, _edges(rules, records))
    links = [edge for edge in edges if edge.link]
    components = connected(records, (edge.pair for edge in links))
    component_of = {ref: position for position, members in enumerate(components) for ref in members}
    links_of: dict[int, list[Edge]] = {}
    for edge in links:
        links_of.setdefault(component_of[edge.a], []).append(edge)

    crosswalk: dict[str, str] = {}
    golden: dict[str, Mapping[str, object]] = {}
    review: dict[tuple[str, str], dict[str, object]] = {}
    apart: set[tuple[str, str]] = set()
    for position, members in enumerate(components):
        component = resolve_component(rules, members, links_of.get(position, []), records)
        for record in component.golden:
            golden[record.golden_id] = orjson.loads(record.content)
            crosswalk.update(dict.fromkeys(record.members, record.golden_id))
        for kept in component.apart:
            apart.add(kept.golden_ids)
            review[kept.strongest.edge.pair] = review_item(rules, kept)
    for edge in edges:
        golden_ids = ordered(crosswalk[edge.a], crosswalk[edge.b])
        if not edge.link and golden_ids[0] != golden_ids[1] and golden_ids not in apart:
            review[edge.pair] = review_item(rules, edge)
    return Resolution(dict(sorted(crosswalk.items())), dict(sorted(golden.items())), dict(sorted(review.items())))


def _edges(rules: Ruleset, records: Mapping[str, Record]) -> list[Edge]:
    """Return every pair that is decided LINK or REVIEW, in pair order."""
    edges = []
    open_keys, closed_keys = _keys(rules, records)
    candidates = {ordered(a, b) for members in open_keys.values() for a, b in combinations(members, 2)}
    for a, b in sorted(candidates | _verdict_pairs(records)):
        verdict = verdict_on(records[a], records[b])
        if verdict == "link":
            edges.append(verdict_edge((a, b)))
        elif verdict == "none" and (a, b) in candidates:
            generic = value_keys(rules, closed_keys & set(records[a].keys) & set(records[b].keys))
            score = score_pair(rules, *pair_values(rules, records[a].match, records[b].match, generic))
            if score is not None:
                edges.append(scored_edge((a, b), score))
    return edges


def _keys(rules: Ruleset, records: Mapping[str, Record]) -> tuple[dict[str, list[str]], set[str]]:
    """Return the members of each key that makes candidates, and the keys that too many records share."""
    blocks: dict[str, list[str]] = {}
    for ref, record in records.items():
        for key in record.keys:
            blocks.setdefault(key, []).append(ref)
    closed = {key for key, members in blocks.items() if len(members) > block_limit(rules, key)}
    return {key: members for key, members in blocks.items() if key not in closed}, closed


def _verdict_pairs(records: Mapping[str, Record]) -> set[tuple[str, str]]:
    return {
        ordered(ref, other) for ref, record in records.items() for other in record.state.verdicts if other in records
    }
