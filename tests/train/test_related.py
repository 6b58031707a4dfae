"""What households and the like take back: as much as the records show such things, and all of it where they say little.

Simulated records of people who live alone or with others. ``home`` is shared by those who live together; the kept
comparison takes back a family name and a home that two of one home share, whose given names differ.
"""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm_stream.core.model import RecordEvent
from mdm_stream.core.record import build_record
from mdm_stream.core.reference import fold_events
from mdm_stream.rules import load_ruleset
from mdm_stream.train.gather import PairLimits
from mdm_stream.train.learn import Learning, learn
from mdm_stream.train.related import rate_bits

WRITTEN = -8.0
RULES = f"""domain: person
version: 1
attributes:
  given: {{type: name}}
  family: {{type: name}}
  born: {{type: date}}
  home: {{type: text}}
  number: {{type: identifier}}
blocking:
  keys: {{home: home, born: born, names: given + family, number: number}}
match:
  prior: 0.001
  comparisons:
    given:
      levels: [{{when: null, bits: 0}}, {{when: exact, bits: 6}}, {{when: else, bits: -5}}]
    family:
      levels: [{{when: null, bits: 0}}, {{when: exact, bits: 7}}, {{when: else, bits: -4}}]
    born:
      levels: [{{when: null, bits: 0}}, {{when: exact, bits: 12}}, {{when: else, bits: -5}}]
    home:
      levels: [{{when: null, bits: 0}}, {{when: exact, bits: 8}}, {{when: else, bits: -2}}]
    number:
      levels: [{{when: null, bits: 0}}, {{when: exact, bits: 16}}, {{when: else, bits: -5}}]
    same_home:
      attributes: [given]
      levels: [{{when: exact, bits: 0}}, {{when: {{family: exact, home: exact}}, bits: {WRITTEN}}}, {{when: else, bits: 0}}]
    same_home_born:
      attributes: [given]
      levels: [{{when: exact, bits: 0}}, {{when: {{family: exact, home: exact, born: exact}}, bits: -8}}, {{when: else, bits: 0}}]
"""  # noqa: E501
SYLLABLES = ["ba", "co", "di", "fe", "gu", "ka", "lo", "mi", "ne", "pu", "ra", "so"]
HOME, BORN = "same_home", "same_home_born"
LIMITS = PairLimits(candidates_max=50_000, random_pairs_max=60_000)
OTHER_GIVEN = 0.06
"""Part of the second records of a person that have another given name altogether."""


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """The rules above."""
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(RULES, "utf-8")
    return load_ruleset(path)


def people(homes: int, size: int, twins: float, seed: int) -> list[RecordEvent]:
    """Two records of each person of some homes of one size; of some, the last two were born on one day."""
    randomness = random.Random(seed)

    def word() -> str:
        return "".join(randomness.choices(SYLLABLES, k=3))

    def day() -> str:
        return f"19{randomness.randrange(30, 99)}-{randomness.randrange(1, 13):02d}-{randomness.randrange(1, 29):02d}"

    found: list[RecordEvent] = []
    for home in range(homes):
        family, days = word(), [day() for _ in range(size)]
        if size > 1 and randomness.random() < twins:
            days[-1] = days[-2]
        for member, born in enumerate(days):
            name, number = word(), f"{randomness.randrange(10**9):09d}"
            for copy in range(2):
                row: dict[str, str | None] = {"given": name, "family": family, "born": born, "home": f"street {home}"}
                row["number"] = number if randomness.random() < 0.7 else None
                if copy and randomness.random() < OTHER_GIVEN:
                    row["given"] = word()
                if copy and randomness.random() < 0.1:
                    row["home"] = f"street {word()}"
                if copy and randomness.random() < 0.05:
                    row["born"] = day()
                found.append(RecordEvent("person", "s", f"{home}-{member}-{copy}", "upsert", 1, 1, row))
    return found


def learned(rules, events: list[RecordEvent]) -> Learning:
    """What is learned of events."""
    records = {ref: build_record(rules, ref, state) for ref, state in fold_events(events).items()}
    return learn(rules, records, LIMITS)


def back(learning: Learning, name: str) -> float:
    """The bits of the level that takes back."""
    return min(level.bits for level in learning.model.comparisons[name].levels)


def gained(learning: Learning) -> float:
    """What a shared home and family name say more than was written."""
    home, family = (learning.model.comparisons[name].levels[1].bits for name in ("home", "family"))
    return max(0.0, home - 8.0) + max(0.0, family - 7.0)


def test_where_nobody_lives_together_little_more_is_taken_back_than_was_written(rules):
    """Hundreds of pairs of one home are claimed, and none is seen that is no match: gains of agreements stay gained."""
    found = learned(rules, people(homes=500, size=1, twins=0.0, seed=1))
    assert gained(found) > 3.0
    assert WRITTEN - back(found, HOME) < 0.35 * gained(found)


def test_where_people_live_together_so_much_is_taken_back_as_chance_does_not_explain(rules):
    """All of a home bear one name: of two of one home that says as much as a name says of strangers, and is taken back.

    More than was written, and less than agreements gained.
    """
    found = learned(rules, people(homes=500, size=3, twins=0.0, seed=2))
    by_chance = found.model.comparisons["family"].levels[1].u
    assert WRITTEN - gained(found) < back(found, HOME) < WRITTEN
    assert back(found, HOME) == pytest.approx(math.log2(by_chance), abs=0.4)


def test_few_records_say_too_little_to_take_back_less(rules):
    """Of thirty who live alone hardly anything follows for others: half of what agreements gain is taken back."""
    few = learned(rules, people(homes=30, size=1, twins=0.0, seed=3))
    assert gained(few) > 3.0
    assert WRITTEN - back(few, HOME) > 0.45 * gained(few)


@given(st.floats(0, 1e6), st.floats(1e-6, 1e9))
def test_the_rate_lies_between_what_is_seen_and_what_is_claimed(seen: float, claimed: float):
    """As many as claimed, or more, change nothing; fewer do the more, the more were claimed, up to what was seen."""
    bits = rate_bits(seen, claimed)
    if seen >= claimed:
        assert bits == pytest.approx(0.0, abs=1e-6)
    else:
        assert max(-60.0, math.log2(max(seen, 1e-300) / claimed)) <= bits + 1e-6 <= 2e-6
    assert rate_bits(seen, claimed * 2) <= bits + 1e-6


def test_what_is_many_is_measured_and_what_is_few_is_believed():
    """Of thousands seen the rate is theirs; where none of one is seen, little less is claimed."""
    assert rate_bits(1_000, 8_000) == pytest.approx(-3.0, abs=0.01)
    assert rate_bits(0, 1) == pytest.approx(-1.9, abs=0.2)
    assert rate_bits(0, 0.01) == pytest.approx(0.0, abs=0.1)
    assert rate_bits(3, float("nan")) == 0.0


@pytest.mark.parametrize("twins", [0.3, 0.0])
def test_twins_stay_two_where_families_are(rules, twins):
    """Two of one home, family name and birth date whose given names differ are no link, without a number to tell."""
    found = learned(rules, people(homes=150, size=3, twins=twins, seed=4))
    levels = {name: each.levels for name, each in found.model.comparisons.items()}
    agreeing = sum(levels[name][1].bits for name in ("family", "born", "home"))
    said = math.log2(found.model.prior) + agreeing + levels["given"][2].bits + back(found, HOME) + back(found, BORN)
    assert said < 0.0


def test_what_one_comparison_takes_back_no_other_does(rules):
    """The gain of a home is taken back once, though two comparisons are about it."""
    found = learned(rules, people(homes=150, size=4, twins=0.3, seed=5))
    born = found.model.comparisons["born"].levels[1].bits
    assert back(found, BORN) >= -8.0 - max(0.0, born - 12.0) - 0.01
