"""What a record keeps of its edges: the strongest, and of equal ones those to the nearest records."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_world import small_rules

from mdm_stream.core.cluster.clustering import connected
from mdm_stream.core.cluster.edges import Edge, verdict_edge
from mdm_stream.core.cluster.strongest import KeptLinks, kept_edges

LIMIT = 2
RULES = small_rules(kept=LIMIT)
REFS = [f"crm/{n:02}" for n in range(12)]
PAIRS = list(combinations(REFS, 2))


def link(a: str, b: str, weight: float = 10.0, rule: str = "") -> Edge:
    """Return a link."""
    return Edge(a, b, link=True, weight=weight, confidence=0.9, rule=rule, levels="")


def pairs(edges: list[Edge]) -> set[tuple[str, str]]:
    """Return the pairs of edges."""
    return {edge.pair for edge in edges}


@pytest.mark.parametrize("size", [2, LIMIT + 1])
def test_a_small_component_keeps_all_of_its_links(size):
    """As many records as may be on one side, and the record itself."""
    edges = [link(a, b) for a, b in combinations(REFS[:size], 2)]
    assert kept_edges(RULES, edges) == edges


def test_equal_records_keep_the_links_to_their_neighbours():
    """A chain that holds all together, whatever their number, of as many links a record as may be on each side."""
    kept = kept_edges(RULES, [link(a, b) for a, b in PAIRS])
    places = {ref: place for place, ref in enumerate(REFS)}
    assert pairs(kept) == {(a, b) for a, b in PAIRS if places[b] - places[a] <= LIMIT}
    assert len(connected(REFS, pairs(kept))) == 1


def test_one_record_is_enough_to_keep_an_edge():
    """A hub has stronger links than most of its own, but each of the others has none beside."""
    edges = [link(REFS[0], other, weight) for weight, other in enumerate(REFS[1:])]
    assert kept_edges(RULES, edges) == edges


def test_verdicts_stay_and_are_not_counted():
    """All of a steward's LINKs are kept, and as many others as without them."""
    verdicts = [verdict_edge(pair) for pair in PAIRS if pair[0] in REFS[:3]]
    others = [link(a, b) for a, b in PAIRS if a not in REFS[:3]]
    assert pairs(kept_edges(RULES, [*verdicts, *others])) == pairs(verdicts) | pairs(kept_edges(RULES, others))


def test_rules_come_before_scores_and_these_by_weight():
    """The strongest is kept, not the nearest: what a deterministic rule decides first, then by weight."""
    edges = [link(a, b) for a, b in PAIRS]
    strong = {
        (REFS[0], REFS[9]): link(REFS[0], REFS[9], 11.0),
        (REFS[0], REFS[10]): link(REFS[0], REFS[10], 1.0, "same"),
    }
    kept = kept_edges(small_rules(kept=1), [strong.get(edge.pair, edge) for edge in edges])
    assert (REFS[0], REFS[10]) in pairs(kept)
    assert (REFS[0], REFS[1]) in pairs(kept)  # for the sake of the second, whose nearest earlier one it is
    assert (REFS[0], REFS[2]) not in pairs(kept)


WEIGHTS = st.dictionaries(st.sampled_from(PAIRS), st.sampled_from([1.0, 2.0, 2.0, 3.0]), max_size=40)


@given(WEIGHTS, WEIGHTS, st.sets(st.sampled_from(REFS), min_size=1, max_size=3))
def test_what_a_change_leaves_is_known_or_asked_for(before, after, changed):
    """From the links kept and all of the changed records: what F keeps, but for records that are evaluated again."""
    changed = frozenset(changed)
    all_before = {pair: link(*pair, weight) for pair, weight in before.items()}
    fresh = [link(*pair, weight) for pair, weight in after.items() if changed & set(pair)]
    all_after = [edge for pair, edge in all_before.items() if not changed & set(pair)] + fresh
    links = KeptLinks({"c": kept_edges(RULES, all_before.values())}, fresh, changed, LIMIT)
    expected, found, asked = pairs(kept_edges(RULES, all_after)), pairs(links.kept()), set(links.with_hole())
    assert not asked & changed
    assert {pair for pair in expected ^ found if not asked & set(pair)} == set()
