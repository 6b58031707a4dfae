"""The page about the first load: its commands are understood, and what it names is there."""

from __future__ import annotations

import re
import shlex

import click
import pytest
from source_tree import ROOT

from mdm_stream.cli.commands.bootstrap import bootstrap
from mdm_stream.cli.commands.hold import release
from mdm_stream.cli.commands.loads import files
from mdm_stream.cli.commands.rebuild import rebuild

PAGE = (ROOT / "docs" / "operate" / "bootstrap.md").read_text("utf-8")
CALLS = re.findall(r"^mdm-stream (.*)$", PAGE, re.MULTILINE)
INLINE = re.findall(r"`mdm-stream ((?:release|rebuild)[^`]*)`", PAGE)
COMMANDS = {"bootstrap": bootstrap, "release": release, "rebuild": rebuild}


@pytest.mark.parametrize("call", [*CALLS, *INLINE])
def test_each_call_is_understood(call: str) -> None:
    """What they do is a matter of tests/end_to_end and tests/reconcile."""
    name, *arguments = shlex.split(call)
    if name == "files":
        command, *arguments = arguments
        with click.Context(files):
            assert files.commands[command].make_context(command, arguments).params
        return
    with click.Context(COMMANDS[name]):
        assert COMMANDS[name].make_context(name, arguments).params
    assert len(CALLS) > 1
