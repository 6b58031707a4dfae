"""A person is erased on a running stack: no byte of hers is left, nothing brings her back, others stay whole."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from bytes_of_state import places_with
from click.testing import CliRunner
from end_state import settle, wait_for

from mdm_stream.cli.commands.erase import erase
from mdm_stream.cli.commands.rebuild import rebuild
from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.core.reference import Resolution
from mdm_stream.deployment import (
    ARCHIVE_FOLDER,
    ON_FAILURE_FOLDER,
    QUARANTINE_FOLDER,
    WAREHOUSE_FILE,
    RunningStack,
    write_stack,
)
from mdm_stream.index.redis.index import RedisIndex
from mdm_stream.local.event_source.lanes import Discard
from mdm_stream.local.event_source.mapping import ShardRecord
from mdm_stream.local.event_source.on_failure import OnFailure, put_into
from mdm_stream.local.pipeline import start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM, STEWARD_STREAM, LocalStack
from mdm_stream.rules import load_ruleset
from producers.partition_key import partition_key_of
from producers.publisher import Publisher

RULES = load_ruleset("person")
REF = "crm/p-4711"

MARKERS = ["Quendolberga", "Wintersteiger", "Zwirnsdorf", "Overridalia", "+49301234987", "Quarantinia", "Givenupia"]
"""Values of the erased record alone: its name, an older city, an override, a phone, and in two dead letters."""
SHARED = ["Adelgundis", "Wintersheim", "adelgundis.w@example.org"]
"""Values that the same person's records in other systems have too."""
OTHERS = ["Balthasar", "Kuckucksheim"]
"""Values of somebody else, who shares a batch with her in the on-failure folder."""


def change(source: str, record_id: str, op: str = "upsert", **members: Any) -> dict[str, Any]:
    """Return a canonical event."""
    event = {"domain": "person", "source": source, "record_id": record_id, "op": op}
    return {**event, "event_time": "2026-03-01T00:00:00Z", **members}


def person(source: str, version: int, **attributes: str) -> dict[str, Any]:
    """Return an event of one system's record of her."""
    common = {
        "given_name": "Adelgundis",
        "family_name": "Wintersheim",
        "birth_date": "1971-02-03",
        "email": "adelgundis.w@example.org",
    }
    return change(source, "p-4711", version=version, attributes={**common, **attributes})


HERS = [
    person("crm", 1, given_name="Adelgundis Quendolberga", city="Zwirnsdorf"),
    person("crm", 2, given_name="Adelgundis Quendolberga", family_name="Wintersheim-Wintersteiger"),
    change("crm", "p-4711", "patch", version=3, attributes={"phone": "+49 30 1234987"}),
    change("crm", "p-4711", "override", version=1, attributes={"city": "Overridalia"}, steward="s-1"),
]
THEIRS = [
    person("erp", 1),
    person("web", 1),
    change("erp", "9", version=1, attributes={"given_name": "Balthasar", "city": "Kuckucksheim"}),
]
BAD = {**person("crm", 9, given_name="Quarantinia"), "surprise": 1}
GIVEN_UP = [
    person("crm", 4, given_name="Givenupia"),
    change("erp", "9", version=2, attributes={"city": "Kuckucksheim"}),
]


@dataclass(slots=True)
class World:
    """What there was before and after, and what the command said."""

    state: Path
    before: dict[str, set[str]] = field(default_factory=dict)
    merged: int = 0
    receipt: dict[str, Any] = field(default_factory=dict)
    after: dict[str, set[str]] = field(default_factory=dict)
    index: Resolution | None = None
    verified: dict[str, Any] = field(default_factory=dict)
    redelivered: dict[str, set[str]] = field(default_factory=dict)
    verified_late: dict[str, Any] = field(default_factory=dict)
    erased_again: dict[str, Any] = field(default_factory=dict)
    rebuilt: Resolution | None = None
    verified_rebuilt: dict[str, Any] = field(default_factory=dict)


def publish(stack: LocalStack, events: list[dict[str, Any]]) -> None:
    """Put events on the change stream as producers do, a steward's on theirs, and wait until they are done."""
    client = stack.kinesis.client("kinesis")
    with Publisher(client, CHANGES_STREAM) as changes, Publisher(client, STEWARD_STREAM) as steward:
        for event in events:
            publisher = steward if event["op"] == "override" else changes
            publisher.put(orjson.dumps(event), partition_key_of(event))
    settle(stack, RULES)


def give_up(state: Path, events: list[dict[str, Any]]) -> None:
    """Write a batch into the on-failure folder, as the event source does."""
    records = tuple(ShardRecord(str(n), "key", orjson.dumps(event), 1.7e9) for n, event in enumerate(events, 1))
    arn = f"arn:aws:kinesis:us-east-1:123456789012:stream/{CHANGES_STREAM}"
    put = put_into(str(state / ON_FAILURE_FOLDER), lambda: None)
    OnFailure(put, function_name="resolve", stream_arn=arn).write(
        Discard(records, "RetryAttemptsExhausted", 3), "shardId-000000000000", 1.7e9
    )


def run(state: Path, *argv: str, code: int = 0) -> dict[str, Any]:
    """Run ``erase`` on the record, and return its document."""
    done = CliRunner().invoke(erase, [REF, "--state", str(state), "--json", *argv], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    assert done.return_value == code, done.output
    document = orjson.loads(done.stdout)
    assert isinstance(document, dict)
    return document


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Live through it all once."""
    state = tmp_path_factory.mktemp("erase") / "state"
    world = World(state)
    values = state.parent / "values.txt"
    values.write_text("\n".join(MARKERS), "utf-8")
    with LocalStack(state) as stack:
        start_consumers(stack, ["person"])
        addresses = (stack.kinesis.endpoint_url, CHANGES_STREAM, GOLDEN_STREAM, stack.redis.url)
        write_stack(state, RunningStack(*addresses, str(state / WAREHOUSE_FILE), ("person",), stack.kinesis.keys))
        publish(stack, HERS)
        publish(stack, [*THEIRS, BAD])
        give_up(state, GIVEN_UP)
        time.sleep(1.5)  # Redis puts its file on the disk once a second
        world.before = places_with(state, [*MARKERS, *SHARED, *OTHERS])
        index = RedisIndex(stack.redis.client(), RULES)
        world.merged = len(set(index.golden_of([REF, "erp/p-4711", "web/p-4711"]).values()))

        world.receipt = run(state, "--reason", "asked for by letter", "--yes")
        world.after = places_with(state, [*MARKERS, *SHARED, *OTHERS])
        world.index = settle(stack, RULES)
        world.verified = run(state, "--verify", "--values-file", str(values))

        publish(stack, [*HERS, BAD, person("crm", 77, city="Zwirnsdorf")])
        world.redelivered = places_with(state, MARKERS)
        world.verified_late = run(state, "--verify", "--values-file", str(values), code=1)
        world.erased_again = run(state, "--reason", "a late delivery", "--yes", "--values-file", str(values))
        assert places_with(state, MARKERS) == {}

        done = CliRunner().invoke(rebuild, ["--state", str(state), "--grace", "0", "--workers", "1", "--json"])
        assert done.exit_code == 0, done.output
        world.rebuilt = settle(stack, RULES)
        wait_for(lambda: not index.read(1))
        world.verified_rebuilt = run(state, "--verify", "--values-file", str(values))
    assert places_with(state, MARKERS) == {}
    return world


def test_the_scan_finds_what_is_there(world: World) -> None:
    """Before the erasure her values are everywhere where values can be: else finding none would prove nothing."""
    assert world.merged == 1
    everywhere = {"kinesis", "redis", "archive", "warehouse"}
    assert world.before["Overridalia"] >= everywhere
    assert world.before["Quarantinia"] >= {"kinesis", QUARANTINE_FOLDER}
    assert world.before["Givenupia"] == {ON_FAILURE_FOLDER}
    assert set(world.before) >= {*MARKERS, *SHARED, *OTHERS}


def test_no_byte_is_left_anywhere(world: World) -> None:
    """In no file of the state folder, packed or not, is there a value that was hers alone."""
    assert [marker for marker in MARKERS if marker in world.after] == []


def test_what_others_have_stays(world: World) -> None:
    """Values of the same person in other systems, and somebody else's event in the same given-up batch, are kept."""
    assert set(world.after) == {*SHARED, *OTHERS}
    assert world.after["Kuckucksheim"] >= {ON_FAILURE_FOLDER, "archive", "redis"}
    assert world.index is not None
    assert REF not in world.index.crosswalk
    assert world.index.crosswalk["erp/p-4711"] == world.index.crosswalk["web/p-4711"]


def test_the_receipt_names_nobody(world: World) -> None:
    """It says what became of every store, under a hash of the key; it lies beside the archive."""
    receipt = world.receipt
    assert receipt["subjects"] == [golden_id_of("person", REF)]
    assert (receipt["reason"], receipt["complete"], receipt["left"]) == ("asked for by letter", True, [])
    for store in ("index", "change_stream", "golden_feed", "warehouse", "quarantine", "on_failure", "archive"):
        counts = receipt["stores"][store]
        assert counts["found"] == counts["removed"] > 0, store
        assert counts["left"] == 0
    kept = Path(receipt["kept_at"])
    assert kept.is_relative_to(world.state.resolve() / ARCHIVE_FOLDER / "receipts")
    text = kept.read_text("utf-8")
    assert not [name for name in (*MARKERS, *SHARED, "4711", "crm") if name in text]


def test_verify_proves_it(world: World) -> None:
    """Asked later, with the values, it finds nothing, and says how many it looked for."""
    assert world.verified["nothing_left"]
    assert (world.verified["values_searched"], world.verified["values_shared"]) == (len(MARKERS), 0)


def test_late_deliveries_change_nothing(world: World) -> None:
    """Old and new events of her, good and bad, only lie on the change stream; the search says so, and until when."""
    assert set().union(*world.redelivered.values()) == {"kinesis"}
    assert {(each["store"], each["what"]) for each in world.verified_late["left"]} >= {("change_stream", "event")}
    assert {each["store"] for each in world.verified_late["left"]} == {"change_stream", "steward_stream", "files"}
    assert all(each["until"] for each in world.verified_late["left"] if each["store"] == "change_stream")


def test_an_erasure_can_be_repeated(world: World) -> None:
    """It removes what has come since, and gives another receipt."""
    assert world.erased_again["receipt_id"] != world.receipt["receipt_id"]
    assert world.erased_again["complete"]
    assert world.erased_again["stores"]["change_stream"]["removed"] == len(HERS) - 1 + 2
    assert world.erased_again["stores"]["steward_stream"]["removed"] == 1


def test_a_rebuild_does_not_bring_her_back(world: World) -> None:
    """The new epoch is the state of before, and holds her as erased."""
    assert world.rebuilt == world.index
    assert world.verified_rebuilt["nothing_left"]
