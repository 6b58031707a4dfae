"""The reference of survivorship: its examples give what they say, and its table has every strategy."""

from __future__ import annotations

import json
import re

import pytest
from source_tree import ROOT
from survive_world import golden

from mdm_stream.core.cluster.survive import STRATEGY_NAMES
from mdm_stream.rules import load_ruleset
from mdm_stream.rules.compile_survivorship import STRATEGY_OPTIONS
from mdm_stream.rules.tree import plain, read_tree

PAGE = (ROOT / "docs" / "reference" / "survivorship.md").read_text("utf-8")
EXAMPLES = [block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "records:" in block]
SOURCES = {"crm": {"trust": 0.8}, "erp": {"trust": 0.8}, "web": {"trust": 0.4}}


def rules_of(example, folder):
    """Return an example's rules, loaded as any rule set is."""
    names = list(example["attributes"])
    rules = {
        "domain": "thing",
        "version": 1,
        "attributes": example["attributes"],
        "sources": SOURCES,
        "blocking": {"keys": {"any": names[0]}},
        "match": {"comparisons": {}, "deterministic": {"same": {"when": {names[0]: "exact"}, "confidence": 1}}},
        "survivorship": {"rules": {"together": {"attributes": names, "strategies": example["rule"]}}},
    }
    path = folder / "rules.yaml"
    path.write_text(json.dumps(rules))
    return load_ruleset(path)


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_gives_the_golden_record_that_it_shows(text, tmp_path):
    """The records of an example, under its rule, have its golden record."""
    (tmp_path / "example.yaml").write_text(text)
    example = plain(read_tree(tmp_path / "example.yaml", "example.yaml"))
    members = {
        ref: (columns["day"], {name: value for name, value in columns.items() if name != "day"})
        for ref, columns in example["records"].items()
    }
    shown = golden(rules_of(example, tmp_path), members)
    assert json.loads(json.dumps(shown)) == json.loads(json.dumps(example["golden"]))


def test_the_page_has_a_row_for_every_strategy_and_names_every_option():
    """Whatever a rule set may say is explained."""
    rows = {name for row in re.findall(r"^\| (`[^|]*`) \|", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert set(STRATEGY_NAMES) <= rows
    for options in STRATEGY_OPTIONS.values():
        assert all(f"`{option}`" in PAGE for option in options)
    assert len(EXAMPLES) >= 10
