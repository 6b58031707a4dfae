"""Labelled sets: what comes out at the rules' thresholds is F, and what is said of wrong pairs is counted by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm_stream.assess.by_comparison import wrong_pairs
from mdm_stream.assess.labelled import ScoredSet, outcome_at, own_outcome, scored_set
from mdm_stream.assess.sweep import sweep
from mdm_stream.assess.sweep_page import sweep_page
from mdm_stream.assess.worst import worst_groups
from mdm_stream.core.match.score import explain_pair, score_pair
from mdm_stream.core.model import RecordEvent, VerdictEvent, make_ref, split_ref
from mdm_stream.core.reference import resolve
from mdm_stream.core.ruleset import Dependence, Ruleset, TermBits
from mdm_stream.evaluate import evaluate
from mdm_stream.rules import load_ruleset
from mdm_stream.steward.explain import link_refusal

PERSON = load_ruleset("person")
REFINED = replace(
    PERSON,
    blocking=tuple(each if each.refined_above is None else replace(each, refined_above=2) for each in PERSON.blocking),
)
"""The pack, of which a key that is refined at all is refined above two records."""
GIVEN = ("Ana", "Anna", "Rui", "Zoe", None)
FAMILY = ("Souza", "Sousa", "Lima", None)
BORN = ("1980-05-06", "1980-05-07", "1951-01-02", None)
PHONES = ("+351211234567", "+351211234568", None)
NAMES_ALONE = """domain: person
version: 1
attributes: {given_name: {type: name}, family_name: {type: name}, birth_date: {type: date}, phone: {type: phone}}
blocking: {keys: {given_name: given_name}}
match:
  prior: 0.001
  comparisons:
    given_name: {levels: [{when: null, bits: 0}, {when: exact, bits: 1}, {when: else, bits: -4}]}
    family_name: {levels: [{when: null, bits: 0}, {when: exact, bits: 1}, {when: else, bits: -4}]}
"""
PEOPLE = st.lists(
    st.tuples(*map(st.sampled_from, (GIVEN, FAMILY, BORN, PHONES, ("one", "two", "three")))), min_size=1, max_size=8
)
VERDICTS = st.lists(st.sampled_from(["link", "separate"]), max_size=2)


def events_of(people: list[tuple[str | None, ...]]) -> tuple[list[RecordEvent], dict[tuple[str, str], str]]:
    """Return people as events and their truth; sources take turns."""
    events, entities = [], {}
    for number, (given_name, family, born, phone, entity) in enumerate(people):
        source = ("crm", "erp")[number % 2]
        said = {"given_name": given_name, "family_name": family, "birth_date": born, "phone": phone}
        events.append(RecordEvent("person", source, str(number), "upsert", number, number, said))
        entities[source, str(number)] = str(entity)
    return events, entities


def crosswalk_of(outcome: dict[str, str]) -> set[frozenset[str]]:
    """Return a crosswalk as the set of its clusters."""
    clusters: dict[str, set[str]] = {}
    for ref, name in outcome.items():
        clusters.setdefault(name, set()).add(ref)
    return set(map(frozenset, clusters.values()))


@pytest.mark.parametrize(
    "rules",
    [
        PERSON,
        replace(PERSON, max_cluster_size=2),
        replace(PERSON, max_links=1, max_reviews=1),
        replace(PERSON, max_block_size=3),
        replace(PERSON, match=replace(PERSON.match, exclusive=(PERSON.index_of("birth_date"),))),
        replace(PERSON, match=replace(PERSON.match, clustering="evidence")),
        REFINED,
    ],
    ids=["pack", "small clusters", "few links", "small blocks", "exclusive", "evidence", "refined keys"],
)
@settings(max_examples=8, deadline=None)
@given(people=PEOPLE, verdicts=VERDICTS, floor=st.sampled_from([None, 0.01]))
def test_at_the_rules_thresholds_it_is_f(rules: Ruleset, people, verdicts, floor):
    """Clusters and questions are the reference's, whatever limits, conflicts and verdicts do, however low the floor."""
    events, _ = events_of(people)
    refs = sorted(event.ref for event in events)
    decided = [
        VerdictEvent("person", *pair, verdict, 1, 1, "steward")
        for pair, verdict in zip(combinations(refs, 2), verdicts, strict=False)
    ]
    whole = resolve(rules, [*events, *decided])
    outcome = own_outcome(scored_set(rules, [*events, *decided], floor))
    assert crosswalk_of(dict(outcome.cluster_of)) == crosswalk_of(whole.crosswalk)
    assert outcome.questions == tuple(whole.review)


def test_what_is_compared_beside_a_value_excludes_nothing():
    """A maiden name beside one's name is no other name: neither a sweep nor what is said of a refusal takes it so."""
    rules = replace(PERSON, match=replace(PERSON.match, exclusive=(PERSON.index_of("family_name"),)))
    events, _ = events_of([("Ana", "Souza", "1980-05-06", PHONES[0], None)] * 2)
    events[1] = replace(events[1], attributes={**events[1].attributes, "other_family_names": ["Lima"]})
    scored = scored_set(rules, events)
    first, second = (scored.records[ref] for ref in scored.refs)
    assert first.match != second.match
    assert crosswalk_of(dict(own_outcome(scored).cluster_of)) == crosswalk_of(resolve(rules, events).crosswalk)
    assert len(own_outcome(scored).cluster_of) == 2
    assert set(own_outcome(scored).cluster_of.values()) == {first.ref}
    refusal = link_refusal(rules, scored.records, "max_cluster_size", 1, ({first.ref}, {second.ref}))
    assert refusal.exclusive == []


@settings(max_examples=8, deadline=None)
@given(people=PEOPLE, link=st.sampled_from([0.5, 0.85, 0.99]), review=st.sampled_from([0.05, 0.5, 0.9]))
def test_other_thresholds_are_those_of_rules_that_have_them(people, link, review):
    """A step of a sweep is what rules with these thresholds would give, though no pair was scored for it."""
    events, entities = events_of(people)
    scored = scored_set(PERSON, events, 0.05)
    other = replace(PERSON, match=replace(PERSON.match, link=link, review=min(review, link)))
    whole = resolve(other, events)
    outcome = outcome_at(scored, link, review)
    assert crosswalk_of(dict(outcome.cluster_of)) == crosswalk_of(whole.crosswalk)
    assert len(outcome.questions) == len(whole.review)
    steps = {(each.link, each.review): each for each in sweep(scored, entities, [link], [review])}
    step = steps[link, min(review, link)]
    measured = evaluate({split_ref(ref): name for ref, name in whole.crosswalk.items()}, entities)
    assert (step.precision, step.recall) == (measured.pairwise.precision, measured.pairwise.recall)
    assert step.recall <= step.recall_reviewed <= 1.0
    assert step.matches_asked <= step.questions


@settings(max_examples=8, deadline=None)
@given(people=PEOPLE)
def test_wrong_pairs_are_those_counted_by_hand(people):
    """False, missed and never compared pairs are what a look at each pair gives; so is what a level makes or loses."""
    events, entities = events_of(people)
    scored = scored_set(PERSON, events)
    outcome = own_outcome(scored)
    found = wrong_pairs(scored, outcome, entities)
    false = right = missed = lost = made = blind = 0
    for a, b in combinations(scored.refs, 2):
        same = entities[split_ref(a)] == entities[split_ref(b)]
        left, other = scored.records[a], scored.records[b]
        compared = bool(set(left.keys) & set(other.keys))
        score = score_pair(PERSON, left.match, other.match)
        linked = compared and score is not None and score.link
        explained = explain_pair(PERSON, left.match, other.match)
        name = next(each for each in explained["comparisons"] if each["name"] == "birth_date")
        without = 1 / (1 + 2 ** -(explained["weight"] - name["bits"]))
        false += linked and not same
        right += linked and same
        made += linked and not same and without < PERSON.match.link
        if same and outcome.cluster_of[a] != outcome.cluster_of[b]:
            missed += 1
            blind += not compared
            lost += compared and not linked and without >= PERSON.match.link
    counts = [each for each in found.levels if each.comparison == "birth_date"]
    assert (found.false_links, found.right_links) == (false, right)
    assert (found.missed_pairs, found.not_compared) == (missed, blind)
    assert (sum(each.made for each in counts), sum(each.lost for each in counts)) == (made, lost)
    assert sum(each.false_links for each in counts) == false


def test_a_level_makes_what_it_says_by_value_and_with_another(tmp_path):
    """A false link that a rare name made is made by the name, whatever its level says; so with two together."""
    path = tmp_path / "rules.yaml"
    path.write_text(NAMES_ALONE, "utf-8")
    plain = load_ruleset(path)
    given_name, family = plain.match.comparisons
    rare = tuple(
        replace(level, terms=TermBits(given_name.attributes[0], {"ana": 30.0}, None)) for level in given_name.levels
    )
    bits = tuple(tuple(30.0 for _ in family.levels) for _ in given_name.levels)
    by_value = replace(plain.match, comparisons=(replace(given_name, levels=rare), family))
    together = replace(plain.match, dependences=(Dependence(0, 1, bits),))
    events, entities = events_of([("Ana", "Souza", None, None, "one"), ("Ana", "Lima", None, None, "two")])
    for match, makers in ((by_value, {"given_name"}), (together, {"given_name", "family_name"})):
        scored = scored_set(replace(plain, match=match), events)
        found = wrong_pairs(scored, own_outcome(scored), entities)
        assert found.false_links == 1
        assert {each.comparison for each in found.levels if each.made} == makers


def labelled() -> tuple[ScoredSet, dict[tuple[str, str], str]]:
    """Two people in one cluster, and one in two."""
    people = [
        ("Ana", "Souza", "1980-05-06", "+351211234567", "ana"),
        ("Ana", "Souza", "1980-05-06", "+351211234567", "ana"),
        ("Ana", "Souza", "1980-05-06", "+351211234567", "namesake"),
        ("Rui", "Lima", "1951-01-02", None, "rui"),
        ("Rui", "Costa", None, "+351217654321", "rui"),
    ]
    events, entities = events_of(people)
    return scored_set(PERSON, events), entities


def test_the_worst_clusters_come_first_with_their_records_and_evidence():
    """What is wrongly joined and wrongly parted is shown with a record of each part, and why."""
    scored, entities = labelled()
    joined, parted = worst_groups(scored, own_outcome(scored).clusters(), entities, 5)
    assert (joined.wrong, joined.wrong_pairs, joined.parts) == ("joined", 2, (2, 1))
    assert [record.entity for record in joined.shown] == ["ana", "ana", "namesake"]
    assert "LINK" in joined.reasons[0]
    assert "birth_date [exact] +12.5" in joined.reasons[0]
    assert (parted.wrong, parted.wrong_pairs, parted.parts) == ("parted", 1, (1, 1))
    assert [record.ref for record in parted.shown] == [make_ref("crm", "4"), make_ref("erp", "3")]
    assert "not compared" in parted.reasons[0]
    assert worst_groups(scored, dict(entities), entities, 5) == []


def test_the_page_of_a_sweep_has_a_chart_and_every_step():
    """It needs nothing else, marks the rules' own thresholds, and escapes what it shows."""
    scored, entities = labelled()
    steps = list(sweep(scored, entities, [0.9, 0.99], [0.6]))
    page = sweep_page("<rules>", ["a & b"], steps)
    assert "&lt;rules&gt;" in page
    assert "a &amp; b" in page
    assert page.count("<polyline") == 3
    assert page.count("<tr") == 1 + len(steps) == 7
    assert page.count("class=own") == 1
    assert "<script" not in page
    assert "http" not in page


def test_a_weighted_mean_is_counted_by_tenths(tmp_path):
    """Rules without levels show how similar the wrong pairs are."""
    path = tmp_path / "rules.yaml"
    path.write_text(
        "domain: person\nversion: 1\nattributes: {given_name: {type: name}, family_name: {type: name}}\n"
        "blocking: {keys: {name: family_name}}\n"
        "match: {method: weighted_mean, thresholds: {link: 0.8, review: 0.5}, comparisons: "
        "{given_name: {similarity: jaro_winkler, weight: 1}, family_name: {similarity: exact, weight: 1}}}\n"
    )
    rules = load_ruleset(path)
    events, entities = events_of([("Ana", "Souza", None, None, "a"), ("Anna", "Souza", None, None, "b")])
    scored = scored_set(rules, events)
    found = wrong_pairs(scored, own_outcome(scored), entities)
    at = {(each.comparison, each.level): each.false_links for each in found.levels if each.false_links}
    assert at == {("given_name", "similarity from 0.9"): 1, ("family_name", "similarity from 1.0"): 1}


def test_the_floor_is_a_promise():
    """Pairs below it were not scored, so a threshold there would be answered wrongly."""
    scored, _ = labelled()
    with pytest.raises(ValueError, match="were not scored"):
        outcome_at(scored, 0.4, 0.3)
