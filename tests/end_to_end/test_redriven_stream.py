"""Events that did not get through are redriven; the end state is that of a stream on which they got through at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from end_state import files_below, settle, stream_records, wait_for

from mdm_stream.cli.main import run
from mdm_stream.core.model import ChangeEvent
from mdm_stream.core.reference import Resolution, resolve
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.dead_letters import DeadLetters, Selection
from mdm_stream.dead_letters.quarantine import QuarantineEntry, decode_entry
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.decode.redrive_envelope import is_envelope
from mdm_stream.deployment import ON_FAILURE_FOLDER, QUARANTINE_FOLDER, RunningStack, write_stack
from mdm_stream.errors import RejectedEventError
from mdm_stream.local import pipeline
from mdm_stream.local.pipeline import start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, GOLDEN_STREAM, LocalStack
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.rules import load_rulesets
from producers.partition_key import partition_key_of
from producers.publisher import Publisher


def change(domain: str, source: str, record_id: str, op: str = "upsert", **members: Any) -> dict[str, Any]:
    """Return a canonical event, without version and time unless they are given."""
    attributes = {"attributes": members.pop("attributes")} if "attributes" in members else {}
    return {"domain": domain, "source": source, "record_id": record_id, "op": op, **attributes, **members}


def firm(source: str, record_id: str, name: str, **members: Any) -> dict[str, Any]:
    """Return an event of an organisation, at first of a domain that no rules are of."""
    attributes = {"name": name, "registration_no": "HRB 70123", "city": "Kiel"}
    return change("organisation", source, record_id, attributes=attributes, **members)


def person(record_id: str, name: str) -> dict[str, Any]:
    """Return an event of a person, whom the rules know from the first."""
    attributes = {"given_name": name, "family_name": "Oldenburg", "email": "j.o@example.org"}
    return change("person", "crm", record_id, attributes=attributes)


STILL_BAD = [firm("erp", "9", "Nord AG") | {"surprise": 1}, firm("erp", "9", "Nord AG", version=True)]
BEFORE = [
    person("1", "Jo"),
    firm("crm", "1", "Hansa Werft GmbH"),
    firm("crm", "1", "Hansa Werke GmbH"),
    firm("crm", "1", "Hansa Werft GmbH"),  # the bytes of two before: another event, and the one that counts
    firm("erp", "7", "Hansa Werft", version=5, event_time="2026-02-01T00:00:00Z"),
    firm("erp", "7", "Hansa Werft", version=5, event_time="2026-02-01T00:00:00Z"),
    change("organisation", "web", "8", "patch", attributes={"city": "Kiel"}),
    change("organisation", "web", "8", "delete"),
    firm("web", "5", "Hansa Werft"),
    *STILL_BAD,
]
"""Rejected under the first rules, save for the person: for their domain or, the last two, for what they say."""
WITHOUT_REDIS = [person("1", "Johanna"), person("2", "Johanna"), person("1", "Jo")]
AFTER = [
    firm("web", "5", "Werft Hansa", op="upsert"),  # newer than what is redriven after it
    change("organisation", "crm", "1", "patch", attributes={"city": "Lübeck"}),
    person("1", "Joanna"),
]


@dataclass(slots=True)
class World:
    """What there was before the redrive and what there is after it."""

    letters: list[dict[str, Any]]
    shown: dict[str, Any]
    report: dict[str, Any]
    expected: dict[str, Resolution]
    index: dict[str, Resolution]
    kept: list[QuarantineEntry]
    redriving: int
    given_up: int
    kept_after_two_more: list[QuarantineEntry]


def rules_file(path: Path, domain: str) -> Path:
    """Write rules of a pack, two of whose sources send no version: the stream's positions order what they send."""
    sources = "crm: {version_kind: position}, web: {version_kind: position}, erp: {}"
    path.write_text(f"extends: {domain}\nversion: 1\nsources: {{{sources}}}\n")
    return path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Run a stack whose rules lack a domain, take Redis away, run it again with all rules, and redrive everything."""
    state = tmp_path_factory.mktemp("redriven") / "state"
    files = [str(rules_file(state.parent / f"{domain}.yaml", domain)) for domain in ("person", "organisation")]
    rulesets = load_rulesets(files)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "RETRY_ATTEMPTS_MAX", 1)
        with LocalStack(state) as stack:
            start_consumers(stack, files[:1])
            publish(stack, BEFORE)
            settle(stack, rulesets["person"])
            stack.redis.stop()
            publish(stack, WITHOUT_REDIS)
            wait_for(lambda: given_up_events(state) == len(WITHOUT_REDIS))
    with LocalStack(state) as stack:
        start_consumers(stack, files)
        publish(stack, AFTER)
        stack.wait_idle(60)
        write_stack(
            state,
            RunningStack(
                kinesis_endpoint_url=stack.kinesis.endpoint_url,
                changes_stream=CHANGES_STREAM,
                golden_stream=GOLDEN_STREAM,
                redis_url=stack.redis.url,
                warehouse="",
                rules=tuple(files),
                keys=stack.kinesis.keys,
            ),
        )
        letters = dlq(state, "list")["dead_letters"]
        shown = dlq(state, "show", letters[0]["id"], "--raw")
        report = dlq(state, "redrive", "--all", "--yes")
        index = {domain: settle(stack, rules) for domain, rules in rulesets.items()}
        kept = quarantined(state)
        redriving = sum(letter["redriving"] for letter in dlq(state, "list")["dead_letters"])
        given_up = given_up_events(state)
        for _ in range(2):
            dlq(state, "redrive", "--domain", "organisation", "--yes")
            stack.wait_idle(60)
        events = first_deliveries(stack, rulesets)
        return World(
            letters=letters,
            shown=shown,
            report=report,
            expected={domain: resolve(rules, events[domain]) for domain, rules in rulesets.items()},
            index=index,
            kept=kept,
            redriving=redriving,
            given_up=given_up,
            kept_after_two_more=quarantined(state),
        )


def publish(stack: LocalStack, events: list[dict[str, Any]]) -> None:
    """Put events on the change stream as producers do."""
    with Publisher(stack.kinesis.client("kinesis"), CHANGES_STREAM) as publisher:
        for event in events:
            publisher.put(orjson.dumps(event), partition_key_of(event))


def dlq(state: Path, *argv: str) -> dict[str, Any]:
    """Run a command of dlq in this process and return its document."""
    with pytest.MonkeyPatch.context() as patch:
        said: list[object] = []
        patch.setattr("mdm_stream.cli.commands.dlq.print_json", said.append)
        assert run(["dlq", *argv, "--state", str(state), "--json"]) == 0
    (document,) = said
    assert isinstance(document, dict)
    return document


def given_up_events(state: Path) -> int:
    """Count the events in the on-failure folder."""
    return sum(
        letter.events
        for letter in DeadLetters(FolderObjects(state / ON_FAILURE_FOLDER), "on_failure").find(Selection())
    )


def quarantined(state: Path) -> list[QuarantineEntry]:
    """Return all that the quarantine holds, set aside or not."""
    return [decode_entry(path.read_bytes()) for path in files_below(state / QUARANTINE_FOLDER)]


def first_deliveries(stack: LocalStack, rulesets: dict[str, Ruleset]) -> dict[str, list[ChangeEvent]]:
    """Return the events on the change stream by domain, as they were before anything was redriven."""
    decoder = Decoder(rulesets)
    events: dict[str, list[ChangeEvent]] = {domain: [] for domain in rulesets}
    for record in stream_records(stack.kinesis.client("kinesis"), CHANGES_STREAM):
        if is_envelope(record["Data"]):
            continue
        arrival_s = record["ApproximateArrivalTimestamp"].timestamp()
        try:
            for event in decoder.decode(Delivery.from_kinesis(record["Data"], record["SequenceNumber"], arrival_s)):
                events[event.domain].append(event)
        except RejectedEventError:
            continue
    return events


def test_every_event_that_did_not_get_through_is_listed(world: World) -> None:
    """Rejected events by their reasons, batches by their condition; identical bytes count as often as they say more."""
    causes = [cause for letter in world.letters if letter["kind"] == "quarantine" for cause in letter["causes"]]
    assert causes.count("unknown_domain") == len(BEFORE) - 1 - len(STILL_BAD) - 1  # one was sent twice, with a version
    batches = [letter for letter in world.letters if letter["kind"] == "on_failure"]
    assert sum(letter["events"] for letter in batches) == len(WITHOUT_REDIS)
    assert {cause for letter in batches for cause in letter["causes"]} == {"RetryAttemptsExhausted"}
    assert not any(letter["redriving"] or letter["problem"] for letter in world.letters)


def test_a_dead_letter_can_be_looked_into(world: World) -> None:
    """On request its bytes are shown, with the place that they had."""
    (event,) = world.shown["events"]
    assert orjson.loads(event["text"])["domain"] == "organisation"
    assert event["origin"].endswith(event["position"].lstrip("0"))


def test_a_redriven_event_differs_in_nothing_from_a_first_delivery(world: World) -> None:
    """Crosswalk, golden records, versions, times and ids are those of the reference over the first deliveries alone."""
    assert world.report["left"] == {}
    assert world.report["events"] == sum(letter["events"] for letter in world.letters)
    assert world.index == world.expected
    (golden,) = [each for each in world.index["organisation"].golden.values() if len(each["members"]) > 1]
    assert {(key["source"], key["record_id"]) for key in golden["members"]} >= {("crm", "1"), ("erp", "7")}
    assert {"source": "crm", "record_id": "1"} in [
        key for each in world.index["person"].golden.values() for key in each["members"]
    ]


def test_what_is_still_bad_is_quarantined_again_once(world: World) -> None:
    """However often it is redriven: in the quarantine it is one entry with its own bytes, place and new reasons."""
    assert sorted(entry.delivery.raw for entry in world.kept) == sorted(orjson.dumps(event) for event in STILL_BAD)
    assert not any(reason.code == "unknown_domain" for entry in world.kept for reason in entry.reasons)
    assert {entry.quarantine_id for entry in world.kept_after_two_more} == {entry.quarantine_id for entry in world.kept}
    assert len(world.kept_after_two_more) == len(world.kept)
    places = {entry.quarantine_id: entry.delivery.position for entry in world.kept}
    assert all(entry.delivery.position == places[entry.quarantine_id] for entry in world.kept_after_two_more)


def test_nothing_else_is_left(world: World) -> None:
    """What was applied is no dead letter any more, and nothing is half-way."""
    assert (world.redriving, world.given_up) == (0, 0)
