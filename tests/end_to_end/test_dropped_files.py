"""Files in the folder that `up` watches: through S3, queues, gatekeeper and workers to golden records, and commands."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import orjson
import pytest
from end_state import expected_state, settle
from source_tree import ROOT

from mdm_stream.cli.file_window import FileWindow
from mdm_stream.cli.main import run
from mdm_stream.deployment import FILES_FOLDER, RunningStack, remove_stack, write_stack
from mdm_stream.local.file_functions import FileFunctions, FunctionOptions, sources_of_files
from mdm_stream.local.file_places import make_places
from mdm_stream.local.pipeline import start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM, LocalStack
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.rules import load_rulesets
from producers.files.build import surroundings_of
from producers.files.gatekeeper import Gatekeeper
from producers.files.loads import LoadStore
from producers.files.operations import manifests
from producers.files.settings import FileLimits

pytestmark = pytest.mark.long

WAIT_S = 90.0
RULES = """\
extends: person
version: 1
sources:
  vendor:
    format: csv
    key: id
    attributes: {given_name: first, family_name: last, city: town}
    files: {rejected_share_max: 0.3, encryption: kms, tags: {owner: [sales], reviewed: []}}
"""
CHUNKED = {"MDM_FILES_DIRECT_BYTES_MAX": "0", "MDM_FILES_CHUNK_ROWS": "7"}
"""Every file goes over the queue, in chunks of seven rows."""


class World:
    """A running stack that watches a folder, and its commands."""

    environment = CHUNKED

    def __init__(self, state: Path) -> None:
        state.mkdir(exist_ok=True)
        self.state, self.lines = state, []
        rules = state / "rules.yaml"
        rules.write_text(RULES)
        self.rules, self.rulesets = (str(rules),), load_rulesets([str(rules)])
        self.store = LoadStore(FolderObjects(state / FILES_FOLDER))

    def __enter__(self) -> Self:
        self.stack = LocalStack(self.state).start()
        start_consumers(self.stack, self.rules)
        options = FunctionOptions(environment=self.environment)
        self.window = FileWindow(self.stack, self.rules, self.rulesets, None, self.lines.append, options)
        running = RunningStack(
            kinesis_endpoint_url=self.stack.kinesis.endpoint_url,
            changes_stream=CHANGES_STREAM,
            golden_stream=GOLDEN_STREAM,
            redis_url=self.stack.redis.url,
            warehouse="",
            rules=self.rules,
            keys=self.stack.kinesis.keys,
            **self.window.addresses(),
        )
        write_stack(self.state, running)
        self.window.announce(quiet=False)
        self.window.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.window.__exit__(None, None, None)
        remove_stack(self.state)
        self.stack.stop()

    def drop(self, name: str, *rows: str) -> None:
        """Put a file in the folder of its source, which `up` has made."""
        path = self.state / "drop" / "person" / "vendor" / name
        path.write_text("\n".join(["id,first,last,town", *rows, ""]))

    def load(self, name: str, state: str):
        """Wait until the load of a file is in a state, and return its manifest."""
        deadline_s = time.monotonic() + WAIT_S
        while True:
            for manifest in manifests(self.store):
                if manifest.object.key.endswith(f"/{name}") and manifest.state == state:
                    return manifest
            self.stack.check()
            assert time.monotonic() < deadline_s, f"{name} did not become {state}"
            time.sleep(0.1)

    def command(self, capsys, *argv: str):
        """Run a command on the state; return its exit code and its JSON, if it printed any."""
        capsys.readouterr()
        code = run([*argv, "--state", str(self.state), "--json"])
        said = capsys.readouterr().out
        return code, orjson.loads(said) if said else None


def people(first: int, count: int, town: str = "Bern") -> list[str]:
    """Rows of people who have nothing in common but the town."""
    return [f"{n},{chr(97 + n % 26) * 5}{n},{chr(97 + n // 26) * 6}{n},{town}" for n in range(first, first + count)]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    """The stack of this module."""
    with World(tmp_path_factory.mktemp("dropped") / "state") as running:
        yield running


def test_file_goes_from_the_folder_to_golden_records(world, capsys):
    """Chunks over the queue, rows that add up, the state that F has of them, and a line in the window."""
    world.drop("monday.csv", *people(0, 30), ",no,id,Bern", people(3, 1)[0])
    manifest = world.load("monday.csv", "done")
    assert (manifest.rows, manifest.accepted, manifest.rejected, manifest.skipped) == (32, 30, 1, 1)
    assert (manifest.route, manifest.chunks, manifest.sent) == ("chunks", 5, 30)
    rules = world.rulesets["person"]
    assert settle(world.stack, rules) == expected_state(world.stack.kinesis.client("kinesis"), rules)
    code, listed = world.command(capsys, "files", "list", "--source", "vendor", "--in", "done")
    assert (code, [each["load_id"] for each in listed["loads"]], listed["more"]) == (0, [manifest.load_id], False)
    code, shown = world.command(capsys, "files", "show", manifest.load_id)
    assert (code, shown["rejected_rows"][0]["first_row"], shown["as_of_declared"]) == (0, 31, True)
    assert run(["files", "show", manifest.load_id, "--state", str(world.state)]) == 0
    text = capsys.readouterr().out
    assert "32 rows = 30 accepted + 1 rejected + 1 skipped" in text
    assert "aaaaa0" not in text
    world.window.tell(quiet=False)
    assert any(line.startswith("file person/vendor/monday.csv: done; 32 rows") for line in world.lines)


def test_held_file_waits_for_a_person(world, capsys):
    """Status shows it and fails; released it runs, failed it sends nothing; an ended load takes no decision."""
    world.drop("bad.csv", *people(100, 2), *(f",x{n},y,z" for n in range(3)))
    world.drop("worse.csv", *people(200, 2), *(f",x{n},y,z" for n in range(4)))
    held = {name: world.load(name, "held").load_id for name in ("bad.csv", "worse.csv")}
    code, found = world.command(capsys, "status", "--seconds", "0.1")
    assert (code, found["files"]["open"]) == (1, {"held": 2})
    assert sum(load_id in line for line in found["attention"] for load_id in held.values()) == 2
    assert world.command(capsys, "files", "release", held["bad.csv"], "--by", "ann")[0] == 0
    assert world.command(capsys, "files", "fail", held["worse.csv"])[1]["state"] == "failed"
    released = world.load("bad.csv", "done")
    assert (released.accepted, released.sent, released.released_by) == (2, 2, "ann")
    assert world.load("worse.csv", "failed").sent == 0
    assert world.command(capsys, "files", "release", held["bad.csv"])[0] == 2
    assert world.command(capsys, "files", "fail", held["worse.csv"])[0] == 2
    assert world.command(capsys, "status", "--seconds", "0.1")[1]["files"]["held"] == []


def test_content_that_is_delivered_again_is_one_load(world):
    """Under another name and with a later time: a second delivery, and nothing is sent."""
    world.drop("first.csv", *people(300, 5))
    before = world.load("first.csv", "done")
    world.drop("second.csv", *people(300, 5))
    deadline_s = time.monotonic() + WAIT_S
    while len((after := world.load("first.csv", "done")).deliveries) < 2:
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    assert [each.key.rpartition("/")[2] for each in after.deliveries] == ["first.csv", "second.csv"]
    assert (after.load_id, after.sent, after.ended_at) == (before.load_id, before.sent, before.ended_at)


def test_rejected_rows_are_sent_again(world, capsys):
    """Redrive takes the rows of this load alone; those that unchanged rules still reject stay where they are."""
    world.drop("few.csv", *people(400, 9), "9?9,x", ",a,b,c")
    load_id = world.load("few.csv", "done").load_id
    code, found = world.command(capsys, "files", "redrive", load_id)
    assert (code, found["events"], found["left"], len(found["kept"])) == (0, 0, {}, 2)
    settle(world.stack, world.rulesets["person"])
    letters = [path.read_bytes() for path in (world.state / "quarantine").rglob("*.json")]
    assert len(letters) >= 2
    code, again = world.command(capsys, "files", "redrive", load_id, "--whole")
    assert code == 0
    assert world.load("few.csv", "done").accepted == 9
    assert again["load_id"] == load_id


def test_commands_of_the_page_run(world, capsys):
    """Each call of docs/operate/local-files.md does what it says, and its rules are rules."""
    page = (ROOT / "docs" / "operate" / "local-files.md").read_text("utf-8")
    (rules,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (world.state / "page.yaml").write_text(rules)
    assert sources_of_files(load_rulesets([str(world.state / "page.yaml")])) == sources_of_files(world.rulesets)
    calls = [shlex.split(line) for line in re.findall(r"^mdm-stream ((?:files|status).*)$", page, re.MULTILINE)]
    assert len(calls) > 5
    world.drop("page.csv", *people(500, 2), *(f",p{n},y,z" for n in range(3)))
    load_id = world.load("page.csv", "held").load_id
    for call in calls:
        argv = [load_id if word == "LOAD" else word for word in call]
        assert run([*argv, "--state", str(world.state)]) == 0, call
        if "release" in call:
            world.load("page.csv", "done")
    capsys.readouterr()


def test_load_that_is_not_there_is_an_error_with_advice(world, capsys):
    """No command takes a name that is none of a load, nor one that leads out of the store."""
    for command in ("show", "release", "fail", "resume", "redrive"):
        for name in ("0" * 32, "../../x"):
            assert run(["files", command, name, "--state", str(world.state)]) == 2
            assert "files list" in capsys.readouterr().err


def test_loads_go_on_when_the_stack_is_started_again(tmp_path, capsys):
    """Queues and S3 are gone: a load that was begun goes on by its store, a file that no load knows is put again."""
    world = World(tmp_path / "state")
    with LocalStack(world.state) as stack:
        places = make_places(stack.kinesis)
        functions = FileFunctions(stack, world.rules, world.rulesets, places)
        drop = functions.drop_folder(world.state / "drop")
        world.drop("begun.csv", *people(0, 20))
        world.drop("waiting.csv", *people(50, 3))
        deadline_s = time.monotonic() + WAIT_S
        keys = []
        while len(keys) < 2 and time.monotonic() < deadline_s:
            keys += [put.key for put in drop.look()]
            time.sleep(0.2)
        limits = FileLimits.from_environment(CHUNKED)
        gatekeeper = Gatekeeper(surroundings_of(functions.settings, limits, keys=stack.kinesis.keys))
        messages = stack.kinesis.client("sqs").receive_message(
            QueueUrl=places.files_queue_url, MaxNumberOfMessages=10)["Messages"]  # fmt: skip
        for message in messages:
            if "begun.csv" in message["Body"]:
                gatekeeper.handle({"Records": orjson.loads(message["Body"])["Records"]})
        assert [each.state for each in manifests(world.store)] == ["validating"]
    with world:
        assert world.load("begun.csv", "done").sent == 20
        assert world.load("waiting.csv", "done").sent == 3
        assert [len(each.deliveries) for each in manifests(world.store)] == [1, 1]
        assert any("had not ended" in line for line in world.lines)
        rules = world.rulesets["person"]
        assert settle(world.stack, rules) == expected_state(world.stack.kinesis.client("kinesis"), rules)
    assert sources_of_files(world.rulesets) == [("person", "vendor", "person/vendor/")]
    code, listed = world.command(capsys, "files", "list")
    assert (code, len(listed["loads"])) == (0, 2)
