"""Every alarm has a runbook page that agrees with its definition, and commands on these pages exist."""

from __future__ import annotations

import json
import re
import shlex

import click
import pytest
from source_tree import ROOT, modules

from mdm_stream.cli.main import cli
from mdm_stream.local.alarms import AlarmDefinition, load_alarms

MODULE = ROOT / "infra" / "terraform" / "modules" / "observability"
ALARMS = load_alarms(MODULE / "alarms.json")
OPERATE = ROOT / "docs" / "operate"
RUNBOOKS = OPERATE / "runbooks"
PAGES = {path.stem: path.read_text("utf-8") for path in sorted(RUNBOOKS.glob("*.md"))}
INDEX = (OPERATE / "alarms.md").read_text("utf-8")
EVENTS = {"task-failed"}
"""Pages of what is heard of as an event, which no alarm's definition describes."""
PARTS = ["What it means", "What a user notices", "How to look", "What to do"]
BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(mdm-stream [^`\n]+)`")
COMMANDS = sorted(
    {
        (name, command)
        for name, text in PAGES.items()
        for command in [
            *INLINE.findall(text),
            *(line for block in BLOCK.findall(text) for line in block.splitlines() if line.startswith("mdm-stream")),
        ]
    }
)


def fires(alarm: AlarmDefinition) -> str:
    """Return when an alarm fires, as its page says it."""
    named = {"@server_errors": "`5XXError` (REST) or `5xx` (HTTP)"}
    metrics = " and ".join(
        f"{each.statistic} of {named.get(each.metric, f'`{each.metric}`')}" for each in alarm.metrics.values()
    )
    computed = f"`{alarm.expression}` of {metrics}" if alarm.expression else metrics
    side = "above" if alarm.comparison.startswith("Greater") else "below"
    threshold = alarm.threshold
    if isinstance(threshold, float):
        threshold = f"{int(threshold) if threshold.is_integer() else threshold:,}"
    else:
        threshold = f"`{threshold.removeprefix('@')}`"
    hours = alarm.period_s >= 3_600
    period = f"{alarm.period_s // (3_600 if hours else 60)} {'h' if hours else 'min'}"
    periods = f"{alarm.datapoints_to_alarm} of {alarm.evaluation_periods} periods of {period}"
    return f"{computed} {side} {threshold} in {periods}"


def test_each_alarm_has_a_page_and_each_page_an_alarm():
    """Of its own, under its name; the list of alarms links to it."""
    assert {alarm.runbook for alarm in ALARMS.values()} == {f"{name}.md" for name in ALARMS}
    assert sorted(PAGES) == sorted({*ALARMS, *EVENTS})
    assert re.findall(r"^\| \[([\w-]+)\]\(runbooks/([\w-]+)\.md\)", INDEX, re.MULTILINE) == [
        (name, name) for name in ALARMS
    ]


@pytest.mark.parametrize("name", ALARMS)
def test_a_page_agrees_with_the_definition(name):
    """Severity, summary, rule and what missing data counts for; then what it means and what to do, in one order."""
    alarm, page = ALARMS[name], PAGES[name]
    assert page.startswith(f"# {name}\n\n{alarm.summary}\n")
    rows = dict(re.findall(r"^\| ([a-z ]+) \| (.*) \|$", page, re.MULTILINE))
    assert rows == {"severity": alarm.severity, "fires": fires(alarm), "no data": f"`{alarm.treat_missing_data}`"}
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == PARTS
    assert f"| {alarm.severity} | {alarm.each.replace('_', ' ')} | {alarm.summary} |" in INDEX


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_a_page_of_an_event_is_linked_to_by_what_reports_it(name):
    """It has the parts of every other page; the rule's message and the list of alarms name it."""
    assert re.findall(r"^## (.*)$", PAGES[name], re.MULTILINE) == PARTS
    reported = [path.name for path in MODULE.glob("*.tf") if f"/{name}.md" in path.read_text("utf-8")]
    assert reported == ["tasks.tf"]
    assert f"[{name}](runbooks/{name}.md)" in INDEX.partition("## All of them")[0]


@pytest.mark.parametrize("name", [*ALARMS, *sorted(EVENTS)])
def test_a_page_has_a_command_or_a_place_to_look(name):
    """A person who was woken up finds there what to type."""
    assert BLOCK.search(PAGES[name].partition("## How to look")[2])


@pytest.mark.parametrize(("name", "line"), COMMANDS)
def test_commands_exist(name, line):
    """With these options, and no fewer arguments than they need where the page gives any."""
    command: click.Command = cli
    words = shlex.split(line)[1:]
    context = click.Context(command, info_name="mdm-stream")
    while isinstance(command, click.Group) and words:
        found = command.get_command(context, words.pop(0))
        assert found is not None, line
        command, context = found, click.Context(found, parent=context)
    values, extra, _ = command.make_parser(context).parse_args(args=words)
    assert extra == [], line
    given = {key for key, value in values.items() if isinstance(value, str | bool | tuple | list) and value != ()}
    needed = {each.name for each in command.params if each.required} if words else set()
    assert needed - given == set(), line


def test_pages_name_metrics_that_are_written():
    """The definitions name no metric of ours that no code writes."""
    code = "".join(module.text for module in modules() if not module.name.startswith("mdm_stream.local.alarms"))
    metrics = [each for alarm in ALARMS.values() for each in alarm.metrics.values()]
    own = {each.metric for each in metrics if each.namespace == "@metrics_namespace"}
    by_state = {"FilesFailed": 'f"Files{manifest.state.capitalize()}"'}
    assert {name for name in own if by_state.get(name, f'"{name}"') not in code} == set()


def test_each_alarm_is_made_to_fire_unless_the_page_says_why_not():
    """By a test on one machine; the page names those that none causes."""
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*_alarms_fire.py"))
    fired = {name for name in ALARMS if f'"{name}"' in tests}
    [left] = re.findall(r"^Not caused there, .*?: (.*)\.$", INDEX, re.MULTILINE)
    assert set(re.findall(r"`([\w-]+)`", left)) == set(ALARMS) - fired


def test_the_file_of_alarms_has_no_key_twice():
    """Terraform and Python read the same of it: of doubled keys each would keep one of its own choice."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    assert json.loads((MODULE / "alarms.json").read_text("utf-8"), object_pairs_hook=once)["format"] == 1
