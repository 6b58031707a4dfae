"""The survivorship section: what ``fills`` ties, and which rules are refused."""

import pytest

from mdm_stream.errors import RulesError
from mdm_stream.rules import check_file, load_ruleset, pack_names

BASE = """\
domain: person
version: 1
attributes:
  given: {type: name}
  family: {type: name}
  whole: {type: full_name, fills: {given: given, family: family}}
  email: {type: email, multi: true}
  aliases: {type: full_name, multi: true}
sources: {crm: {}, web: {}}
blocking:
  keys: {names: given + family}
match:
  comparisons: {}
  exclusive: []
  deterministic:
    names: {when: {given: exact, family: exact}, confidence: 1}
survivorship:
  default: [most_recent]
  rules:
    email: [union]
"""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a rule set and returns its path."""

    def write_file(text):
        path = tmp_path / "rules.yaml"
        path.write_text(text)
        return path

    return write_file


def groups_of(path):
    """Return each rule's attributes by name, and its strategies by name."""
    rules = load_ruleset(path)
    return {
        tuple(rules.attributes[place].name for place in rule.attributes): [s.name for s in rule.strategies]
        for rule in rules.survivorship
    }


def error_of(path):
    """Return the only error of a file, without its folder."""
    with pytest.raises(RulesError) as caught:
        load_ruleset(path)
    (line,) = str(caught.value).split("\n")
    return line.replace(f"{path.parent}/", "")


def test_attributes_tied_by_fills_survive_together_by_default(write):
    """They get the default as a group, in which a part alone stands back, and the whole is built last."""
    together = ("given", "family", "whole")
    assert groups_of(write(BASE))[together] == ["most_complete", "most_recent", "compose"]
    by = groups_of(write(BASE.replace("[most_recent]", "[valid_only, longest]")))
    assert by == {
        together: ["valid_only", "most_complete", "longest", "compose"],
        ("email",): ["union"],
        ("aliases",): ["valid_only", "longest"],
    }


def test_a_rule_of_their_own_is_taken_as_it_is(write):
    """Who groups them decides how they are chosen."""
    rule = "    name: {attributes: [whole, family, given], strategies: [longest]}\n"
    assert groups_of(write(BASE + rule))[("whole", "family", "given")] == ["longest"]


@pytest.mark.parametrize(
    ("rule", "lacks"),
    [
        ("    given: [longest]\n", "rule 'given' lacks family, whole:"),
        ("    whole: [longest]\n", "rule 'whole' lacks given, family:"),
        ("    name: {attributes: [given, family], strategies: [longest]}\n", "rule 'name' lacks whole:"),
    ],
)
def test_rules_that_tear_them_apart_are_refused(write, rule, lacks):
    """The message has the line and the rule to write instead."""
    message = error_of(write(BASE + rule))
    assert message.startswith(f"rules.yaml:21: {lacks}")
    assert message.endswith("expected one rule with attributes: [given, family, whole]; merge them")


def test_each_of_two_rules_that_tear_them_apart_is_named(write):
    """Both lines are told, for either may be the one to change."""
    path = write(BASE + "    given: [longest]\n    n: {attributes: [family, whole], strategies: [longest]}\n")
    assert [(finding.line, finding.severity) for finding in check_file(path)] == [(21, "error"), (22, "error")]


@pytest.mark.parametrize("strategy", ["longest", "{trust: {half_life_days: 90}}"])
@pytest.mark.parametrize("form", ["{}", "{{strategies: {}}}", "{{attributes: email, strategies: {}}}"])
def test_one_strategy_stands_for_a_list_of_one(write, strategy, form):
    """As everywhere in the rules, with options too; it means the same, so the digest is the same."""
    if form == "{}" and strategy != "longest":
        form = "{{strategies: {}}}"

    def digest(written, default):
        text = BASE.replace("email: [union]", f"email: {form.format(written)}")
        return load_ruleset(write(text.replace("[most_recent]", default))).digest

    assert digest(strategy, strategy) == digest(f"[{strategy}]", f"[{strategy}]")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("newest", ":20: unknown strategy 'newest'"),
        ("{strategies: {}}", ":20: survivorship.rules.email.strategies has the wrong type; expected a list"),
        ("{strategies: {longest: {}, newest: {}}}", ":20: a strategy is not a name"),
        ("7", ":20: survivorship.rules.email has the wrong type"),
        ("''", ":20: unknown strategy ''"),
    ],
)
def test_what_is_no_strategy_is_refused_with_its_line(write, written, says):
    """By itself as in a list."""
    with pytest.raises(RulesError) as caught:
        load_ruleset(write(BASE.replace("email: [union]", f"email: {written}")))
    assert says in str(caught.value)


def test_a_union_stands_by_itself(write):
    """It keeps what every record says, so it contradicts none of them; what else is tied stays together."""
    text = BASE.replace("given: {type: name}", "given: {type: name, multi: true}") + "    given: [valid_only, union]\n"
    assert groups_of(write(text))[("family", "whole")] == ["most_complete", "most_recent"]
    text = BASE.replace("fills: {given: given, family: family}", "multi: true, fills: {given: given, family: family}")
    assert groups_of(write(text + "    whole: [union]\n"))[("given", "family")] == ["most_complete", "most_recent"]


def test_two_wholes_of_one_part_are_tied_to_each_other(write):
    """Both fill the family name, so all four survive together."""
    text = BASE.replace("{type: full_name, multi: true}", "{type: full_name, fills: {family: family}}")
    assert ("given", "family", "whole", "aliases") in groups_of(write(text))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("exclusive: []", "exclusive: [given, email]", "rules.yaml:14: 'email' holds several values"),
        (
            "[most_recent]",
            "[{most_complete: {at_least: 0}}]",
            "rules.yaml:18: 'at_least' is not a number of attributes",
        ),
        ("[most_recent]", "[{most_complete: {at_least: 2.5}}]", "rules.yaml:18: 'at_least' is not a number"),
        ("[most_recent]", "[{most_complete: {atleast: 2}}]", "did you mean 'at_least'?"),
        (
            "[most_recent]",
            "[{source_priority: {sources: [crm, web, crm]}}]",
            "rules.yaml:18: a source is listed twice",
        ),
    ],
)
def test_what_has_no_meaning_is_refused_with_its_line(write, old, new, says):
    """An exclusive attribute of several values, a limit that is none, a source in two places."""
    assert old in BASE
    assert says in error_of(write(BASE.replace(old, new)))


@pytest.mark.parametrize("pack", pack_names())
def test_packs_end_in_a_strategy_that_the_newest_wins(pack):
    """Where sources tie within a half-life, age decides before the record key does."""
    for rule in load_ruleset(pack).survivorship:
        names = [strategy.name for strategy in rule.strategies]
        assert names[-1] == "union" or names.index("trust") < names.index("most_recent")


def test_a_filter_after_other_strategies_is_warned_of(write):
    """They may choose an invalid value, of which the filter leaves nothing; in front it chooses among valid ones."""
    late = write(BASE.replace("[most_recent]", "[longest, valid_only]") + "    aliases: [longest, valid_only]\n")
    found = check_file(late)
    assert [(finding.severity, finding.line) for finding in found if "valid_only" in finding.message] == [
        ("warning", 18),
        ("warning", 21),
    ]
    assert not [
        f for f in check_file(write(BASE.replace("[most_recent]", "[valid_only]"))) if "valid_only" in f.message
    ]
