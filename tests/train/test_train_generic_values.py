"""What too many records share is no evidence: not in what is learned, not in what is shown, and not in what is counted.

The engine leaves such a value out of a pair that shares it. Whatever says how rules decide has to do the same.
"""

from __future__ import annotations

import pytest

from mdm_stream.assess.labelled import own_outcome, scored_set
from mdm_stream.assess.pair_evidence import pair_evidence
from mdm_stream.assess.worst import worst_groups
from mdm_stream.core.blocking.generic_values import generic_by_record
from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.reference import fold_events, resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.rules import load_ruleset
from mdm_stream.steward.decided_alike import decided_alike
from mdm_stream.train.effect import effect_of
from mdm_stream.train.gather import candidates_of, gather
from mdm_stream.train.learn import VERDICTS_MIN, learn, with_verdicts

RULES = """domain: person
version: 1
attributes: {given: {type: name}, phone: {type: phone}}
blocking: {max_block_size: 3, keys: {given: given, phone: phone}}
match:
  prior: 0.001
  thresholds: {link: 0.9, review: 0.5}
  comparisons:
    given: {levels: [{when: null, bits: 0}, {when: exact, bits: 7}, {when: else, bits: -4}]}
    phone: {levels: [{when: null, bits: 0}, {when: exact, bits: 9}, {when: else, bits: -1}]}
"""
NAMES = ("Ana", "Rui", "Zoe")
SWITCHBOARD = "+351211234567"


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """A given name and a phone are a link (6 bits above the prior of -10); a given name alone is none."""
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(RULES, "utf-8")
    return load_ruleset(path)


def people(names=NAMES, phone=SWITCHBOARD):
    """Two records of each name, all with one phone."""
    return [
        RecordEvent("person", source, name, "upsert", 1, 0, {"given": name, "phone": phone})
        for name in names
        for source in ("crm", "erp")
    ]


def records_of(rules, delivered, verdicts=()):
    """Return the records of events and verdicts, by reference."""
    states = fold_events(delivered)
    for event in verdicts:
        for ref in event.refs:
            states[ref] = fold(states.get(ref, EMPTY), event, ref).state
    return {ref: build_record(rules, ref, state) for ref, state in states.items()}


def separated(name):
    """A verdict on the two records of a name."""
    return VerdictEvent("person", f"crm/{name}", f"erp/{name}", "separate", 1, 0, "steward")


def test_it_is_learned_as_missing(rules):
    """Of six who share a phone, no pair agrees on it, among candidates or at random; of two who share one, the pair."""
    evidence = gather(rules, records_of(rules, people()))
    for vectors in (evidence.candidates, evidence.random):
        assert set(vectors.levels[:, 1].tolist()) == {0}
    few = gather(rules, records_of(rules, people(["Ana"])))
    assert few.candidates.levels[:, 1].tolist() == [1]


def test_effects_are_those_of_the_engine(rules):
    """What is counted before a change is what F makes of the records, and verdicts are held against the same."""
    delivered = people()
    assert len(set(resolve(rules, delivered).crosswalk.values())) == len(delivered)
    records = records_of(rules, delivered)
    found = effect_of(rules, rules, records, candidates_of(rules, records))
    assert found.before == {"link": 0, "question": 0, "apart": len(NAMES)}
    decided = records_of(rules, delivered, [separated("Ana")])
    (verdict,) = effect_of(rules, rules, decided, candidates_of(rules, decided)).verdicts
    assert (verdict.pairs, verdict.agree_before, verdict.agree_after) == (1, 1, 1)


def test_verdicts_are_held_against_what_is_compared(rules):
    """The rules decide as stewards did where only a switchboard spoke against these."""
    names = [f"{first}{last}" for first in ("ba", "co", "di", "fe", "gu") for last in ("lo", "mi", "ne", "ra", "so")]
    assert len(names) > VERDICTS_MIN
    link = VerdictEvent("person", "crm/balo", "erp/balo", "link", 2, 0, "steward")
    records = records_of(rules, people(names), [*map(separated, names), link])
    model, said = with_verdicts(rules, learn(rules, records).model, records)
    assert said == []
    assert (model.about["verdicts"], model.about["verdicts_against_written"]) == (len(names), 1)


def test_evidence_on_wrong_pairs_leaves_it_out(rules):
    """`evaluate --worst` and `rules test` do not say that a switchboard speaks for a pair."""
    delivered = people()
    records = records_of(rules, delivered)
    pair = records["crm/Ana"], records["erp/Ana"]
    confidence, said = pair_evidence(rules, *pair, generic_by_record(rules, {k: v.keys for k, v in records.items()}))
    assert confidence < 0.5
    assert "NO_LINK" in said
    assert "phone" not in said
    assert "phone" in pair_evidence(rules, *pair, {})[1]
    scored = scored_set(rules, delivered)
    truth = {(source, name): name for name in NAMES for source in ("crm", "erp")}
    groups = worst_groups(scored, own_outcome(scored).clusters(), truth, 3)
    reasons = [reason for group in groups for reason in group.reasons]
    assert reasons
    assert not any("phone" in reason for reason in reasons)


def test_what_was_decided_alike_leaves_it_out(rules):
    """A pair that would be no question without the switchboard is like none that is open."""
    for delivered, patterns in ((people(), 0), (people(["Ana"]), 1)):
        index = MemoryIndex(rules)
        engine = Engine(rules, index, sleep=lambda _: None)
        assert not engine.process([*delivered, separated("Ana")]).failed
        engine.drain()
        assert len(decided_alike(index, rules)) == patterns
