"""What a model would change: counted pair by pair, with examples, and apart from what stewards have decided."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.reference import fold_events
from mdm_stream.rules import load_ruleset
from mdm_stream.rules.learned import Calibration
from mdm_stream.train.effect import STANDINGS, effect_of
from mdm_stream.train.gather import PairLimits, candidates_of
from mdm_stream.train.learn import VERDICTS_MIN, in_use, learn, with_verdicts

RULES = """domain: person
version: 1
attributes: {given: {type: name}, family: {type: name}, email: {type: email}}
blocking: {keys: {family: family, email: email}}
match:
  prior: 0.001
  thresholds: {link: 0.9, review: 0.2}
  deterministic:
    same_email: {when: {email: exact}}
  comparisons:
    given: {levels: [{when: null, bits: 0}, {when: exact, bits: 7.5}, {when: else, bits: -4}]}
    family: {levels: [{when: null, bits: 0}, {when: exact, bits: 7.5}, {when: else, bits: -4}]}
"""
PERSONS = 40
LIMITS = PairLimits(candidates_max=10_000, random_pairs_max=5_000)


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """A pair that agrees in both names is a link: 15 bits of the 13.1 that it takes."""
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(RULES, "utf-8")
    return load_ruleset(path)


def letters(number: int) -> str:
    """A name of its own for each number."""
    return "".join("bcdfgklmnp"[int(digit)] + "a" for digit in f"{number:03d}")


def records_with(rules, verdicts):
    """Two records of each of some persons, under verdicts by person."""
    events = [
        RecordEvent("person", "s", f"{person}-{copy}", "upsert", 1, 1,
                    {"given": letters(person), "family": letters(500 + person)})
        for person in range(PERSONS) for copy in range(2)
    ]  # fmt: skip
    states = fold_events(events)
    for person, verdict in verdicts.items():
        event = VerdictEvent("person", f"s/{person}-0", f"s/{person}-1", verdict, 1, 1, "steward")
        for ref in event.refs:
            states[ref] = fold(states.get(ref, EMPTY), event, ref).state
    return {ref: build_record(rules, ref, state) for ref, state in states.items()}


def higher(rules, link):
    """The same rules with another threshold."""
    return replace(rules, match=replace(rules.match, link=link))


def test_links_that_fall_below_are_counted_with_examples(rules):
    """Every pair is of one standing on either side, and a change is of as many as it says."""
    records = records_with(rules, {})
    found = effect_of(rules, higher(rules, 0.99), records, candidates_of(rules, records), examples=3)
    assert found.before == {"link": PERSONS, "question": 0, "apart": 0}
    assert found.after == {"link": 0, "question": PERSONS, "apart": 0}
    (change,) = found.changes
    assert (change.before, change.after, change.pairs, len(change.examples)) == ("link", "question", PERSONS, 3)
    example = change.examples[0]
    assert (example.a, example.b) == ("s/0-0", "s/0-1")
    assert example.bits_before == example.bits_after == pytest.approx(5.03, abs=0.01)
    back = effect_of(higher(rules, 0.99), rules, records, candidates_of(rules, records))
    assert [(each.before, each.after, each.pairs) for each in back.changes] == [("question", "link", PERSONS)]


def test_pairs_under_a_verdict_are_not_questions(rules):
    """They are counted by whether the rules say what stewards did; those that differ are shown."""
    records = records_with(rules, {0: "link", 1: "separate", 2: "none"})
    found = effect_of(rules, higher(rules, 0.99), records, candidates_of(rules, records))
    assert found.pairs == PERSONS - 2
    link, separate = found.verdicts
    assert (link.verdict, link.pairs, link.agree_before, link.agree_after) == ("link", 1, 1, 0)
    assert (separate.verdict, separate.pairs, separate.agree_before, separate.agree_after) == ("separate", 1, 0, 1)
    assert [example.a for example in link.examples] == ["s/0-0"]
    assert separate.examples == ()


def test_verdicts_against_the_model_change_what_is_open(rules):
    """Stewards who separate most of what was linked make links fall; nothing changes that no verdict speaks of."""
    verdicts = {person: "separate" if person % 6 else "link" for person in range(VERDICTS_MIN + 4)}
    records = records_with(rules, verdicts)
    learned = learn(rules, records, LIMITS, by_verdicts=True)
    plain = in_use(rules, learned.model.model_copy(update={"calibration": Calibration()}))
    candidates = candidates_of(rules, records)
    found = effect_of(plain, in_use(rules, learned.model), records, candidates)
    assert found.before["link"] == PERSONS - len(verdicts)
    assert found.after["link"] == 0
    assert {(each.before, each.after) for each in found.changes} <= {("link", "question"), ("link", "apart")}
    separate = next(each for each in found.verdicts if each.verdict == "separate")
    assert (separate.agree_before, separate.agree_after) == (0, separate.pairs)
    assert sum(found.after[standing] for standing in STANDINGS) == found.pairs
    shuffled = dict(reversed(records.items()))
    assert effect_of(plain, in_use(rules, learned.model), shuffled, candidates_of(rules, shuffled)) == found


def test_what_a_rule_decides_calibrates_nothing(rules):
    """A verdict on a pair that a deterministic rule links says nothing about the weight of evidence."""
    verdicts = {person: "separate" if person % 2 else "link" for person in range(VERDICTS_MIN)}
    records = records_with(rules, verdicts)
    model = learn(rules, records, LIMITS).model
    before, _ = with_verdicts(rules, model, records)
    for number in (900, 901):
        said = {"given": letters(number), "family": letters(number), "email": "ada@mail.example"}
        (state,) = fold_events([RecordEvent("person", "s", str(number), "upsert", 1, 1, said)]).values()
        event = VerdictEvent("person", "s/900", "s/901", "separate", 1, 1, "steward")
        records[f"s/{number}"] = build_record(rules, f"s/{number}", fold(state, event, f"s/{number}").state)
    after, _ = with_verdicts(rules, model, records)
    assert after.about["verdicts"] == VERDICTS_MIN + 1
    assert after.calibration == before.calibration != Calibration()
