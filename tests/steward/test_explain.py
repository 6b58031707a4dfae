"""Explanations say what the state is, and the path between two records is the strongest there is."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import networkx as nx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import HISTORIES, learned, small_rules

from mdm_stream.core.cluster.edges import Edge, verdict_edge
from mdm_stream.core.cluster.golden import key_of
from mdm_stream.core.fold import EMPTY
from mdm_stream.core.model import make_ref
from mdm_stream.core.record import build_record
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.steward.describe import MASK
from mdm_stream.steward.explain import CONCLUSIONS, PairContext, explain, strongest_path

REFS = [f"s/{letter}" for letter in "abcdef"]


@st.composite
def graphs(draw):
    """Some links between six records: verdicts, rules and scores, with many ties."""
    pairs = draw(st.lists(st.sampled_from(list(combinations(REFS, 2))), unique=True, max_size=12))
    links = []
    for a, b in pairs:
        weight = float(draw(st.integers(1, 4)))
        rule = draw(st.sampled_from(["", "", "", "same_email", "verdict"]))
        edge = Edge(a, b, True, weight, 0.9, rule, "00")
        links.append(verdict_edge((a, b)) if rule == "verdict" else edge)
    return links


def weakest(path):
    """Return how weak the weakest link is: the greater, the weaker."""
    return max(link.strength[:2] for link in path)


@given(links=graphs())
@settings(max_examples=200, deadline=None)
def test_the_path_is_the_strongest_and_of_those_the_shortest(links):
    """Among all simple paths none has a stronger weakest link, nor one as strong and fewer links."""
    graph = nx.Graph()
    graph.add_nodes_from(REFS)
    for link in links:
        graph.add_edge(link.a, link.b, link=link)
    a, b = REFS[0], REFS[1]
    every = [[graph.edges[edge]["link"] for edge in path] for path in nx.all_simple_edge_paths(graph, a, b)]
    path = strongest_path(links, a, b)
    if not every:
        assert path is None
        return
    assert path in every
    assert (weakest(path), len(path)) == min((weakest(each), len(each)) for each in every)
    assert strongest_path(links[::-1], a, b) == path


def settled(rules, history):
    """Return an index in memory that has been given a history and has nothing left to do."""
    index = MemoryIndex(rules)
    engine = Engine(rules, index, sleep=lambda _: None)
    assert not engine.process(history).failed
    engine.drain()
    return index


def around(rules, index, a, b):
    """Return what an explanation needs, read from an index in memory."""
    near = index.read_neighbourhood([a.ref, b.ref])
    components = {ref: near.components[held] for ref, held in near.component_of.items()}
    members = sorted({ref for component in components.values() for ref in component.members})
    blocks = index.read_blocks(dict.fromkeys(sorted(set(a.keys) & set(b.keys)), 0))
    return PairContext(components, index.read_records(members), {key: block.size for key, block in blocks.items()})


WORLDS = [
    small_rules(),
    small_rules(max_block_size=3, max_cluster_size=2),
    small_rules(exclusive=(2,)),
    small_rules(50, 50, clustering="evidence"),
    learned(small_rules(3, 50, refined_above=2, clustering="evidence", also=True)),
]


@given(history=HISTORIES, world=st.sampled_from(WORLDS))
@settings(max_examples=150, deadline=None)
def test_every_pair_is_explained_as_the_state_is(history, world):
    """Together, refused, in review or apart: for every pair of records the explanation agrees with the resolution."""
    index = settled(world, history)
    resolution = index.snapshot()
    questions = {
        frozenset(resolution.crosswalk[ref] for ref in pair): item
        for pair, item in resolution.review.items()
        if item["refused_links"]
    }
    refs = [make_ref(source, number) for source in ("crm", "erp", "web") for number in "1234"]
    for a, b in combinations(sorted(index.read_records(refs).values(), key=lambda record: record.ref), 2):
        document = explain(world, a, b, around(world, index, a, b)).document()
        orjson.dumps(document)
        golden_a, golden_b = (resolution.crosswalk.get(record.ref) for record in (a, b))
        link, score = document["link"], document["score"]
        if link and link["decided_by"] != "verdict":
            assert (score["weight"], score["confidence"]) == (link["weight_bits"], link["confidence"])
        conclusion, item = document["conclusion"], resolution.review.get((a.ref, b.ref))
        assert conclusion in CONCLUSIONS
        assert document["together"] == (golden_a is not None and golden_a == golden_b)
        assert (document["a"]["golden_id"], document["b"]["golden_id"]) == (golden_a, golden_b)
        assert conclusion != "waiting"
        between = questions.get(frozenset((golden_a, golden_b)), {})
        if conclusion == "review":
            assert item is not None or between["refused_links"], "neither asked nor stood for"
        elif conclusion == "refused":
            assert document["link"]["refused"]["refused_links"] == between["refused_links"] > 0
            assert item in (None, between)
        else:
            assert item is None
        if item is not None:
            told = (link["weight_bits"], link["confidence"]) if link else (score["weight"], score["confidence"])
            assert told == (item["weight_bits"], item["confidence"])
            assert (link["refused"]["reason"] if link else "score") == item["reason"]
        check_path(document, a, b)


def check_path(document, a, b):
    """A path leads from a to b, and a link on it was refused if and only if the two are apart."""
    at = key_of(a.ref)
    for link in document["path"]:
        assert at in (link["a"], link["b"])
        at = link["b"] if link["a"] == at else link["a"]
        refused = link["refused"]
        if refused is not None:
            too_large = sum(refused["sizes"]) > refused["max_cluster_size"]
            found = {
                "separated": refused["separated"],
                "contradiction": refused["separated"],
                "exclusive": refused["exclusive"],
                "max_cluster_size": too_large,
                "evidence": (refused["joint_confidence"] or 0.0) < (refused["joint_confidence_needed"] or 0.0),
                "ambiguous": 1 in refused["sizes"],
            }
            assert found[refused["reason"]]
    if document["path"]:
        assert at == key_of(b.ref)
        assert document["together"] == all(link["refused"] is None for link in document["path"])


@given(history=HISTORIES)
@settings(max_examples=40, deadline=None)
def test_values_are_shown_only_when_asked_for(history):
    """Without values no attribute value is in an explanation; with them sensitive ones are masked until revealed."""
    plain = small_rules()
    attributes = (*plain.attributes[:2], *(replace(each, sensitive=True) for each in plain.attributes[2:]))
    rules = replace(plain, attributes=attributes)
    index = settled(rules, history)
    records = [record for record in index.read_records(["crm/1", "erp/1", "web/2"]).values() if record.live]
    for a, b in combinations(records, 2):
        texts = [
            {
                text
                for value in record.values[2:]
                for text in ([value.value] if isinstance(value.value, str) else value.value or ())
            }
            for record in (a, b)
        ]
        names = {str(value.value) for record in (a, b) for value in record.values[:2] if value.value}
        silent = orjson.dumps(explain(rules, a, b, around(rules, index, a, b)).document()).decode()
        assert not any(f'"{text}"' in silent for text in names | texts[0] | texts[1])
        masked = orjson.dumps(explain(rules, a, b, around(rules, index, a, b), values=True).document()).decode()
        assert not any(text in masked for text in texts[0] | texts[1])
        assert all(name in masked for name in names)
        revealed = explain(rules, a, b, around(rules, index, a, b), values=True, reveal=True).document()
        assert MASK not in orjson.dumps(revealed).decode()


def test_a_record_has_no_pair_with_itself():
    """Explaining a record with itself is a programmer's fault."""
    record = build_record(small_rules(), "crm/1", EMPTY)
    with pytest.raises(ValueError, match="itself"):
        explain(small_rules(), record, record, PairContext({}, {}, {}))
