"""What F asks stewards: two golden records that links would have joined are one item, whatever kept them apart."""

from __future__ import annotations

from itertools import combinations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import HISTORIES, small_rules

from mdm_stream.core.cluster.clustering import SEPARATED_LISTED_MAX
from mdm_stream.core.cluster.edges import verdict_on
from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.reference import _edges, fold_events, resolve

ANN = {"given_name": "Ann", "family_name": "Lee", "birth_date": "1980-01-01"}
ANNE = {"given_name": "Anne", "family_name": "Lee", "birth_date": "1980-01-02"}


def record(ref, day=1, **attributes):
    """Return an upsert of one record."""
    return RecordEvent("person", *ref.split("/"), "upsert", 1, day, attributes)


def verdict(a, b, word):
    """Return a steward's verdict."""
    return VerdictEvent("person", *sorted((a, b)), word, 1, 0, "steward-1")


def rules_of(**limits):
    """Return the small rules with blocks as large as is needed."""
    return small_rules(**{"max_block_size": 50, "max_cluster_size": 50, **limits})


def asked(found):
    """Return each item as its pair of record ids, its reason, and how many links were refused."""
    return [
        (item["a"]["record_id"], item["b"]["record_id"], item["reason"], item["refused_links"])
        for item in found.review.values()
    ]


def test_a_limit_that_keeps_clusters_apart_is_one_item_for_each_two_of_them():
    """Seven equal records at most three together: three, three and one, and three questions instead of fifteen."""
    found = resolve(rules_of(max_cluster_size=3), [record(f"crm/{n}", **ANN) for n in range(1, 8)])
    assert len(found.golden) == 3
    assert asked(found) == [
        ("1", "4", "max_cluster_size", 9),
        ("1", "7", "max_cluster_size", 3),
        ("4", "7", "max_cluster_size", 3),
    ]


def test_an_exclusive_attribute_that_keeps_clusters_apart_is_one_item():
    """Two records of one birth date and two of another, all with one email: one question, and not four."""
    dates = ("1980-01-01", "1980-01-01", "1991-05-05", "1991-05-05")
    events = [record(f"crm/{n}", birth_date=date, email=("a@x.org",)) for n, date in enumerate(dates, 1)]
    assert asked(resolve(rules_of(exclusive=(2,)), events)) == [("1", "3", "exclusive", 4)]


def test_the_item_names_the_strongest_of_the_refused_links():
    """Of a link by the score and one by a deterministic rule it is the rule's, though its pair is the greater one."""
    events = [
        record("crm/1", **ANN),
        record("crm/2", **ANN, email=("a@x.org",)),
        record("crm/3", **ANN),
        record("crm/4", **ANN, email=("a@x.org",)),
        verdict("crm/1", "crm/2", "link"),
        verdict("crm/3", "crm/4", "link"),
    ]
    assert asked(resolve(rules_of(max_cluster_size=2), events)) == [("2", "4", "max_cluster_size", 4)]


def test_a_verdict_that_keeps_clusters_apart_is_one_item_with_the_verdict():
    """Three equal records of which two are separated: the third's link to the other side is the question."""
    found = resolve(rules_of(), [*(record(f"crm/{n}", **ANN) for n in "123"), verdict("crm/1", "crm/2", "separate")])
    assert asked(found) == [("2", "3", "separated", 1)]
    (item,) = found.review.values()
    assert (item["answered"], item["separated_count"]) == (True, 1)
    assert [[key["record_id"] for key in pair] for pair in item["separated"]] == [["1", "2"]]


@pytest.mark.parametrize("side", [2, 5, 9])
def test_a_contradiction_lists_the_first_verdicts_and_counts_all(side):
    """One LINK between two sets of records that stewards linked, against a SEPARATE on each other pair between them."""
    hubs = ("crm/0", "crm/1")  # before all others, so that both sets are together when the last LINK is looked at
    left = [hubs[0], *(f"erp/{n}" for n in range(1, side))]
    right = [hubs[1], *(f"web/{n}" for n in range(1, side))]
    events = [record(ref, given_name=f"Name {ref}") for ref in (*left, *right)]
    events += [verdict(refs[0], ref, "link") for refs in (left, right) for ref in refs[1:]]
    pairs = sorted((a, b) if a < b else (b, a) for a in left for b in right)
    last = (left[-1], right[-1])
    events += [verdict(*pair, "link" if pair == last else "separate") for pair in pairs]
    found = resolve(rules_of(), events)
    assert [*found.review] == [last]
    (item,) = found.review.values()
    assert (item["reason"], item["refused_links"], item["answered"]) == ("contradiction", 1, True)
    named = [tuple(f"{key['source']}/{key['record_id']}" for key in pair) for pair in item["separated"]]
    assert named == [pair for pair in pairs if pair != last][:SEPARATED_LISTED_MAX]
    assert item["separated_count"] == side * side - 1


BRIDGED = [
    record("crm/1", **ANN, email=("a@x.org",)),
    record("erp/2", email=("a@x.org", "b@x.org")),
    record("web/3", **ANNE, email=("b@x.org",)),
]


@pytest.mark.parametrize(
    ("cap", "items"),
    [
        pytest.param(3, [], id="one golden record, no question"),
        pytest.param(2, [("2", "3", "max_cluster_size", 1)], id="the refused link stands for the doubtful pair"),
        pytest.param(
            1,
            [("1", "2", "max_cluster_size", 1), ("1", "3", "score", 0), ("2", "3", "max_cluster_size", 1)],
            id="between two golden records without a refused link it is asked itself",
        ),
    ],
)
def test_a_doubtful_pair_beside_a_refused_link_is_no_item_of_its_own(cap, items):
    """crm/1 and web/3 are in the middle band, and erp/2 links to both."""
    assert asked(resolve(rules_of(max_cluster_size=cap), BRIDGED)) == items


def test_one_separate_verdict_answers_the_question_between_two_golden_records():
    """The next link of the same two is not a new question, though the limit refused it and no verdict is on it."""
    rules = rules_of(max_cluster_size=3)
    events = [record(f"crm/{n}", **ANN) for n in range(1, 7)]
    assert [item["answered"] for item in resolve(rules, events).review.values()] == [False]
    found = resolve(rules, [*events, verdict("crm/1", "crm/4", "separate")])
    assert asked(found) == [("1", "5", "max_cluster_size", 8)]
    assert [item["answered"] for item in found.review.values()] == [True]


WORLDS = [rules_of(max_cluster_size=2), rules_of(max_cluster_size=3), small_rules(), small_rules(exclusive=(2,))]


@given(history=HISTORIES, world=st.sampled_from(WORLDS))
@settings(max_examples=200, deadline=None)
def test_every_question_is_asked_once(history, world):
    """By its definition: all links whose ends are in two golden records were refused, and are one item."""
    found = resolve(world, history)
    records = {
        ref: build_record(world, ref, state) for ref, state in sorted(fold_events(history).items()) if state.live
    }
    links, doubts = {}, {}
    for edge in _edges(world, records):
        golden_ids = frozenset(found.crosswalk[ref] for ref in edge.pair)
        if len(golden_ids) == 2:
            (links if edge.link else doubts).setdefault(golden_ids, []).append(edge)
    separated = {
        frozenset((found.crosswalk[a], found.crosswalk[b]))
        for a, b in combinations(records, 2)
        if verdict_on(records[a], records[b]) == "separate"
    }
    wanted = {}
    for golden_ids, refused in links.items():
        strongest = min(refused, key=lambda edge: edge.strength)
        wanted[strongest.pair] = (len(refused), golden_ids in separated, strongest.weight)
    for golden_ids, edges in doubts.items():
        if golden_ids not in links:
            wanted |= {edge.pair: (0, False, edge.weight) for edge in edges}
    assert {
        pair: (item["refused_links"], item["answered"], item["weight_bits"]) for pair, item in found.review.items()
    } == wanted
    for item in found.review.values():
        orjson.dumps(item)
        assert (item["reason"] == "score") == (item["refused_links"] == 0)
        assert (item["reason"] in {"separated", "contradiction"}) == bool(item["separated"])
        assert item["answered"] or not item["separated"]
