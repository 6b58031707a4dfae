"""The page about changing rules: its commands run, and answer what it says."""

from __future__ import annotations

import re
import shlex

import click
import pytest
from source_tree import ROOT

from mdm_stream.cli.commands.rules import rules
from mdm_stream.cli.commands.rules_diff import diff
from mdm_stream.cli.main import run
from mdm_stream.reconcile.impact import CLUSTER_KINDS, OTHERS_SHOWN, SAMPLES

PAGE = (ROOT / "docs" / "operate" / "rules-change.md").read_text("utf-8")
CALLS = re.findall(r"^mdm-stream (.*)$", PAGE, re.MULTILINE)
DIFFS = [call.removeprefix("rules diff ") for call in CALLS if call.startswith("rules diff ")]
(ADDED,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
(ANSWERED,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_answers_what_the_page_says(tmp_path, monkeypatch, capsys):
    """Line by line: who follows the page sees the page's figures."""
    monkeypatch.chdir(tmp_path)
    generate, on_files = (shlex.split(call) for call in CALLS[:2])
    assert run(generate) == 0
    (tmp_path / "stricter.yaml").write_text((tmp_path / "people" / "rules.yaml").read_text() + ADDED)
    capsys.readouterr()
    assert run(on_files) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in ANSWERED.splitlines() if line not in printed] == []
    assert len(ANSWERED.splitlines()) > 2


@pytest.mark.parametrize("call", DIFFS)
def test_each_call_is_understood(call):
    """Spark is not started: what it finds is a matter of tests/reconcile."""
    with click.Context(diff):
        parsed = diff.make_context("diff", shlex.split(call))
    assert parsed.params["on"]
    assert len(DIFFS) > 2


def test_the_page_has_every_kind_and_limit():
    """What a report can say is explained."""
    for kind in CLUSTER_KINDS:
        assert re.search(rf"^\| [^|]*`{kind}`", PAGE, re.MULTILINE), kind
    assert f"in JSON and page ({SAMPLES});" in PAGE
    assert f"names at most {OTHERS_SHOWN} ids" in PAGE


OTHERS = [shlex.split(call) for call in CALLS if re.match(r"rules (?!diff)", call)]


@pytest.mark.parametrize("call", OTHERS, ids=" ".join)
def test_each_call_of_the_switch_is_understood(call):
    """What they do is a matter of tests/end_to_end/test_rules_deploy.py."""
    command = rules.commands[call[1]]
    with click.Context(command):
        assert command.make_context(call[1], call[2:]).params
    assert {each[1] for each in OTHERS} == {"deploy", "rollback", "accept"}
