"""Learning a model from records: the same whatever the order, near the truth of what was made, and plain about gaps."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from mdm_stream.core.fold import EMPTY, fold
from mdm_stream.core.model import RecordEvent, VerdictEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.reference import fold_events, resolve_states
from mdm_stream.errors import ConfigurationError
from mdm_stream.rules import load_ruleset
from mdm_stream.rules.learned import Calibration
from mdm_stream.train.gather import PairLimits
from mdm_stream.train.learn import SLOPE_BELIEVED_MIN, in_use, learn

RULES = """domain: person
version: 1
attributes:
  given: {type: name}
  family: {type: name}
  born: {type: date, sensitive: true}
  city: {type: city}
  region: {type: city}
blocking:
  keys: {born: born, names: given + family, family_city: family + city}
match:
  prior: 0.001
  comparisons:
    given:
      terms: given
      levels: [{when: null, bits: 0}, {when: exact, bits: 6}, {when: {jaro_winkler: 0.85}, bits: 3}, {when: else, bits: -3}]
    family:
      terms: family
      levels: [{when: null, bits: 0}, {when: exact, bits: 6}, {when: {jaro_winkler: 0.85}, bits: 3}, {when: else, bits: -3}]
    born:
      terms: born
      levels: [{when: null, bits: 0}, {when: exact, bits: 9}, {when: {damerau_levenshtein: 1}, bits: 3}, {when: else, bits: -4}]
    city:
      levels: [{when: null, bits: 0}, {when: exact, bits: 1}, {when: else, bits: -1}]
    region:
      levels: [{when: null, bits: 0}, {when: exact, bits: 1}, {when: else, bits: -1}]
    household:
      attributes: [family]
      levels: [{when: {given: exact}, bits: 0}, {when: {family: exact, city: exact}, bits: -3}, {when: else, bits: 0}]
"""  # noqa: E501
SYLLABLES = ["ba", "co", "di", "fe", "gu", "ka", "lo", "mi", "ne", "pu", "ra", "so", "ti", "ve", "zu"]
LIMITS = PairLimits(candidates_max=50_000, random_pairs_max=40_000)


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """The rules above."""
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(RULES, "utf-8")
    return load_ruleset(path)


def events(persons: int, seed: int) -> list[RecordEvent]:
    """Two records a person, with slips; a city lies in one region, and most families have few names."""
    randomness = random.Random(seed)

    def word(syllables: int) -> str:
        return "".join(randomness.choices(SYLLABLES, range(15, 0, -1), k=syllables))

    found = []
    for person in range(persons):
        city = randomness.choices("ABCDEF", (30, 20, 20, 10, 10, 10))[0]
        whole = {
            "given": word(2),
            "family": word(2),
            "born": f"19{randomness.randrange(40, 99)}-0{randomness.randrange(1, 9)}-{randomness.randrange(10, 28)}",
            "city": f"city {city * 3}",
            "region": f"region {city * 3}",
        }
        for copy in range(2):
            row = dict(whole)
            if copy and randomness.random() < 0.2:
                row["given"] += "a"
            if copy and randomness.random() < 0.15:
                row["city"] = row["region"] = "elsewhere"
            if randomness.random() < 0.05:
                row["born"] = None
            found.append(RecordEvent("person", "s", f"{person}-{copy}", "upsert", 1, 1, row))
    return found


def records_of(rules, delivered):
    """Return the records of events."""
    return {ref: build_record(rules, ref, state) for ref, state in fold_events(delivered).items()}


@pytest.fixture(scope="module")
def learning(rules):
    """What is learned of 300 persons."""
    return learn(rules, records_of(rules, events(300, 1)), LIMITS)


def test_it_finds_the_matches_that_there_are(learning):
    """About 300 matches are found, and levels of agreement are worth what they are."""
    assert learning.estimate.converged
    assert learning.model.about["matches_in_all"] == pytest.approx(300, rel=0.1)
    given = learning.model.comparisons["given"].levels
    assert given[1].m == pytest.approx(0.8, abs=0.1)
    assert given[1].bits > given[2].bits > 0 > given[3].bits


def test_the_order_of_records_changes_nothing(rules, learning):
    """The same records in any order give the same file, byte for byte."""
    shuffled = events(300, 1)
    random.Random(5).shuffle(shuffled)
    assert learn(rules, records_of(rules, shuffled), LIMITS).model.to_bytes() == learning.model.to_bytes()


def test_what_depends_is_weighed_together(learning):
    """A city tells its region: both together are worth less than the two added up."""
    (found,) = [each for each in learning.model.dependences if set(each.comparisons) == {"city", "region"}]
    assert found.bits[1][1] < -0.5
    assert found.bits[2][2] > 0.5


def test_a_comparison_that_only_takes_back_takes_back_what_others_gain(learning):
    """What has no positive level stays as it was written, less what the comparisons that it is about say more."""
    first, takes_back, last = (level.bits for level in learning.model.comparisons["household"].levels)
    assert (first, last) == (0.0, 0.0)
    assert -9.0 < takes_back <= -3.0


def test_no_value_of_few_records_is_in_the_model(rules, learning):
    """Listed are values that five records have; a sensitive attribute has no table, which is said."""
    assert set(learning.model.terms) == {"given", "family"}
    least = 5 / len(events(300, 1))
    assert all(share >= least * 0.99 for table in learning.model.terms.values() for share in table.values.values())
    assert any("born is sensitive" in warning for warning in learning.warnings)


def test_the_model_makes_the_right_clusters(rules, learning):
    """Scored with it, records of one person come together and hardly any others do."""
    found = resolve_states(in_use(rules, learning.model), fold_events(events(120, 2)))
    persons: dict[str, set[str]] = {}
    for ref, golden in found.crosswalk.items():
        persons.setdefault(golden, set()).add(ref.split("/")[1].split("-")[0])
    mixed = sum(len(each) > 1 for each in persons.values())
    assert len(found.golden) == pytest.approx(120, abs=12)
    assert mixed <= 3


def test_verdicts_calibrate(rules):
    """Stewards who separate what seemed likely lower confidence; weights of levels stay."""
    delivered = events(60, 3)
    states = fold_events(delivered)
    for person in range(25):
        verdict = "separate" if person % 2 else "link"
        event = VerdictEvent("person", f"s/{person}-0", f"s/{person}-1", verdict, 1, 1, "steward")
        for ref in event.refs:
            states[ref] = fold(states.get(ref, EMPTY), event, ref).state
    records = {ref: build_record(rules, ref, state) for ref, state in states.items()}
    plain, calibrated = learn(rules, records, LIMITS), learn(rules, records, LIMITS, by_verdicts=True)
    assert calibrated.model.calibration.slope < 1.0
    assert calibrated.model.comparisons == plain.model.comparisons
    assert calibrated.model.about["verdicts"] == 25


def test_verdicts_that_teach_nothing_are_said(rules):
    """Those of one kind, those on records that are not there, and those that go against the evidence."""
    states = fold_events(events(60, 3))

    def said(pairs, verdict):
        held = dict(states)
        for number, pair in enumerate(pairs):
            event = VerdictEvent("person", *sorted(pair), verdict(number), 1, 1, "steward")
            for ref in event.refs:
                held[ref] = fold(held.get(ref, EMPTY), event, ref).state
        records = {ref: build_record(rules, ref, state) for ref, state in held.items()}
        found = learn(rules, records, LIMITS, by_verdicts=True)
        return found.model.calibration, " ".join(found.warnings)

    own = [(f"s/{person}-0", f"s/{person}-1") for person in range(30)]
    others = [(f"s/{person}-0", f"s/{person + 1}-1") for person in range(30)]
    calibration, told = said(own, lambda _: "link")
    assert calibration == Calibration()
    assert "30 verdicts, 30 of them LINK: confidence is not calibrated" in told
    calibration, told = said([(a, f"s/x{b[2:]}") for a, b in own], lambda number: ("link", "separate")[number % 2])
    assert calibration == Calibration()
    assert "30 verdicts are on records that are not among those given" in told
    calibration, told = said(own + others, lambda number: "separate" if number < 30 else "link")
    assert "hardly follow the evidence" in told
    assert calibration.slope < SLOPE_BELIEVED_MIN
    calibration, told = said(own + others, lambda number: "link" if number < 30 else "separate")
    assert "verdicts" not in told
    assert calibration.slope > 0.8


def test_too_little_is_said(rules):
    """Few matches, few verdicts, no records: each is said, and none is silent."""
    few = learn(rules, records_of(rules, events(5, 4)), LIMITS, by_verdicts=True)
    assert any("stay near those that were written" in warning for warning in few.warnings)
    assert any("confidence is not calibrated" in warning for warning in few.warnings)
    with pytest.raises(ConfigurationError, match="no two records"):
        learn(rules, {}, LIMITS)


def test_two_records_say_nothing_about_the_prior(rules):
    """One pair of strangers leaves the prior as it was written, not at what half a match among one pair would be."""
    strangers = [each for each in events(3, 3) if each.record_id in {"0-0", "2-0"}]
    found = learn(rules, records_of(rules, strangers), LIMITS)
    assert found.evidence.candidates.pairs == 0
    assert found.model.prior == pytest.approx(rules.match.prior, rel=0.6)


def test_a_level_that_its_author_wrote_against_a_match_is_no_surprise(rules):
    """Agreement that speaks against a match is said where it was learned, not where the rules say so themselves."""
    household = [each for each in rules.match.comparisons if each.name == "household"]
    assert min(level.bits for level in household[0].levels) < 0
    (given,) = [each for each in rules.match.comparisons if each.name == "given"]
    against = replace(given, name="another", levels=tuple(replace(each, bits=-abs(each.bits)) for each in given.levels))
    changed = replace(rules, match=replace(rules.match, comparisons=(*rules.match.comparisons, against)))
    found = learn(changed, records_of(rules, events(2, 3)[::2]), LIMITS)
    assert not [each for each in found.warnings if "speaks against" in each]
