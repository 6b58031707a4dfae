"""How a cluster came together: joins are those of clustering, and bridges those of graph theory."""

from __future__ import annotations

from itertools import combinations, pairwise

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm_stream.core.cluster.clustering import cluster, connected
from mdm_stream.core.cluster.edges import Edge, verdict_edge
from mdm_stream.steward.assembly import assembly_of, weakest_bridge

REFS = [f"s/{letter}" for letter in "abcdefg"]


@st.composite
def connected_clusters(draw):
    """The largest component of some links between seven records, with many ties."""
    pairs = draw(st.lists(st.sampled_from(list(combinations(REFS, 2))), unique=True, min_size=1, max_size=12))
    links = []
    for a, b in pairs:
        rule = draw(st.sampled_from(["", "", "same_email", "verdict"]))
        edge = Edge(a, b, True, float(draw(st.integers(1, 4))), 0.9, rule, "00")
        links.append(verdict_edge((a, b)) if rule == "verdict" else edge)
    members = max(connected(REFS, pairs), key=len)
    return members, [link for link in links if link.a in members]


@given(connected_clusters())
@settings(max_examples=200, deadline=None)
def test_joins_are_the_strongest_links_that_connect(made):
    """One fewer than members, strongest first, each between two groups as large as it says; in any order of links."""
    members, links = made
    joins = assembly_of(members, links)
    assert assembly_of(members[::-1], links[::-1]) == joins
    assert len(joins) == len(members) - 1
    assert [join.link.strength for join in joins] == sorted(join.link.strength for join in joins)
    for place, join in enumerate(joins):
        stronger = [link for link in links if link.strength < join.link.strength]
        groups = {ref: group for group in connected(members, [link.pair for link in stronger]) for ref in group}
        assert groups[join.link.a] is not groups[join.link.b]
        assert join.sizes == (len(groups[join.link.a]), len(groups[join.link.b]))
        assert place < len(joins) - 1 or sum(join.sizes) == len(members)


@given(connected_clusters())
@settings(max_examples=200, deadline=None)
def test_a_link_parts_the_cluster_if_and_only_if_it_is_a_bridge(made):
    """What is cut off is what clustering would cut off without it: the smaller side, or the first of equal ones."""
    members, links = made
    joins = assembly_of(members, links)
    graph = nx.Graph([link.pair for link in links])
    assert {join.link.pair for join in joins if join.parts_off} == {tuple(sorted(e)) for e in nx.bridges(graph)}
    for join in joins:
        without = cluster(members, [link for link in links if link != join.link], (), {}, len(members)).clusters
        sides = sorted(without, key=lambda side: (len(side), side))
        assert (join.parts_off,) == (sides[0],) if len(without) == 2 else len(without) == 1
    weakest = weakest_bridge(joins)
    bridges = [place for place, join in enumerate(joins) if join.parts_off]
    assert weakest == (bridges[-1] if bridges else None)


def test_a_long_chain_takes_no_recursion():
    """A cluster as large as rules may allow is walked without a deep stack, and each of its links parts it."""
    refs = [f"s/{number:05}" for number in range(3000)]
    links = [Edge(a, b, True, 5.0, 0.97, "", "0") for a, b in pairwise(refs)]
    joins = assembly_of(refs, links)
    assert len(joins) == 2999
    assert all(0 < len(join.parts_off) <= 1500 for join in joins)


def test_one_record_alone_has_no_joins():
    """A cluster of one is held together by nothing."""
    assert assembly_of(["s/a"], []) == []
    assert weakest_bridge([]) is None
