"""New rules are deployed while events stream in, and taken back, watched by a reader all the time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import orjson
from end_state import (
    GoldenState,
    change_events,
    feed_changes,
    feed_messages,
    settle,
    state_of_feed,
    state_of_warehouse,
    wait_for,
)
from stack_addresses import addresses_of

from mdm_stream.archive import open_archive
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import Resolution, resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.deployment import ARCHIVE_FOLDER, WAREHOUSE_FILE, write_stack
from mdm_stream.errors import MdmError
from mdm_stream.index.redis.reader import open_reader
from mdm_stream.local.pipeline import RESOLVE, STEWARD, start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, LocalStack, StackOptions
from mdm_stream.rules import load_ruleset
from mdm_stream.simulate import DEMO_RULES, generate
from producers.publisher import Publisher

NEW_RULES = f"""{DEMO_RULES}
match: {{prior: 0.000001, thresholds: {{link: 0.97, review: 0.1}}}}
survivorship: {{rules: {{phone: [longest]}}}}
"""
"""Fewer pairs are linked, more are asked about, and other values survive."""

LATE_US = 1_767_225_600_000_000
WATCHED = 40
COMMAND_TIMEOUT_S = 1_500
PUT_AT_ONCE = 10
KEPT_RECORDS = 10_000_000
LATE_PEOPLE = 5_000
"""Who change while rules are switched, one after another."""


@dataclass(slots=True)
class Watched:
    """What a reader has seen: checks, those that were neither of the states, and how often the state was another."""

    checks: int = 0
    mixtures: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)


@dataclass(slots=True)
class SwitchedBack:
    """What became of a switch under load and of the way back.

    ``waves``: messages of the feed that are marked as those of the one switch, and of the other, with their count as
    the mark says it. ``rate_per_s``: events that were published meanwhile. ``lost``: events of the stream that the
    archive does not have. ``there`` and ``back``: whether index, feed and warehouse are F of all events under the rules
    of then.
    """

    deployed: dict[str, Any]
    rolled_back: dict[str, Any]
    watched: Watched
    waves: list[tuple[int, int]] = field(default_factory=list)
    rate_per_s: float = 0.0
    lost: int = 0
    there: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)


def run(folder: Path, *, people: int, rate_per_s: float, seed: int = 7) -> SwitchedBack:
    """Load a population, deploy new rules while others come at a rate, and go back while they still come."""
    state = folder / "state"
    files = {"old": folder / "old.yaml", "new": folder / "new.yaml"}
    files["old"].write_text(DEMO_RULES)
    files["new"].write_text(NEW_RULES)
    rules = {name: load_ruleset(path) for name, path in files.items()}
    # The feed is read as a whole at the end: a stack forgets what all consumers have done.
    with LocalStack(state, StackOptions(keep_records=KEPT_RECORDS)) as stack:
        start_consumers(stack, [str(files["old"])])
        write_stack(state, addresses_of(stack, files["old"]))
        _publish(stack, generate(people, seed).events())
        before = settle(stack, rules["old"], COMMAND_TIMEOUT_S)
        events = change_events(stack.kinesis.client("kinesis"), rules["old"])
        states = {"old": before, "new": resolve(rules["new"], events)}
        watched = Watched()
        with _watching(stack, rules, states, watched), _late(stack, rate_per_s) as sent:
            deployed = _command(state, "deploy", str(files["new"]), "--yes", "--settle", "8")
            _restart(stack, files["new"])
        found = SwitchedBack(deployed, {}, watched, rate_per_s=sent())
        found.there = _unlike(stack, rules["new"])
        with _watching(stack, rules, states, watched), _late(stack, rate_per_s):
            found.rolled_back = _command(state, "rollback", str(files["old"]))
            _restart(stack, files["old"])
        found.back = _unlike(stack, rules["old"])
        found.lost = _lost(stack, rules["old"])
        found.waves = [_wave(stack, found.deployed["switched"]["epoch"]), _wave(stack, found.rolled_back["epoch"])]
    return found


def _unlike(stack: LocalStack, rules: Ruleset) -> list[str]:
    """Return which of index, feed and warehouse are not F of all that is on the change stream."""
    index = settle(stack, rules, COMMAND_TIMEOUT_S)
    expected = resolve(rules, change_events(stack.kinesis.client("kinesis"), rules))
    state = GoldenState(expected.golden, expected.crosswalk)
    warehouse = stack.state_dir / WAREHOUSE_FILE
    wait_for(lambda: state_of_warehouse(warehouse) == state or time.sleep(1), 120.0)
    ends = {
        "index": index == expected,
        "feed": state_of_feed(feed_changes(stack.kinesis.client("kinesis"))) == state,
        "warehouse": state_of_warehouse(warehouse) == state,
    }
    return [name for name, same in ends.items() if not same]


def _wave(stack: LocalStack, epoch: int) -> tuple[int, int]:
    """Return how many of the first messages of an epoch are marked as what its switch told, and what the marks say."""
    told = [each for each in feed_messages(stack.kinesis.client("kinesis")) if each["data"]["epoch"] == epoch]
    marked = [each["wave"] for each in told if "wave" in each]
    first = [each["data"]["sequence"] for each in told[: len(marked)] if "wave" in each]
    assert first == [*range(1, len(marked) + 1)], "the wave is not what the epoch began with"
    assert len(set(marked)) == 1, set(marked)
    return len(marked), marked[0]


def _lost(stack: LocalStack, rules: Ruleset) -> int:
    sent = len(change_events(stack.kinesis.client("kinesis"), rules))
    archived = open_archive((stack.state_dir / ARCHIVE_FOLDER).as_uri()).verify(rules.domain).rows
    return max(0, sent - archived)


@contextmanager
def _watching(
    stack: LocalStack, rules: dict[str, Ruleset], states: dict[str, Resolution], watched: Watched
) -> Iterator[None]:
    """Let a reader check all the time that what it reads of some records is of one of the states, whole."""
    enough, client = threading.Event(), stack.redis.client()
    refs = sorted(states["old"].crosswalk)[:: max(1, len(states["old"].crosswalk) // WATCHED)]
    expected = {name: _seen_in(state, refs) for name, state in states.items()}

    def watch() -> None:
        while not enough.is_set():
            found = _read(client, rules, refs)
            if found is None:
                continue
            watched.checks += 1
            name = next((name for name, state in expected.items() if state == found), "")
            if not name:
                watched.mixtures.append(f"check {watched.checks}")
            elif not watched.states or watched.states[-1] != name:
                watched.states.append(name)

    reader = threading.Thread(target=watch)
    reader.start()
    try:
        yield
    finally:
        enough.set()
        reader.join()


def _read(client: Any, rules: dict[str, Ruleset], refs: list[str]) -> dict[str, Any] | None:
    """Read as an application does: of the rules that are in use; nothing where these changed under its hands."""
    for each in rules.values():
        try:
            reader = open_reader(client, each)
        except MdmError:
            continue
        places = reader.golden_of(refs)
        contents = reader.golden_contents(sorted(set(places.values())))
        if reader.epochs.live() == reader.epoch:
            return {ref: orjson.loads(contents[golden_id]) for ref, golden_id in places.items()}
    return None


def _seen_in(state: Resolution, refs: list[str]) -> dict[str, Any]:
    return {ref: state.golden[state.crosswalk[ref]] for ref in refs}


@contextmanager
def _late(stack: LocalStack, rate_per_s: float) -> Iterator[Any]:
    """Publish events at a rate, of people who share nothing with those that are there."""
    enough, began_s, sent = threading.Event(), time.monotonic(), [0]

    def publish() -> None:
        with Publisher(stack.kinesis.client("kinesis"), CHANGES_STREAM) as publisher:
            for number in count(1):
                values = {"given_name": f"Late{number}", "family_name": f"Comer{number}"}
                event = RecordEvent(
                    "person", "web", f"late-{number % 5_000}", "upsert", number, LATE_US + number, values
                )
                publisher.put(encode_event(event), event.ref)
                sent[0] += 1
                behind_s = sent[0] / rate_per_s - (time.monotonic() - began_s)
                if number % PUT_AT_ONCE == 0 and enough.wait(max(0.0, behind_s)):
                    return

    stream = threading.Thread(target=publish)
    stream.start()
    try:
        yield lambda: sent[0] / (time.monotonic() - began_s)
    finally:
        enough.set()
        stream.join()


def _publish(stack: LocalStack, deliveries: Any) -> None:
    with Publisher(stack.kinesis.client("kinesis"), CHANGES_STREAM) as publisher:
        for event in deliveries:
            publisher.put(event.raw, event.partition_key)


def _restart(stack: LocalStack, rules_file: Path) -> None:
    """Start the consumers with other rules, as a deployment does."""
    for name in (RESOLVE, STEWARD):
        spec = stack.consumer(name)
        stack.replace_consumer(replace(spec, environment={**spec.environment, "MDM_RULES": str(rules_file)}))


def _command(state: Path, *arguments: str) -> dict[str, Any]:
    """Run a command on rules in a process of its own: a session of Spark is one for a process."""
    command = [sys.executable, "-m", "mdm_stream.cli.main", "rules", *arguments, "--state", str(state), "--json"]
    done = subprocess.run(command, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False)
    assert done.returncode == 0, (done.stdout[-2_000:], done.stderr[-2_000:])
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found
