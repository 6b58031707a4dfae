"""What is made once from a rule set."""

from __future__ import annotations

from mdm_stream.core.per_ruleset import RULESETS_MAX, PerRuleset
from mdm_stream.core.ruleset import Match, Ruleset


def ruleset(version: int = 1) -> Ruleset:
    """Return a rule set without rules."""
    match = Match("fellegi_sunter", 0.1, 0.85, 0.5, (), ())
    return Ruleset("person", version, "digest", (), {}, (), 100, 100, match, ())


def test_made_once_for_each_rule_set() -> None:
    """One rule set is compiled once; an equal one is another, and so is one of the same digest."""
    made: list[int] = []
    compiled = PerRuleset(lambda rules: made.append(rules.version) or rules)
    first, second = ruleset(1), ruleset(2)
    assert [compiled(each) for each in (first, second, first)] == [first, second, first]
    assert made == [1, 2]


def test_rule_sets_remembered_are_bounded() -> None:
    """Any number of rule sets get what was made of them, and only a bounded number of them are kept."""
    compiled = PerRuleset(lambda rules: rules.version)
    assert [compiled(ruleset(version)) for version in range(3 * RULESETS_MAX)] == list(range(3 * RULESETS_MAX))
    assert len(compiled._made) <= RULESETS_MAX
