"""Clusters that use all the evidence: what a scored link needs beside itself, and what does not count."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_world import BOTH_SAME, FAMILY_TERMS, GIVEN_DIFFERS, HISTORIES, RARE, REST, learned, small_rules

from mdm_stream.core.cluster.clustering import Weighing, cluster
from mdm_stream.core.cluster.edges import VERDICT_RULE, Edge, verdict_edge
from mdm_stream.core.cluster.joint_evidence import SPEAKERS_MAX, joint_evidence, joint_weight
from mdm_stream.core.match.pair_evidence import pair_evidence
from mdm_stream.core.match.score import score_pair
from mdm_stream.core.model import RecordEvent, VerdictEvent, make_ref
from mdm_stream.core.reference import resolve
from mdm_stream.core.ruleset import Comparison, Level, Predicate

NODES = [f"crm/{n}" for n in range(8)]
PAIRS = list(combinations(NODES, 2))
NEEDED = 0.85
MARGIN = 3.0


def linked(pair, weight, rule=""):
    """Return a link of a weight, by evidence or by a deterministic rule."""
    return Edge(*pair, link=True, weight=weight, confidence=0.9, rule=rule, levels="")


@st.composite
def links(draw):
    """Some pairs, each linked by evidence, by a rule or by a verdict; few weights, so that ties are many."""
    found = []
    for pair in draw(st.lists(st.sampled_from(PAIRS), max_size=14, unique=True)):
        kind = draw(st.sampled_from(["", "", "", "", "rule", VERDICT_RULE]))
        found.append(
            verdict_edge(pair) if kind == VERDICT_RULE else linked(pair, draw(st.sampled_from([3.0, 8.0])), kind)
        )
    return found


TABLES = st.fixed_dictionaries({pair: st.sampled_from([-9.0, -2.0, 0.0, 3.0, 8.0]) for pair in PAIRS})
"""The bits of each pair, linked or not."""
SEPARATED = st.sets(st.sampled_from(PAIRS), max_size=2)
SIZES_MAX = st.sampled_from([2, 4, 8, 8])
NO_VALUES = dict.fromkeys(NODES, ())


def weighing(table):
    """Return a weighing by the mean bits between two clusters."""

    def weight(left, right):
        bits = [table[tuple(sorted(pair))] for pair in product(left, right)]
        return math.fsum(bits) / len(bits)

    return Weighing(weight, NEEDED, MARGIN)


def naively(found, table, separated, size_max):
    """Return clusters and refusals, done anew without the records that fit several clusters, until there is none."""
    alone = set()
    while True:
        clusters, refused = agglomerated([e for e in found if alone.isdisjoint(e.pair)], table, separated, size_max)
        more = {
            end
            for pair in refused
            for end in pair
            if fits_several(end, clusters, refused, found, table, separated, size_max)
        }
        if not more:
            break
        alone |= more
    for edge in found:
        if not alone.isdisjoint(edge.pair):
            left, right = (next(members for members in clusters if end in members) for end in edge.pair)
            apart = any(tuple(sorted(pair)) in separated for pair in product(left, right))
            too_many = len(left) + len(right) > size_max
            refused[edge.pair] = "separated" if apart else "max_cluster_size" if too_many else "ambiguous"
    return clusters, refused


def fits_several(record, clusters, refused, found, table, separated, size_max):
    """Whether a record that only scored links lead to fits its cluster no better than one that contradicts the rest."""
    weighed = weighing(table)
    (own,) = [set(members) - {record} for members in clusters if record in members]
    if not own or any(edge.rule for edge in found if record in edge.pair):
        return False
    for pair in (pair for pair, reason in refused.items() if record in pair and reason == "evidence"):
        (other,) = [members for members in clusters if (set(pair) - {record}) & set(members)]
        if len(other) < size_max and not any(tuple(sorted((record, each))) in separated for each in other):
            fits = weighed.confidence([record], other) >= NEEDED
            better = weighed.weight([record], own) - weighed.weight([record], other)
            if fits and better < MARGIN and weighed.confidence(own, other) < NEEDED:
                return True
    return False


def agglomerated(found, table, separated, size_max):
    """Return clusters and refusals by going through the links, strongest first, until a round joins nothing."""
    clusters, weigh = [{node} for node in NODES], weighing(table).confidence
    while True:
        refused, before = {}, len(clusters)
        for edge in sorted(
            found, key=lambda edge: ({VERDICT_RULE: 0, "": 2}.get(edge.rule, 1), -edge.weight, edge.pair)
        ):
            (left,), (right,) = ([members for members in clusters if end in members] for end in edge.pair)
            if left == right:
                continue
            if any(tuple(sorted(pair)) in separated for pair in product(left, right)):
                refused[edge.pair] = "contradiction" if edge.rule == VERDICT_RULE else "separated"
            elif len(left | right) > size_max:
                refused[edge.pair] = "max_cluster_size"
            elif edge.rule == "" and len(left | right) > 2 and weigh(left, right) < NEEDED:
                refused[edge.pair] = "evidence"
            else:
                clusters = [members for members in clusters if members not in (left, right)] + [left | right]
        if len(clusters) == before:
            return sorted(tuple(sorted(members)) for members in clusters), refused


@given(links(), TABLES, SEPARATED, SIZES_MAX)
def test_clusters_are_those_of_the_obvious_way(found, table, separated, size_max):
    """Clusters, refused links and reasons are those of weighing every join anew, round after round."""
    clustering = cluster(NODES, found, separated, NO_VALUES, size_max, weighing(table))
    clusters, refused = naively(found, table, separated, size_max)
    assert list(clustering.clusters) == clusters
    assert {refusal.edge.pair: refusal.reason for refusal in clustering.refused} == refused


@given(links(), TABLES, SEPARATED, SIZES_MAX, st.randoms(use_true_random=False))
def test_no_order_of_the_input_is_seen(found, table, separated, size_max, chance):
    """Members, links and verdicts may come in any order."""
    expected = cluster(NODES, found, separated, NO_VALUES, size_max, weighing(table))
    nodes, shuffled = chance.sample(NODES, len(NODES)), chance.sample(found, len(found))
    again = cluster(nodes, shuffled, chance.sample(sorted(separated), len(separated)), {}, size_max, weighing(table))
    assert again == expected


@given(links(), TABLES, SEPARATED, SIZES_MAX)
def test_a_link_is_refused_for_what_stands_between_the_final_clusters(found, table, separated, size_max):
    """A link refused for its evidence was scored, and the evidence between its two clusters is below what it needs."""
    weighed = weighing(table)
    clustering = cluster(NODES, found, separated, NO_VALUES, size_max, weighed)
    cluster_of = {node: members for members in clustering.clusters for node in members}
    for refusal in clustering.refused:
        left, right = (cluster_of[end] for end in refusal.edge.pair)
        assert left != right
        if refusal.reason == "evidence":
            assert refusal.edge.rule == ""
            assert weighed.confidence(left, right) < NEEDED


@given(links(), SEPARATED, SIZES_MAX)
def test_where_all_pairs_agree_clusters_are_those_of_links_alone(found, separated, size_max):
    """Evidence only ever keeps apart: where none speaks against a join, links are followed as without it."""
    table = dict.fromkeys(PAIRS, 8.0)
    asked = (NODES, found, separated, NO_VALUES, size_max)
    weighed, followed = cluster(*asked, weighing(table)), cluster(*asked)
    assert weighed.clusters == followed.clusters
    assert [refusal.edge for refusal in weighed.refused] == [refusal.edge for refusal in followed.refused]


@given(links(), TABLES)
def test_what_a_steward_or_a_rule_decides_is_not_weighed(found, table):
    """A verdict and a deterministic rule join whatever the evidence says: they decide outright."""
    outright = [edge for edge in found if edge.rule]
    clustering = cluster(NODES, found, (), NO_VALUES, len(NODES), weighing(table))
    cluster_of = {node: members for members in clustering.clusters for node in members}
    assert all(cluster_of[edge.a] == cluster_of[edge.b] for edge in outright)


def test_a_refused_link_is_tried_again_when_its_cluster_has_grown():
    """The evidence of the whole counts: c contradicts b at its turn, and fits the three once d has come to a and b."""
    table = {("a", "b"): 9.0, ("a", "c"): 6.0, ("b", "c"): -5.0, ("a", "d"): 5.0, ("b", "d"): 5.0, ("c", "d"): 8.0}
    found = [linked(pair, table[pair]) for pair in (("a", "b"), ("a", "c"), ("a", "d"))]
    assert cluster("abc", found[:2], (), {}, 9, weighing(table)).clusters == (("a", "b"), ("c",))
    assert cluster("abcd", found, (), {}, 9, weighing(table)).clusters == (tuple("abcd"),)


# What is compared between two clusters.

NAMES = st.sampled_from([None, "ann", "bob", "robert"])
FAMILIES = st.sampled_from([None, "lee", "leigh", "stone"])
DATES = st.sampled_from([None, "1980-01-02", "1980-02-01", "1955-07-30"])
EMAILS = st.sampled_from([None, ("x@a.org",), ("y@b.org", "z@c.org")])
PEOPLE = st.tuples(NAMES, FAMILIES, DATES, EMAILS)


RULES = small_rules(max_block_size=50, max_cluster_size=50, clustering="evidence")
LEARNED = learned(RULES)

EITHER = st.sampled_from([RULES, LEARNED])


@given(EITHER, PEOPLE, PEOPLE)
def test_of_two_records_it_is_the_weight_of_the_pair(rules, a, b):
    """Between single records nothing is new: the evidence is their match weight, whichever of them comes first."""
    evidence = pair_evidence(rules, a, b)
    assert evidence == pair_evidence(rules, b, a)
    score = score_pair(rules, a, b)
    if score is not None:
        assert joint_weight(rules.match, [evidence]) == score.weight


@given(EITHER, st.lists(PEOPLE, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_members_is_nothing(rules, people, chance):
    """The confidence between two clusters is symmetric, and blind to the order of their members."""
    match_of = {f"crm/{n}": person for n, person in enumerate(people)}
    refs = list(match_of)
    cut = chance.randint(1, len(refs) - 1)
    left, right = refs[:cut], refs[cut:]
    confidence = joint_evidence(rules, match_of)
    expected = confidence(left, right)
    assert confidence(chance.sample(right, len(right)), chance.sample(left, len(left))) == expected


@given(EITHER, PEOPLE, PEOPLE, st.integers(1, 4))
def test_a_record_without_values_is_no_evidence(rules, a, b, times):
    """Members that have nothing to compare change nothing, however many they are; the prior counts once."""
    alone = [pair_evidence(rules, a, b)]
    empty = [pair_evidence(rules, (None,) * 4, b)] * times
    if alone[0].ruled is None:
        assert joint_weight(rules.match, alone + empty) == joint_weight(rules.match, alone)


def test_what_is_learned_of_values_is_averaged_like_the_rest():
    """A rare name that one pair of two shares says half, and two comparisons say together what knows both of them."""
    ann, bob, nameless = ("ann", "lee", None, None), ("bob", "lee", None, None), (None, "lee", None, None)
    same, other, unknown = (pair_evidence(LEARNED, each, ann) for each in (ann, bob, nameless))
    plain = [pair_evidence(RULES, each, ann) for each in (ann, bob)]
    assert joint_weight(LEARNED.match, [same, other]) - joint_weight(RULES.match, plain) == pytest.approx(
        (RARE + REST) / 2 + FAMILY_TERMS + (BOTH_SAME + GIVEN_DIFFERS) / 2
    )
    assert joint_weight(LEARNED.match, [same, unknown]) == joint_weight(LEARNED.match, [same])


@given(PEOPLE, PEOPLE, st.integers(1, 5), st.integers(1, 5))
def test_evidence_that_is_repeated_does_not_grow(a, b, left, right):
    """Copies of two records say what the two say."""
    evidence = pair_evidence(RULES, a, b)
    if evidence.ruled is None:
        assert joint_weight(RULES.match, [evidence] * (left * right)) == pytest.approx(
            joint_weight(RULES.match, [evidence])
        )


def test_what_a_large_cluster_costs_is_bounded(monkeypatch):
    """Of each side at most SPEAKERS_MAX members are compared, always the same ones."""
    asked = set()
    whole = pair_evidence
    monkeypatch.setattr(
        "mdm_stream.core.cluster.joint_evidence.pair_evidence",
        lambda rules, a, b: asked.add((a, b)) or whole(rules, a, b),
    )
    match_of = {f"crm/{n}": (f"ann{n}", "lee", None, None) for n in range(90)}
    refs = sorted(match_of)
    confidence = joint_evidence(RULES, match_of)
    first = confidence(refs[:40], refs[40:])
    assert len(asked) == SPEAKERS_MAX**2
    assert confidence(refs[40:][::-1], refs[:40][::-1]) == first
    assert len(asked) <= 2 * SPEAKERS_MAX**2


# A family, a chain, and a steward.


def record(record_id, **values):
    """Return a record of the source crm."""
    return RecordEvent("person", "crm", record_id, "upsert", 1, 1_000_000, values)


def clusters_of(events, rules=RULES):
    """Return the record ids of each golden record, and the reasons in the review queue."""
    resolution = resolve(rules, events)
    found = {}
    for ref, golden_id in resolution.crosswalk.items():
        found.setdefault(golden_id, []).append(ref.partition("/")[2])
    return sorted(found.values()), sorted(item["reason"] for item in resolution.review.values())


def graded(position, exact, differ):
    """Return a comparison of one attribute: the same, another, or missing."""
    whens = (("missing", "null", 0.0), ("exact", "exact", exact), ("differ", "else", differ))
    levels = tuple(Level(label, (Predicate(kind, (position,)),), bits) for label, kind, bits in whens)
    return Comparison(f"of {position}", (position,), levels)


def weighing_rules(*comparisons, clustering="evidence"):
    """Return rules without deterministic ones, with a prior of -2 bits, that compare in this way."""
    rules = small_rules(max_block_size=50, max_cluster_size=50, clustering=clustering)
    return replace(rules, match=replace(rules.match, prior=0.2, deterministic=(), comparisons=comparisons))


FAMILY = (graded(0, 3.0, -6.0), graded(1, 2.0, -2.0), graded(3, 3.0, -1.0))
"""A home (3 bits by its email) and a family name (2) link, where no given name (-6) contradicts."""


HOME = {"family_name": "Stone", "email": ["home@stone.org"]}
BORN = {"Martha": "1955-07-30", "Edwin": "1980-01-02"}
MOTHER, SON, DAUGHTER = (record(name, given_name=name, **HOME) for name in ("Martha", "Edwin", "Sylvia"))


def test_a_record_without_a_name_does_not_make_a_family_one():
    """It fits mother, son and daughter alike; links alone make them one person, all the evidence keeps them three."""
    nameless = record("nobody", **HOME)
    family = [MOTHER, SON, DAUGHTER, nameless]
    assert clusters_of(family, weighing_rules(*FAMILY, clustering="components")) == (
        [["Edwin", "Martha", "Sylvia", "nobody"]],
        [],
    )
    assert clusters_of(family, weighing_rules(*FAMILY)) == (
        [["Edwin"], ["Martha"], ["Sylvia"], ["nobody"]],
        ["ambiguous"] * 3,
    )


def test_a_record_goes_where_it_fits_better_by_the_margin():
    """One more thing in common than with the others is enough if it weighs as much; a little less, and it is asked."""
    rules = weighing_rules(*FAMILY, graded(2, 3.5, 0.0))
    martha, edwin = (record(name, given_name=name, birth_date=born, **HOME) for name, born in BORN.items())
    nameless = record("nobody", birth_date="1955-07-30", **HOME)
    assert clusters_of([martha, edwin, nameless], rules) == ([["Edwin"], ["Martha", "nobody"]], ["evidence"])
    wider = replace(rules, match=replace(rules.match, evidence_margin=3.6))
    assert clusters_of([martha, edwin, nameless], wider)[0] == [["Edwin"], ["Martha"], ["nobody"]]


def test_an_answer_settles_where_a_record_belongs():
    """A steward's LINK joins it, and a SEPARATE from all others lets it go to the one that is left."""
    rules = weighing_rules(*FAMILY)
    nameless = record("nobody", **HOME)
    refs = {name: make_ref("crm", name) for name in ("Edwin", "Martha", "nobody")}
    link = VerdictEvent("person", refs["Martha"], refs["nobody"], "link", 1, 1_000_000, "steward")
    assert clusters_of([MOTHER, SON, nameless, link], rules)[0] == [["Edwin"], ["Martha", "nobody"]]
    separate = VerdictEvent("person", refs["Edwin"], refs["nobody"], "separate", 1, 1_000_000, "steward")
    assert clusters_of([MOTHER, SON, nameless, separate], rules)[0] == [["Edwin"], ["Martha", "nobody"]]


def test_however_many_records_lack_a_name():
    """Ten records of the home outvote nobody: what is missing is no evidence, and each of them stands alone."""
    family = [MOTHER, SON, DAUGHTER, *(record(f"nobody{n}", **HOME) for n in range(10))]
    found, _ = clusters_of(family, weighing_rules(*FAMILY))
    assert all(len(members) == 1 for members in found)


CHAIN = [
    record("1", given_name="Ann", family_name="Lee", birth_date="1980-01-02"),
    record("2", given_name="Ann", family_name="Stone", birth_date="1980-01-02"),
    record("3", given_name="Bob", family_name="Stone", birth_date="1980-01-02"),
    record("4", given_name="Bob", family_name="Stone", birth_date="1955-07-30"),
]
"""Each differs in one thing from the next; of the first and the last nothing is the same."""
EACH = tuple(graded(position, 4.0, -2.0) for position in range(3))


def test_a_chain_does_not_make_strangers_one():
    """The two ends are in different golden records; what fits either end is in neither, and is two questions."""
    assert clusters_of(CHAIN, weighing_rules(*EACH, clustering="components")) == ([["1", "2", "3", "4"]], [])
    assert clusters_of(CHAIN, weighing_rules(*EACH)) == ([["1", "2"], ["3"], ["4"]], ["ambiguous", "ambiguous"])
    firm = replace(weighing_rules(*EACH).match, evidence_margin=0.0)
    assert clusters_of(CHAIN[:3], replace(weighing_rules(*EACH), match=firm))[0] == [["1", "2", "3"]]


def test_a_steward_has_the_last_word():
    """A LINK joins what the evidence keeps apart, and is withdrawn without a trace."""
    nameless = record("nobody", **HOME)
    rules = weighing_rules(*FAMILY)
    without = resolve(rules, [MOTHER, SON, nameless])
    a, b = make_ref("crm", "Edwin"), make_ref("crm", "Martha")
    verdict = VerdictEvent("person", a, b, "link", 1, 1_000_000, "steward")
    assert len(resolve(rules, [MOTHER, SON, nameless, verdict]).golden) == 1
    assert len(without.golden) == 3
    withdrawn = VerdictEvent("person", a, b, "none", 2, 1_000_000, "steward")
    assert resolve(rules, [MOTHER, SON, nameless, verdict, withdrawn]) == without


@given(EITHER, HISTORIES, st.randoms(use_true_random=False))
def test_the_order_of_delivery_is_nothing(rules, history, chance):
    """F under all the evidence is a function of what was delivered."""
    assert resolve(rules, chance.sample(history, len(history))) == resolve(rules, history)
