"""What clustering promises, on random graphs with conflicts, beside networkx and a naive way of doing the same."""

from __future__ import annotations

from itertools import combinations, product

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.cluster.clustering import cluster, connected
from mdm_stream.core.cluster.edges import VERDICT_RULE, Edge, verdict_edge

NODES = [f"crm/{n}" for n in range(9)]
PAIRS = list(combinations(NODES, 2))
WEIGHTS = (3.0, 3.0, 4.5, 8.0)
"""Few, so that ties are many."""


def scored(pair, weight, rule=""):
    """Return a link of a weight, by evidence or by a deterministic rule."""
    return Edge(*pair, link=True, weight=weight, confidence=0.9, rule=rule, levels="")


@st.composite
def links(draw):
    """Some pairs, each linked by evidence, by a rule or by a verdict."""
    found = []
    for pair in draw(st.lists(st.sampled_from(PAIRS), max_size=16, unique=True)):
        kind = draw(st.sampled_from(["score", "score", "score", "rule", VERDICT_RULE]))
        weight = draw(st.sampled_from(WEIGHTS))
        found.append(verdict_edge(pair) if kind == VERDICT_RULE else scored(pair, weight, kind.replace("score", "")))
    return found


SEPARATED = st.sets(st.sampled_from(PAIRS), max_size=4)
EXCLUSIVE = st.fixed_dictionaries(
    {
        node: st.tuples(st.sampled_from([None, None, "x", "y"]), st.sampled_from([None, None, None, "p", "q"]))
        for node in NODES
    }
)
SIZES_MAX = st.sampled_from([1, 2, 3, 5, 9])
WORLDS = st.tuples(links(), SEPARATED, EXCLUSIVE, SIZES_MAX)


def objection(left, right, separated, exclusive, size_max):
    """Return why two sets must not be one, in the order in which reasons are given; ``None`` if they may."""
    if any((a, b) in separated or (b, a) in separated for a, b in product(left, right)):
        return "separated"
    for held in zip(*(exclusive[node] for node in left | right), strict=True):
        if len({value for value in held if value is not None}) > 1:
            return "exclusive"
    return "max_cluster_size" if len(left | right) > size_max else None


def tier(edge):
    """Return the place of an edge's kind: verdicts, then rules, then scores."""
    return {VERDICT_RULE: 0, "": 2}.get(edge.rule, 1)


def naively(found, separated, exclusive, size_max):
    """Return clusters and refusals by taking the strongest link left, again and again, over plain sets."""
    clusters, refused, left_over = [{node} for node in NODES], {}, list(found)
    while left_over:
        kind = min(map(tier, left_over))
        weight = max(edge.weight for edge in left_over if tier(edge) == kind)
        edge = min((e for e in left_over if (tier(e), e.weight) == (kind, weight)), key=lambda e: e.pair)
        left_over.remove(edge)
        (left,), (right,) = ([members for members in clusters if end in members] for end in edge.pair)
        if left == right:
            continue
        reason = objection(left, right, separated, exclusive, size_max)
        if reason is None:
            clusters = [members for members in clusters if members not in (left, right)] + [left | right]
        else:
            refused[edge.pair] = "contradiction" if (reason, kind) == ("separated", 0) else reason
    return sorted(tuple(sorted(members)) for members in clusters), refused


@given(st.sets(st.sampled_from(NODES)), st.data())
def test_components_are_those_of_networkx(nodes, data):
    """Each component sorted, in the order of its first node, whatever the order and the direction of the links."""
    pairs = list(combinations(sorted(nodes), 2))
    found = data.draw(st.lists(st.sampled_from(pairs), max_size=12)) if pairs else []
    graph = nx.Graph(found)
    graph.add_nodes_from(nodes)
    expected = sorted(sorted(component) for component in nx.connected_components(graph))
    assert connected(nodes, found) == expected
    assert connected(sorted(nodes, reverse=True), [(b, a) for a, b in reversed(found)]) == expected


@given(WORLDS)
def test_no_cluster_holds_a_conflict(world):
    """Clusters partition the members; none has a separated pair, two exclusive values or too many members."""
    found, separated, exclusive, size_max = world
    clustering = cluster(NODES, found, separated, exclusive, size_max)
    assert sorted(node for members in clustering.clusters for node in members) == NODES
    assert list(clustering.clusters) == sorted(tuple(sorted(members)) for members in clustering.clusters)
    for members in clustering.clusters:
        assert objection(set(members), set(), (), exclusive, size_max) is None
        assert not set(combinations(members, 2)) & separated


@given(WORLDS)
def test_refused_links_really_separate(world):
    """The ends of a refused link end in different clusters, which could not be one; every other link is inside one."""
    found, separated, exclusive, size_max = world
    clustering = cluster(NODES, found, separated, exclusive, size_max)
    cluster_of = {node: set(members) for members in clustering.clusters for node in members}
    refused = {refusal.edge.pair for refusal in clustering.refused}
    for edge in found:
        left, right = cluster_of[edge.a], cluster_of[edge.b]
        assert (left != right) == (edge.pair in refused)
        if left != right:
            assert objection(left, right, separated, exclusive, size_max) is not None
    assert [refusal.edge.pair for refusal in clustering.refused] == sorted(refused)


@given(WORLDS)
def test_strongest_links_are_followed_first(world):
    """Clusters, refused links and reasons are those of taking the strongest link left, again and again."""
    found, separated, exclusive, size_max = world
    clustering = cluster(NODES, found, separated, exclusive, size_max)
    clusters, refused = naively(found, separated, exclusive, size_max)
    assert list(clustering.clusters) == clusters
    assert {refusal.edge.pair: refusal.reason for refusal in clustering.refused} == refused


@given(WORLDS)
def test_a_refusal_names_the_verdicts_against_it(world):
    """A link refused for a SEPARATE verdict names verdicts across the two sides; one refused otherwise names none."""
    found, separated, exclusive, size_max = world
    clustering = cluster(NODES, found, separated, exclusive, size_max)
    cluster_of = {node: members for members in clustering.clusters for node in members}
    for refusal in clustering.refused:
        assert bool(refusal.separated) == (refusal.reason in ("separated", "contradiction"))
        assert (refusal.reason == "contradiction") <= (refusal.edge.rule == VERDICT_RULE)
        assert list(refusal.separated) == sorted(refusal.separated)
        sides = {cluster_of[refusal.edge.a], cluster_of[refusal.edge.b]}
        for a, b in refusal.separated:
            assert (a, b) in separated
            assert {cluster_of[a], cluster_of[b]} == sides


@given(WORLDS, st.randoms(use_true_random=False))
def test_no_order_of_the_input_is_seen(world, chance):
    """Members, links and separated pairs may come in any order, and a separated pair either way round."""
    found, separated, exclusive, size_max = world
    expected = cluster(NODES, found, separated, exclusive, size_max)
    nodes, shuffled = chance.sample(NODES, len(NODES)), chance.sample(found, len(found))
    turned = [chance.choice([(a, b), (b, a)]) for a, b in chance.sample(sorted(separated), len(separated))]
    mixed = {node: exclusive[node] for node in nodes}
    assert cluster(nodes, shuffled, turned, mixed, size_max) == expected


@given(links(), EXCLUSIVE)
def test_without_a_conflict_clusters_are_components(found, exclusive):
    """Where nothing is separated, exclusive or too large, all links are followed."""
    nothing = dict.fromkeys(NODES, (None, None))
    assert cluster(NODES, found, (), nothing, len(NODES)).clusters == tuple(map(tuple, connected(NODES, _pairs(found))))
    one_value = {node: tuple(value and "x" for value in values) for node, values in exclusive.items()}
    clustering = cluster(NODES, found, (), one_value, len(NODES))
    assert clustering.refused == ()
    assert [list(members) for members in clustering.clusters] == connected(NODES, _pairs(found))


def _pairs(found):
    return [edge.pair for edge in found]


@pytest.mark.parametrize(
    ("first", "second", "third"),
    [
        (verdict_edge(("b", "c")), scored(("a", "b"), 60.0, "rule"), scored(("a", "c"), 60.0)),
        (scored(("b", "c"), 1.0, "rule"), scored(("a", "b"), 9.0), scored(("a", "c"), 8.0)),
        (scored(("b", "c"), 9.0), scored(("a", "b"), 8.0), scored(("a", "c"), 7.0)),
        (scored(("a", "b"), 8.0), scored(("a", "c"), 8.0), scored(("b", "c"), 8.0)),
    ],
    ids=["verdict before rule", "rule before score", "by weight", "ties by pair"],
)
def test_the_order_of_strength(first, second, third):
    """Of three links between three records of which two fit in a cluster, the strongest is followed."""
    clustering = cluster("abc", [third, second, first], (), {}, 2)
    assert first.pair in clustering.clusters
    assert {refusal.edge.pair: refusal.reason for refusal in clustering.refused} == {
        second.pair: "max_cluster_size",
        third.pair: "max_cluster_size",
    }


def test_a_cluster_may_be_as_large_as_the_limit():
    """The limit itself is allowed, one more is not."""
    chain = [scored((a, b), 5.0 - place) for place, (a, b) in enumerate(["ab", "bc", "cd"])]
    assert cluster("abcd", chain, (), {}, 4).clusters == (tuple("abcd"),)
    assert cluster("abcd", chain, (), {}, 3).clusters == (tuple("abc"), ("d",))


def test_an_exclusive_value_is_held_by_the_whole_cluster():
    """A value that one member brought counts for all of them, also where the member itself is linked to none after."""
    chain = [scored(("a", "b"), 9.0), scored(("b", "c"), 8.0), scored(("c", "d"), 7.0)]
    values = {"a": ("x",), "d": ("y",), "b": (None,)}
    clustering = cluster("abcd", chain, (), values, 9)
    assert clustering.clusters == (tuple("abc"), ("d",))
    assert [refusal.reason for refusal in clustering.refused] == ["exclusive"]
