"""The page about traces calls what exists, and tells of every step and option. tests/cli runs its calls."""

from __future__ import annotations

import re
import shlex
from typing import get_args

import pytest
from source_tree import ROOT

from mdm_stream.cli.commands.trace import trace
from mdm_stream.trace.stores import JOURNEYS_MAX
from mdm_stream.trace.timeline import Stage

PAGE = (ROOT / "docs" / "operate" / "trace.md").read_text("utf-8")
CALLS = re.findall(r"^mdm-stream trace (.*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("call", CALLS)
def test_each_call_is_understood(call: str) -> None:
    """With its comment and all."""
    assert trace.make_context("trace", shlex.split(call, comments=True)).params["name"]
    assert len(CALLS) > 5


def test_every_step_is_explained() -> None:
    """A reader of the output finds each word of its first column."""
    steps = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert steps == set(get_args(Stage)) - {"cause"}


def test_the_default_is_that_of_the_command() -> None:
    """The newest ten, in words on the page."""
    (last,) = (option for option in trace.params if option.name == "last")
    assert last.default == JOURNEYS_MAX == 10
    assert "the newest ten" in PAGE
