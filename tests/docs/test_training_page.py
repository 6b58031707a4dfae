"""docs/guide/training.md: its commands are understood, its warnings are those that are given, its limits the code's."""

from __future__ import annotations

import inspect
import re
import shlex

import click
import pytest
from source_tree import ROOT

from mdm_stream.cli.commands.rules import rules
from mdm_stream.train import learn, terms

PAGE = (ROOT / "docs" / "guide" / "training.md").read_text("utf-8")
CALLS = re.findall(r"^mdm-stream (rules .+)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("call", CALLS)
def test_each_command_is_understood(call):
    """Every option and argument on the page is one that the command takes."""
    _, name, *arguments = shlex.split(call)
    command = rules.commands[name]
    with click.Context(command):
        assert command.make_context(name, list(arguments)).params


def test_every_warning_is_explained():
    """What the page calls a warning is in the text of one."""
    said = inspect.getsource(learn)
    for phrase in ("every blocking key reads what it compares", "are found by keys that do not read what it compares",
                   "speaks against a match", "the estimates still moved"):  # fmt: skip
        assert phrase in said
        assert phrase in PAGE


def test_numbers_on_the_page_are_those_of_the_code():
    """How many records list a value, and how many verdicts calibrate."""
    words = {5: "five"}
    assert f"fewer than {words[terms.TERM_RECORDS_MIN]} records" in PAGE
    assert f"It takes {learn.VERDICTS_MIN} of them" in PAGE
