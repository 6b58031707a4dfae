"""What docs/operate/upgrading.md shows is what the commands take, and what they say."""

from __future__ import annotations

import re

import click
import pytest
from source_tree import ROOT

from mdm_stream.cli.main import cli
from mdm_stream.core.f_version import f_digest, f_identity, mismatch
from mdm_stream.rebuild.run import RebuildReport
from mdm_stream.warehouse.migrations import load_migrations

PAGE = (ROOT / "docs" / "operate" / "upgrading.md").read_text("utf-8")
LINE = " ".join(PAGE.split())
COMMANDS = sorted(set(re.findall(r"mdm-stream ([a-z]+(?: check)?)([^`\n#]*)", PAGE)))


@pytest.mark.parametrize(("name", "rest"), COMMANDS)
def test_the_commands_exist_with_the_options_shown(name: str, rest: str) -> None:
    """Every command of the page is one that the program takes, with the options that the page gives it."""
    command: click.Command | None = cli
    for part in name.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(cli), part)
    assert command is not None
    options = {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"--[a-z]+", rest)) <= options


def test_the_refusal_is_worded_as_shown() -> None:
    """Who searches the page for the message of a log finds it."""
    parts = {**f_identity().parts(), "f_version": "0"}
    said = mismatch("rules+another", str(parts).replace("'", '"'), f"rules+{f_digest()}")
    for phrase in ("was built by another F, from the same rules (F_VERSION ", said[said.index("; go on") :]):
        assert phrase in said
        assert phrase in LINE


def test_the_targets_and_files_are_there() -> None:
    """What the page sends its reader to exists: make targets, files, fields of the report, views of the warehouse."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", PAGE)) <= targets
    files = re.findall(r"`((?:mdm_stream|tests)/[\w/.]+)`", PAGE)
    assert len(files) >= 3
    assert all((ROOT / path).exists() for path in files)
    assert "held_s" in RebuildReport.__slots__
    assert any("VIEW golden_epoch" in sql for migration in load_migrations() for sql in migration.statements)
