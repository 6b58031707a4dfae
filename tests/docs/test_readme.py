"""What the README shows goes together: its events, under its rules, and its commands."""

from __future__ import annotations

import re
import shlex

import orjson
import pytest
from source_tree import ROOT

from mdm_stream.cli.commands.rules import rules
from mdm_stream.cli.registry import COMMANDS
from mdm_stream.decode.decoder import Decoder
from mdm_stream.decode.delivery import Delivery
from mdm_stream.rules import load_ruleset

PAGE = (ROOT / "README.md").read_text("utf-8")
EVENTS = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
(RULES,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
CALLS = [shlex.split(line, comments=True) for line in re.findall(r"^mdm-stream .*$", PAGE, re.MULTILINE)]
TABLE = {name for row in re.findall(r"^\| (`[a-z`, ]+`) \|", PAGE, re.MULTILINE) for name in re.findall(r"\w+", row)}


@pytest.mark.parametrize("text", EVENTS)
def test_an_event_is_accepted_under_the_rules(text, tmp_path):
    """A reader who publishes an event of the page under its rule set finds it in the index, not in quarantine."""
    path = tmp_path / "company.yaml"
    path.write_text(RULES)
    decoder = Decoder({"person": load_ruleset(path)})
    (event,) = decoder.decode(Delivery.from_row(orjson.dumps(orjson.loads(text)), 1))
    assert event.domain == "person"


def test_the_table_has_every_command():
    """A command is in the table, by its own name, and the table names no other."""
    assert set(COMMANDS) <= TABLE
    assert TABLE - set(COMMANDS) <= set(rules.commands)


def test_the_examples_call_what_exists():
    """Each call is of a command, and the files of the repository that it names are there."""
    assert len(CALLS) > 5
    assert {call[1] for call in CALLS} <= COMMANDS.keys()
    named = [word for call in CALLS for word in call if word.startswith("examples/")]
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
