"""The resolve consumer's Lambda entry point, called as Lambda calls it, on a real Redis and a real Kinesis API."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from end_state import files_below, stream_records
from function_servers import function_servers

from mdm_stream.decode.kinesis_event import kinesis_record
from mdm_stream.local.event_source.mapping import FunctionContext, schedule_event
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.local.stack import GOLDEN_STREAM

SAMPLE = Path(__file__).parents[1] / "fixtures" / "lambda" / "kinesisStreamEvent.json"
FIRST_SEQUENCE = 49590338271490256608559692538361571095921575989136588898
MODULE = "consumers.resolve.handler"
PERSONAL = ("Wilhelmina", "Quackenbush", "1961-07-04", "wilhelmina.q@example.org", "Hello")
AWAY_S_MAX = 20
"""How long an invocation may last that finds no Redis: Lambda's own limit must not end it before it has answered."""


@dataclass(slots=True)
class World:
    """A warm function and what it is connected to."""

    module: Any
    redis: RedisServer
    kinesis: KinesisServer
    quarantine: Path

    def feed(self) -> list[dict[str, Any]]:
        """Return all messages on the golden feed, in order."""
        return [orjson.loads(record["Data"]) for record in stream_records(self.kinesis.client(), GOLDEN_STREAM)]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A cold start. Redis is reached by a socket, so that it comes back where it was after a restart."""
    with function_servers(GOLDEN_STREAM) as servers:
        settings = {
            "MDM_REDIS_TIMEOUT_S": "2",
            "MDM_GOLDEN_STREAM": GOLDEN_STREAM,
            "MDM_ARCHIVE_URL": (servers.folder / "archive").as_uri(),
            "MDM_CHANGES_STREAM": "mdm-changes",
            "MDM_GOLDEN_BYTES_WARN": "16384",
        }
        module = servers.start(MODULE, settings)
        yield World(module, servers.redis, servers.kinesis, servers.folder / "quarantine")


@pytest.fixture
def log(world: World, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the function logs during a test."""
    output = io.StringIO()
    monkeypatch.setattr(world.module.logger.registered_handler, "stream", output)
    return output


def kinesis_event(*payloads: bytes, first: int = 0) -> dict[str, Any]:
    """Return the sample event with other records in it; sequence numbers count up from the sample's."""
    template = json.loads(SAMPLE.read_text())["Records"][0]
    records = []
    for number, payload in enumerate(payloads, start=first):
        sequence = str(FIRST_SEQUENCE + number)
        kinesis = {"sequenceNumber": sequence, "data": base64.b64encode(payload).decode()}
        records.append(
            template | {"eventID": f"shardId-000000000006:{sequence}", "kinesis": template["kinesis"] | kinesis}
        )
    return {"Records": records}


def person(record_id: str, source: str = "crm", **attributes: str) -> bytes:
    """Return a change event of somebody whose values stand out in a log."""
    values = {
        "given_name": PERSONAL[0],
        "family_name": PERSONAL[1],
        "birth_date": PERSONAL[2],
        "email": PERSONAL[3],
    }
    event = {"domain": "person", "source": source, "record_id": record_id, "op": "upsert", "version": 1}
    return orjson.dumps(event | {"attributes": values | attributes})


def call(world: World, event: dict[str, Any]) -> dict[str, Any]:
    """Invoke the function."""
    return world.module.handler(event, FunctionContext("resolve"))


def test_the_documented_event_is_taken_as_it_is(world: World, log: io.StringIO) -> None:
    """AWS's own sample, whose records are no change events, is quarantined with nothing to deliver again."""
    assert call(world, json.loads(SAMPLE.read_text())) == {"batchItemFailures": []}
    kept = [orjson.loads(path.read_bytes()) for path in files_below(world.quarantine)]
    assert {base64.b64decode(entry["raw_base64"]) for entry in kept} == {
        b"Hello, this is a test.",
        b"This is only a test.",
    }
    assert {entry["reasons"][0]["code"] for entry in kept} == {"invalid_json"}
    assert [message["type"] for message in world.feed()] == ["mdm.event.quarantined"] * 2


def test_a_golden_record_that_grows_large_is_reported(
    world: World, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line has its id, members and bytes, a metric counts it, and no value is in either."""
    emails = [f"somebody{number}@{'m' * 60}.{'n' * 60}.{'o' * 60}.example.org" for number in range(60)]
    event = orjson.loads(person("large", given_name="Large"))
    event["attributes"] |= {"email": emails, "birth_date": "1901-01-01", "family_name": "Quist"}
    assert call(world, kinesis_event(orjson.dumps(event), first=50)) == {"batchItemFailures": []}
    [line] = [entry for entry in map(json.loads, log.getvalue().splitlines()) if entry["message"] == "golden_large"]
    assert (line["level"], line["members"], line["bytes"] > 16_384) == ("WARNING", 1, True)
    assert "somebody" not in log.getvalue()
    metrics = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "GoldenLarge" in text]
    assert metrics[-1]["GoldenLarge"] == [1.0]


def test_a_batch_becomes_golden_changes(world: World, log: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    """Two systems' records of one person become one golden record on the feed, with metrics, and a log to follow it."""
    before = len(world.feed())
    batch = kinesis_event(person("42"), person("7", source="erp"), b"Hello, Wilhelmina")
    assert call(world, batch) == {"batchItemFailures": []}
    changes = [message["data"] for message in world.feed()[before:] if message["type"] == "mdm.golden.upserted"]
    assert {(key["source"], key["record_id"]) for key in changes[-1]["members"]} == {("crm", "42"), ("erp", "7")}
    (metrics,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"Events"' in line]
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "mdm-stream"
    assert (metrics["Events"], metrics["Quarantined"]) == ([3.0], [1.0])
    assert len(metrics["EventToGolden"]) == 3
    (line,) = log.getvalue().splitlines()
    entry = json.loads(line)
    assert entry["correlation_id"] == batch["Records"][0]["eventID"]
    assert (entry["records"], entry["quarantined"], entry.get("first_failed")) == (3, 1, None)
    assert entry["function_request_id"]


def test_a_redelivered_batch_has_no_second_effect(world: World, log: io.StringIO) -> None:
    """Lambda delivers at least once: the same batch again succeeds and publishes no golden change."""
    batch = kinesis_event(person("42"), person("7", source="erp"))
    call(world, batch)
    before = len(world.feed())
    assert call(world, batch) == {"batchItemFailures": []}
    assert len(world.feed()) == before
    assert json.loads(log.getvalue().splitlines()[-1])["absorbed"] == 2


def test_without_redis_the_lowest_sequence_number_is_reported(world: World, log: io.StringIO) -> None:
    """Nothing of the batch is claimed done, the invocation ends in time, and once Redis is back the retry succeeds."""
    before = len([message for message in world.feed() if "golden" in message["type"]])
    batch = kinesis_event(person("50", email="fifty@example.org"), b"{", person("51", given_name="Xu"), first=100)
    world.redis.stop()
    try:
        started_s = time.monotonic()
        response = call(world, batch)
        assert time.monotonic() - started_s < AWAY_S_MAX
    finally:
        world.redis.start()
    assert response == {"batchItemFailures": [{"itemIdentifier": str(FIRST_SEQUENCE + 100)}]}
    failed = json.loads(log.getvalue().splitlines()[-1])
    assert failed["first_failed"] == 0
    assert failed["cause"]
    assert call(world, batch) == {"batchItemFailures": []}
    golden = [message["data"] for message in world.feed() if "golden" in message["type"]]
    assert [change["sequence"] for change in golden] == list(range(1, len(golden) + 1))
    assert len(golden) > before


def test_a_tick_publishes_what_a_killed_invocation_left(world: World, log: io.StringIO) -> None:
    """A schedule's event has no records: it sends on what was committed and not yet published."""
    stream = world.kinesis.client()
    (domain,) = world.module.resolver._domains.values()
    left_behind = person("60", family_name="Left-Behind", email="sixty@example.org")
    place = kinesis_record(kinesis_event(b"")["Records"][0]).delivery
    event = world.module.resolver._intake.decoder.decode(replace(place, raw=left_behind))
    domain.engine.process(list(event))
    before = len(list(stream_records(stream, GOLDEN_STREAM)))
    assert call(world, schedule_event("arn:aws:kinesis:us-east-1:123456789012:stream/mdm-changes", time.time())) == {
        "batchItemFailures": []
    }
    (message,) = world.feed()[before:]
    assert {"source": "crm", "record_id": "60"} in message["data"]["members"]
    assert json.loads(log.getvalue().splitlines()[-1])["published"] == 1


def test_no_log_line_holds_a_personal_value(world: World, log: io.StringIO, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever becomes of a batch (applied, rejected, absorbed, failed), its values stay out of every log."""
    wrong = person("70").replace(b'"upsert"', b'"Wilhelmina"')
    batch = kinesis_event(person("70"), wrong, person("70")[:-20], person("70", source="no source!"), first=200)
    call(world, batch)
    world.redis.stop()
    try:
        call(world, batch)
    finally:
        world.redis.start()
    call(world, batch)
    said = log.getvalue() + caplog.text
    assert len(log.getvalue().splitlines()) == 4  # one a batch, and the warning of the one that failed
    assert [value for value in PERSONAL if value in said] == []
