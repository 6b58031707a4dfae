"""The page about rules as code: its commands run, its cases pass, and it has every member and option."""

from __future__ import annotations

import re
import shlex
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from rebuild_world import rows_of
from source_tree import ROOT

from mdm_stream.archive import open_archive
from mdm_stream.assess.case_csv import GOLDEN_PREFIX, NEEDED
from mdm_stream.assess.case_run import read_cases, run_cases
from mdm_stream.assess.case_yaml import CASE_MEMBERS
from mdm_stream.cli.commands.rules import rules
from mdm_stream.cli.event_inputs import accepted_events, named_inputs
from mdm_stream.cli.main import run
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.rules import load_ruleset

PAGE = (ROOT / "docs" / "guide" / "rules-as-code.md").read_text("utf-8")
CALLS = [shlex.split(call) for call in re.findall(r"^mdm-stream (.*)$", PAGE, re.MULTILINE)]
CASES = re.findall(r"```(yaml|csv)\n(.*?)```", PAGE, re.DOTALL)


def deliver_people():
    """Archive what the page has made, as a deployment would have, and write the rules that it compares."""
    stricter = "match: {prior: 0.000001, thresholds: {link: 0.97}}\n"
    Path("less.yaml").write_text(Path("people/rules.yaml").read_text() + stricter)
    rules = load_ruleset("people/rules.yaml")
    inputs = named_inputs([str(path) for path in sorted(Path("people").glob("*.jsonl"))], None, (), None, 0)
    events = list(accepted_events(inputs, {rules.domain: rules}, Counter(), ""))
    hour_ago_us = time.time_ns() // 1_000 - 3_600_000_000
    rows = [replace(row, arrival_time_us=hour_ago_us) for row in rows_of(events)]
    open_archive(Path("archive").absolute().as_uri()).append(rules.domain, rows, EpochPosition(1, 1, 1))


def test_every_command_of_the_page_runs(tmp_path, monkeypatch):
    """Who follows the page in order sees each command end well."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    assert len(CALLS) >= 9
    for call in CALLS:
        if "shadow" in call:
            deliver_people()
        if "--check" in call:
            assert run([word for word in call if word != "--check"]) == 0
        assert run(call) == 0, call
    assert (tmp_path / "report.xml").exists()
    assert (tmp_path / "sweep.html").exists()


@pytest.mark.parametrize(("kind", "text"), CASES, ids=[kind for kind, _ in CASES])
def test_the_cases_of_the_page_pass(kind, text, tmp_path):
    """They are cases as they stand."""
    path = tmp_path / f"cases.{kind}"
    path.write_text(text)
    outcomes = list(run_cases(read_cases([path]), "person"))
    assert [outcome.failed for outcome in outcomes] == [()]
    assert len(CASES) == 2


def test_the_page_names_every_member_and_command():
    """Whatever a case may say is explained, and each command has its line."""
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert set(CASE_MEMBERS) == rows
    assert all(f"`{name}`" in PAGE for name in (*NEEDED, "cluster", f"{GOLDEN_PREFIX}ATTRIBUTE"))
    assert {"test", "sweep", "fmt", "shadow"} <= set(rules.commands)
