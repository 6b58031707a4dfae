"""A source is held, released and purged by commands while it and others keep sending to a local stack."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from end_state import settle, stream_records, wait_for

from mdm_stream.archive import open_archive
from mdm_stream.cli.commands.source import source
from mdm_stream.core.model import ChangeEvent, RecordEvent
from mdm_stream.core.reference import Resolution, resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.times import format_time_us
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.redrive_envelope import is_envelope
from mdm_stream.deployment import WAREHOUSE_FILE, RunningStack, write_stack
from mdm_stream.local.pipeline import start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM, LocalStack
from mdm_stream.resolve.source_watch import MARKS_AGE_S_MAX
from mdm_stream.rules import load_ruleset
from producers.publisher import Publisher

pytestmark = pytest.mark.long

SOURCES = "crm: {version_kind: position}, erp: {version_kind: position}"
"""Their events have neither version nor time: both come from where they lie on the stream."""
PAUSE_S = 0.02
SOME = 20


@dataclass(slots=True)
class World:
    """What was seen at each step."""

    held: dict[str, Any] = field(default_factory=dict)
    listed: dict[str, Any] = field(default_factory=dict)
    crm_grew_while_held: int = -1
    erp_grew_while_held: int = 0
    released: dict[str, Any] = field(default_factory=dict)
    after_release: tuple[Resolution, Resolution] | None = None
    forecast: dict[str, Any] = field(default_factory=dict)
    before_purge: Resolution | None = None
    purged: dict[str, Any] = field(default_factory=dict)
    after_purge: tuple[Resolution, Resolution] | None = None
    after_readmission: tuple[Resolution, Resolution] | None = None


def run(state: Path, *argv: str) -> dict[str, Any]:
    """Run ``source``, and return its document."""
    done = CliRunner().invoke(source, [*argv, "--state", str(state), "--json"], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    document = orjson.loads(done.stdout)
    assert isinstance(document, dict)
    return document


@contextmanager
def sending(stack: LocalStack, start: int) -> Iterator[None]:
    """Let two sources send events without version or time, of some sixty people, until this is left."""
    leaving = threading.Event()

    def send() -> None:
        number = start
        with Publisher(stack.kinesis.client("kinesis"), CHANGES_STREAM) as publisher:
            while not leaving.wait(PAUSE_S):
                number += 1
                for name in ("crm", "erp"):
                    attributes = {"given_name": f"Ann{number % 7}", "family_name": "Okonkwo", "city": f"Leeds {number}"}
                    attributes |= {
                        "birth_date": f"1980-01-{number % 28 + 1:02}",
                        "email": f"a{number % 61}@example.org",
                    }
                    event = {"domain": "person", "source": name, "record_id": str(number % 61), "op": "upsert"}
                    publisher.put({**event, "attributes": attributes})

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        leaving.set()
        thread.join()


def expected(stack: LocalStack, rules: Ruleset, purged: tuple[int, int] = (0, 0)) -> Resolution:
    """Return F of what was first delivered, without what the CRM sent between two moments."""
    decoder, counting = Decoder({"person": rules}), list[ChangeEvent]()
    for record in stream_records(stack.kinesis.client("kinesis"), CHANGES_STREAM):
        assert not is_envelope(record["Data"])
        arrival_s = record["ApproximateArrivalTimestamp"].timestamp()
        delivery = Delivery.from_kinesis(record["Data"], record["SequenceNumber"], arrival_s)
        for event in decoder.decode(delivery):
            assert isinstance(event, RecordEvent)
            if event.source != "crm" or not purged[0] <= delivery.arrival_time_us < purged[1]:
                counting.append(event)
    return resolve(rules, counting)


def rows(stack: LocalStack, name: str) -> int:
    """Return how many changes of a source have been archived."""
    archive = open_archive((stack.state_dir / "archive").as_uri())
    return sum(row.refs[0].startswith(f"{name}/") for row in archive.read_new("person", set()))


def stands_still(stack: LocalStack, name: str) -> bool:
    """Tell whether nothing more of a source was archived while every worker read the marks of held sources anew."""
    before = rows(stack, name)
    time.sleep(2 * MARKS_AGE_S_MAX)
    return rows(stack, name) == before


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Live through it once."""
    state, world = tmp_path_factory.mktemp("sources") / "state", World()
    file = state.parent / "rules.yaml"
    file.write_text(f"extends: person\nversion: 1\nsources: {{{SOURCES}}}\n", "utf-8")
    rules = load_ruleset(file)
    with LocalStack(state) as stack:
        start_consumers(stack, [str(file)])
        addresses = (stack.kinesis.endpoint_url, CHANGES_STREAM, GOLDEN_STREAM, stack.redis.url)
        write_stack(state, RunningStack(*addresses, str(state / WAREHOUSE_FILE), (str(file),), stack.kinesis.keys))
        with sending(stack, 0):
            wait_for(lambda: rows(stack, "crm") > SOME)
            world.held = run(state, "hold", "crm", "--reason", "gone mad")
            wait_for(lambda: run(state, "list")["held"][0]["kept_aside"] > 0)
            wait_for(lambda: stands_still(stack, "crm"))
            crm, erp = rows(stack, "crm"), rows(stack, "erp")
            wait_for(lambda: rows(stack, "erp") > erp + SOME)
            world.crm_grew_while_held, world.erp_grew_while_held = rows(stack, "crm") - crm, rows(stack, "erp") - erp
            wait_for(lambda: run(state, "list")["held"][0]["kept_aside"] > SOME)
            world.listed = run(state, "list")
            world.released = run(state, "release", "crm")
        world.after_release = settle(stack, rules), expected(stack, rules)

        with sending(stack, 1_000):
            time.sleep(1)
            from_us = time.time_ns() // 1_000
            time.sleep(2)
            to_us = time.time_ns() // 1_000
        settle(stack, rules)
        window = ("crm", "--from", format_time_us(from_us), "--to", format_time_us(to_us))
        world.forecast = run(state, "purge", *window)
        world.before_purge = settle(stack, rules)
        with sending(stack, 2_000):
            world.purged = run(state, "purge", *window, "--yes")
        world.after_purge = settle(stack, rules), expected(stack, rules, (from_us, to_us))
        run(state, "readmit", world.purged["exclusion"]["exclusion_id"])
        world.after_readmission = settle(stack, rules), expected(stack, rules)
    return world


def test_a_held_source_stops_and_others_go_on(world: World) -> None:
    """Within a bounded time nothing of it is applied any more; what it sends is counted, and not lost."""
    assert world.crm_grew_while_held == 0
    assert world.erp_grew_while_held > SOME
    (held,) = world.listed["held"]
    assert (held["source"], held["reason"]) == ("crm", "gone mad")
    assert held["kept_aside"] > SOME


def test_a_release_under_load_gives_f_of_all_that_was_delivered(world: World) -> None:
    """Versions and times are those of the first delivery, although every event has them from its place."""
    assert world.released["events"] >= world.listed["held"][0]["kept_aside"]
    assert world.released["left"] == {}
    assert world.after_release is not None
    assert world.after_release[0] == world.after_release[1]


def test_a_forecast_does_nothing(world: World) -> None:
    """It counts the events of the source in that time, and leaves the state as it was."""
    assert world.forecast["exclusion"] is None
    assert world.forecast["forecast"]["events"] > SOME
    assert world.forecast["forecast"]["golden_changed"] > 0


def test_a_purge_under_load_gives_f_of_the_rest_and_can_be_taken_back(world: World) -> None:
    """While both sources send; the events taken out are those of the forecast."""
    assert world.purged["rebuilt"]["excluded"] == world.forecast["forecast"]["events"]
    assert world.after_purge is not None
    assert world.after_purge[0] == world.after_purge[1] != world.before_purge
    assert world.after_readmission is not None
    assert world.after_readmission[0] == world.after_readmission[1]
