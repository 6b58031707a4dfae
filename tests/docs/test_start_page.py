"""The page about starting from a file calls what exists, and its first commands do what it says."""

from __future__ import annotations

import re
import shlex

import click
import pytest
from source_tree import ROOT

from mdm_stream.cli.commands.init import init
from mdm_stream.cli.commands.profile import profile
from mdm_stream.cli.main import run

PAGE = (ROOT / "docs" / "guide" / "start-from-a-file.md").read_text("utf-8")
CALLS = [shlex.split(line) for line in re.findall(r"^mdm-stream (.*)$", PAGE, re.MULTILINE)]
COMMANDS = {"init": init, "profile": profile}


@pytest.mark.parametrize("call", [call for call in CALLS if call[0] in COMMANDS], ids=" ".join)
def test_each_call_is_understood(call):
    """The command takes the options that the page gives it."""
    command = COMMANDS[call[0]]
    with click.Context(command):
        assert command.make_context(call[0], call[1:]).params["files"]


def test_the_first_commands_make_golden_records(tmp_path, monkeypatch):
    """Who types the first three lines of the page has golden records of the example."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    for call in CALLS[:3]:
        assert run(call) == 0
    rows = (ROOT / "examples" / "files" / "kunden.csv").read_text("utf-8").splitlines()
    crosswalk = (tmp_path / "start" / "result" / "crosswalk.csv").read_text("utf-8").splitlines()
    assert len(crosswalk) == len(rows)
    assert len({row.rpartition(",")[2] for row in crosswalk[1:]}) < len(rows) - 1
