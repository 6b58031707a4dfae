"""docs/reference/rules.md has every name that rules may use, and errors list them whole."""

from __future__ import annotations

import re

import pytest
from rules_reference import PAGE, main
from source_tree import ROOT

from mdm_stream.core.blocking.functions import KEY_FUNCTIONS
from mdm_stream.core.cluster.survive import STRATEGY_NAMES
from mdm_stream.core.match.compare import PREDICATE_KINDS
from mdm_stream.core.standardise import TYPE_OPTIONS
from mdm_stream.errors import RulesError
from mdm_stream.rules import load_ruleset, reference_examples, reference_page
from mdm_stream.rules.tree import plain, read_tree


def test_the_page_is_what_the_code_says():
    """`make rules-reference` would change nothing."""
    assert main(["--check"]) == 0


def test_an_example_that_is_missing_or_of_nothing_is_an_error(monkeypatch):
    """A new name of a registry asks for its example before the page can be made."""
    types = {name: told for name, told in reference_examples.TYPES.items() if name != "date"}
    monkeypatch.setattr(reference_page, "TYPES", types)
    with pytest.raises(ValueError, match=r"\['date'\]"):
        reference_page.reference_page()


def test_the_page_is_checked_by_the_script(monkeypatch, tmp_path, capsys):
    """`--check` ends with 1 where the page says something else, and writes nothing."""
    other = tmp_path / "rules.md"
    other.write_text("old")
    monkeypatch.setattr("rules_reference.PAGE", other)
    assert main(["--check"]) == 1
    assert "make rules-reference" in capsys.readouterr().out
    assert other.read_text() == "old"
    assert main([]) == 0
    assert other.read_text() == PAGE.read_text("utf-8")


def test_the_examples_of_strategies_load(tmp_path):
    """Each example of a strategy is a rule as it stands, and so is that of the types."""
    for name, (_, rule) in reference_examples.STRATEGIES.items():
        path = tmp_path / f"{name}.yaml"
        sources = "sources: {crm: {}, erp: {}}"
        ruled = f"name: {rule}" if name == "compose" else f"email: {rule}"
        path.write_text(f"extends: person\nversion: 1\n{sources}\nsurvivorship: {{rules: {{{ruled}}}}}\n")
        assert load_ruleset(path).survivorship
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    path = tmp_path / "types.yaml"
    path.write_text(f"extends: person\nversion: 1\n{block}")
    assert plain(read_tree(path, "types.yaml"))["attributes"]["birth_date"]["options"] == {"day_first": True}
    assert load_ruleset(path).index_of("full_name") >= 0


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("attributes: {x: {type: nothing}}", list(TYPE_OPTIONS)),
        ("match: {comparisons: {email: {levels: [{when: nothing, bits: 1}]}}}", list(PREDICATE_KINDS)),
        ("survivorship: {default: nothing}", list(STRATEGY_NAMES)),
        ("blocking: {keys: {x: nothing(email)}}", list(KEY_FUNCTIONS)),
        ("sources: {s: {format: nothing}}", ["canonical", "debezium", "csv"]),
        ("attributes: {phone: {options: {region: nothing}}}", ["DE", "GB", "ZW"]),
        ("blocking: {keys: {x: nothing}}", [each.name for each in load_ruleset("person").attributes]),
    ],
)
def test_an_error_lists_every_name_that_was_expected(text, names, tmp_path):
    """Who mistypes a name sees all that it could have been."""
    path = tmp_path / "rules.yaml"
    path.write_text(f"extends: person\nversion: 1\n{text}\n")
    with pytest.raises(RulesError) as caught:
        load_ruleset(path)
    said = re.findall(r"\w+", str(caught.value))
    assert [name for name in names if name not in said] == []


def test_the_guide_links_the_page():
    """Who reads about rules finds every name."""
    assert "../reference/rules.md" in (ROOT / "docs" / "guide" / "rules.md").read_text("utf-8")
