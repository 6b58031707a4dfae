"""The command trace on stores that are named one by one, filled by the real consumer and the real warehouse."""

from __future__ import annotations

import base64
import re
import shlex
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis
from erase_world import REF, World, upsert
from source_tree import ROOT

from mdm_stream.cli.main import run
from mdm_stream.contracts.signature import SigningKey
from mdm_stream.core.canonical import digest_of_bytes
from mdm_stream.core.cluster.golden import golden_id_of
from mdm_stream.local.kinesis.server import KinesisServer
from producers.events_api.event_ids import EventIds, PostedEvent

pytestmark = pytest.mark.one_redis

MARKER = "Markermund"
OTHER = {"given_name": "Balthasar", "family_name": "Zwirn", "birth_date": "1950-05-05", "city": MARKER}


class Traced:
    """The stores of a world, and the command on them."""

    def __init__(self, world: World, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        self.world, self.arguments, self.capsys = world, arguments, capsys

    def run(self, *argv: str, without: str = "") -> tuple[int, str, str]:
        """Run the command; return its exit code, stdout and stderr."""
        arguments = list(self.arguments)
        if without:
            place = arguments.index(without)
            del arguments[place : place + 2]
        code = run(["trace", *argv, *arguments])
        out, err = self.capsys.readouterr()
        return code, out, err

    def document(self, *argv: str, without: str = "") -> dict[str, Any]:
        """Run the command and return its document, in which is no value unless that was asked for."""
        code, out, err = self.run(*argv, "--json", without=without)
        assert code == 0, err
        assert "--values" in argv or MARKER not in out
        found = orjson.loads(out)
        assert isinstance(found, dict)
        return found


@pytest.fixture
def traced(
    server: KinesisServer,
    redis_client: redis.Redis,
    redis_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Traced:
    """Empty stores, and the options that name them."""
    world = World(server.client(), redis_client, tmp_path)
    return Traced(world, world.options(redis_url, server.endpoint_url), capsys)


def stages(journey: dict[str, Any]) -> list[str]:
    """Return the stages of a journey."""
    return [step["stage"] for step in journey["steps"]]


def step_of(journey: dict[str, Any], stage: str) -> dict[str, Any]:
    """Return the first step of a stage."""
    found = next(step for step in journey["steps"] if step["stage"] == stage)
    assert isinstance(found, dict)
    return found


def golden_of(journey: dict[str, Any]) -> list[tuple[str, str]]:
    """Return id and status of the golden changes in a journey."""
    return [(step["golden_id"], step["status"]) for step in journey["steps"] if step["stage"] == "golden"]


def test_a_matched_event_leads_to_its_warehouse_row(traced: Traced) -> None:
    """Every step is there, in order, with its time and place: stream, archive, state, golden change, feed, table."""
    traced.world.send(upsert(city=MARKER))
    traced.world.send(upsert("erp/1"))
    found = traced.document("erp/1")
    (journey,) = found["journeys"]
    assert (found["record"], found["kind"], journey["outcome"]) == ("erp/1", "event", "applied")
    assert stages(journey) == ["received", "archived", "state", "golden", "feed", "warehouse", "warehouse"]
    golden = step_of(journey, "golden")
    assert golden["golden_id"] == golden_id_of("person", REF)
    assert "the record became a member" in golden["evidence"]
    history, current = (step for step in journey["steps"] if step["stage"] == "warehouse")
    assert (history["table"], history["sequence"]) == ("golden_history", golden["sequence"])
    assert (current["table"], current["sequence"]) == ("golden_record", golden["sequence"])
    timed = [step for step in journey["steps"] if step["time"]]
    assert [step["stage"] for step in timed] == ["received", "golden", "feed", "warehouse"]
    assert all(step["after_ms"] is not None for step in timed[1:])
    assert journey["elapsed_ms"] > 0
    place = step_of(journey, "received")["place"]
    assert traced.document(place)["journeys"] == found["journeys"]
    assert traced.document(place.partition("/")[2])["journeys"] == found["journeys"]
    assert traced.document("erp/1@1")["journeys"] == found["journeys"]


def test_people_read_it_without_values(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table for each delivery; values come with --values alone."""
    monkeypatch.setenv("COLUMNS", "200")
    traced.world.send(upsert(city=MARKER))
    code, out, err = traced.run(REF)
    assert (code, err) == (0, "")
    assert "upsert at version 1: applied, and stands" in out
    assert MARKER not in out
    assert MARKER in traced.run(REF, "--values")[1]


def test_a_duplicate_and_a_stale_event_are_absorbed(traced: Traced) -> None:
    """A write that was sent again names the first delivery, and an old one the version that was there before it."""
    traced.world.send(upsert(version=5, city=MARKER))
    traced.world.send(upsert(version=5, city=MARKER))
    traced.world.send(upsert(version=2))
    first, second, stale = traced.document(REF)["journeys"]
    assert [each["outcome"] for each in (first, second, stale)] == ["applied", "absorbed", "absorbed"]
    assert step_of(second, "state")["duplicate_of"] == step_of(first, "received")["place"]
    assert step_of(stale, "state")["superseded_by"] == "5"
    assert "golden" not in stages(second) + stages(stale)
    (only,) = traced.document(f"{REF}@2")["journeys"]
    assert only == stale


def test_what_was_overtaken_says_by_what(traced: Traced) -> None:
    """A write that counted once and does not any more names the version in its place; its golden change stays its."""
    traced.world.send(upsert(version=1, city="Altstadt"))
    traced.world.send(upsert(version=2, city=MARKER))
    first, second = traced.document(REF)["journeys"]
    assert step_of(first, "state")["superseded_by"] == "2"
    assert step_of(second, "state")["superseded_by"] is None
    assert step_of(first, "golden")["sequence"] < step_of(second, "golden")["sequence"]
    newest = traced.document(REF, "--last", "1")
    assert newest["journeys"] == [second]
    traced.world.archive.compact("person", part_content_bytes=1)
    compacted = traced.document(REF)["journeys"]
    assert [golden_of(each) for each in compacted] == [golden_of(first), golden_of(second)]
    assert "compacted" in step_of(compacted[0], "archived")["said"]


def test_a_quarantined_event_says_why(traced: Traced) -> None:
    """The dead letter and its reasons are named; found by record, by place, and by its id."""
    traced.world.send({**upsert(city=MARKER), "surprise": 1})
    (journey,) = traced.document(REF)["journeys"]
    assert journey["outcome"] == "refused"
    refused = step_of(journey, "refused")
    assert len(refused["reasons"]) == 1
    assert "mdm-stream dlq show" in refused["said"]
    for name in (refused["letter_id"], step_of(journey, "received")["place"], f"{REF}@1"):
        assert traced.document(name)["journeys"] == [journey]
    assert traced.run(f"{REF}@7")[0] == 1
    traced.world.quarantine.delete([refused["place"]])
    (reported,) = traced.document(refused["letter_id"])["journeys"]
    assert step_of(reported, "refused")["kind"] == "report"


def test_a_batch_that_failed_for_good_is_found(traced: Traced) -> None:
    """An event in the on-failure destination is told with Lambda's condition."""
    traced.world.give_up(upsert(city=MARKER), upsert("erp/9"))
    (journey,) = traced.document(REF)["journeys"]
    assert step_of(journey, "refused")["condition"] == "RecordAgeExceeded"


def test_an_erased_record_is_erased_and_nothing_else(traced: Traced) -> None:
    """No delivery, place, version or golden change of it is told, whatever the stores still have."""
    traced.world.send(upsert(city=MARKER))
    place = step_of(traced.document(REF)["journeys"][0], "received")["place"]
    traced.world.send({**{k: v for k, v in upsert().items() if k not in ("attributes", "version")}, "op": "erase"})
    traced.world.send(upsert(version=9, city=MARKER))
    traced.world.give_up(upsert(version=8, city=MARKER))
    for name in (REF, place):
        found = traced.document(name)
        (journey,) = found["journeys"]
        assert (journey["outcome"], stages(journey)) == ("erased", ["state"])
        assert found["looked_into"] == []
        assert "version" not in orjson.dumps(journey).decode()
    golden = traced.document(golden_id_of("person", REF))
    assert [stages(each) for each in golden["journeys"]] == [["state"]]
    traced.world.erase()
    (left,) = traced.document(place)["journeys"]
    assert (left["outcome"], stages(left)) == ("erased", ["state"])
    assert REF not in orjson.dumps(left).decode()


def test_a_merge_shows_what_was_merged_away(traced: Traced) -> None:
    """The event that joins two golden records shows both changes; the id that ended leads to the same event."""
    traced.world.send(upsert(city=MARKER))
    traced.world.send(upsert("erp/1", **OTHER))
    apart, one = golden_id_of("person", "erp/1"), golden_id_of("person", REF)
    traced.world.send(upsert("erp/1", version=2))
    first, second = traced.document("erp/1")["journeys"]
    assert golden_of(first) == [(apart, "live")]
    assert sorted(golden_of(second)) == sorted([(one, "live"), (apart, "retired")])
    found = traced.document(apart)
    assert found["kind"] == "golden"
    assert f"merged into {one}" in found["summary"][0]
    live, retired = found["journeys"]
    assert stages(live)[:3] == ["received", "archived", "state"]
    assert step_of(retired, "received")["place"] == step_of(second, "received")["place"]
    assert step_of(retired, "golden")["merged_into"] == one


def test_a_merge_by_the_other_side_is_told_too(traced: Traced) -> None:
    """A golden record that ends because a record of the other one changed shows that record's event."""
    traced.world.send(upsert(city=MARKER))
    traced.world.send(upsert("erp/1", **OTHER))
    traced.world.send(upsert(version=2, **OTHER))
    apart, one = golden_id_of("person", "erp/1"), golden_id_of("person", REF)
    *_, last = traced.document(REF)["journeys"]
    assert {golden_id for golden_id, _ in golden_of(last)} == {apart, one}
    ended = apart if (apart, "retired") in golden_of(last) else one
    *_, retired = traced.document(ended)["journeys"]
    assert step_of(retired, "received")["place"] == step_of(last, "received")["place"]


def test_a_golden_record_leads_back_to_its_events(traced: Traced) -> None:
    """Each of its changes names the deliveries that it came of, of whichever record."""
    traced.world.send(upsert(city=MARKER))
    traced.world.send(upsert("erp/1"))
    traced.world.send({**upsert("erp/1", version=3), "op": "delete", "attributes": None})
    traced.world.send(
        {key: v for key, v in upsert("erp/1", version=3).items() if key != "attributes"} | {"op": "delete"}
    )
    found = traced.document(golden_id_of("person", REF))
    assert [step_of(each, "state")["said"].split(",")[0] for each in found["journeys"]] == [REF, "erp/1", "erp/1"]
    assert "the record left it" in step_of(found["journeys"][-1], "golden")["said"]
    assert traced.document(golden_id_of("person", REF), "--last", "1")["left_out"] == 2


def test_a_stewards_override_and_verdict_are_events(traced: Traced) -> None:
    """What a steward sends is traced like any other event."""
    traced.world.send(upsert(city="Altstadt"), upsert("erp/1"))
    key = {"domain": "person", "source": "crm", "record_id": "p-7", "event_time": "2026-03-02T00:00:00Z"}
    traced.world.send({**key, "op": "override", "version": 7, "attributes": {"city": MARKER}, "steward": "s-1"})
    *_, override = traced.document(REF)["journeys"]
    assert step_of(override, "state")["said"].startswith("override of city, version 7: applied")
    assert golden_of(override) == [(golden_id_of("person", REF), "live")]
    pair = {"a": {"source": "crm", "record_id": "p-7"}, "b": {"source": "erp", "record_id": "1"}}
    told = {"domain": "person", "op": "verdict", "verdict": "separate", "steward": "s-1", "version": 9, **pair}
    traced.world.send({**told, "event_time": "2026-03-03T00:00:00Z"})
    *_, verdict = traced.document("erp/1")["journeys"]
    assert "verdict separate" in step_of(verdict, "state")["said"]
    assert (golden_id_of("person", "erp/1"), "live") in golden_of(verdict)


def test_without_a_warehouse_the_feed_tells(traced: Traced) -> None:
    """Golden changes come from the feed then, as long as it has them."""
    traced.world.send(upsert(city=MARKER))
    (journey,) = traced.document(REF, without="--warehouse")["journeys"]
    assert stages(journey) == ["received", "archived", "state", "golden", "feed"]
    golden = traced.document(golden_id_of("person", REF), without="--warehouse")
    assert stages(golden["journeys"][0]) == ["received", "archived", "state", "golden", "feed"]


def test_an_event_that_waits_is_found_on_the_stream(traced: Traced) -> None:
    """At its place at once, and by its record with --streams; until then the error says where it was looked for."""
    traced.world.send(upsert("web/1"))
    traced.world.consuming = False
    traced.world.send(upsert(city=MARKER))
    code, out, err = traced.run(REF)
    assert (code, out) == (1, "")
    for said in (f"nothing is known of {REF}", "archive (", "dead letters (", "--streams"):
        assert said in err
    (journey,) = traced.document(REF, "--streams")["journeys"]
    assert stages(journey) == ["received", "waiting"]
    assert traced.document(step_of(journey, "received")["place"])["journeys"][0]["outcome"] == "waiting"


def test_log_lines_of_the_batch_are_shown(traced: Traced, tmp_path: Path) -> None:
    """Of the batch that the record was in, and of its invocation; counts and names, and texts with --values alone."""
    traced.world.send(upsert(city=MARKER))
    shard, _, number = (
        step_of(traced.document(REF)["journeys"][0], "received")["place"].partition("/")[2].partition(":")
    )
    first = {"level": "INFO", "service": "resolve", "timestamp": "2026-03-01 10:00:00,123+0000", "message": "batch"}
    lines = [
        {**first, "correlation_id": f"{shard}:{number}", "function_request_id": "r-1", "records": 3, "changes": 2},
        {**first, "function_request_id": "r-1", "level": "WARNING", "message": f"odd {MARKER}", "cause": MARKER},
        {**first, "correlation_id": f"{shard}:{int(number) + 1}", "function_request_id": "r-2"},
        {**first, "correlation_id": "shardId-000000000009:1", "function_request_id": "r-3"},
        {**first, "service": "another", "correlation_id": f"{shard}:{number}"},
    ]
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(b"no json\n[1]\n" + b"\n".join(map(orjson.dumps, lines)) + b"\n")
    (journey,) = traced.document(REF, "--logs", str(folder))["journeys"]
    logs = [step for step in journey["steps"] if step["stage"] == "log"]
    assert [step["function_request_id"] for step in logs] == ["r-1", "r-1"]
    assert (logs[0]["records"], logs[0]["time"]) == (3, "2026-03-01T10:00:00.123000Z")
    assert logs[0]["place"].endswith("a.jsonl:3")
    assert f"odd {MARKER}" in traced.run(REF, "--logs", str(folder), "--values")[1]
    code, _, err = traced.run(REF, "--logs", str(tmp_path / "absent"))
    assert code == 2
    assert "absent" in err


def test_an_id_of_the_events_api_is_opened_with_its_key(traced: Traced, tmp_path: Path) -> None:
    """An id says which bytes it is of; another key's is none of ours."""
    raw = orjson.dumps(upsert(city=MARKER))
    traced.world.send(raw, upsert(version=2))
    posted = PostedEvent("person", REF, "upsert", 1, "", "", digest_of_bytes(raw))
    event_id = EventIds(SigningKey("events-api", b"k" * 32)).seal(posted)
    keys = tmp_path / "keys"
    keys.mkdir()
    key = keys / "events-api"
    key.write_bytes(base64.b64encode(b"k" * 32))
    key.chmod(0o600)
    (journey,) = traced.document(event_id, "--id-keys", str(keys))["journeys"]
    assert step_of(journey, "state")["events"] == "upsert at version 1"
    assert traced.run(event_id)[0] == 2
    key.write_bytes(base64.b64encode(b"l" * 32))
    code, _, err = traced.run(event_id, "--id-keys", str(keys))
    assert code == 2
    assert "has sealed" in err


UNKNOWN = [
    ("crm/404", 1, "nothing is known of crm/404"),
    ("crm/404@7", 1, "crm/404 at version 7"),
    (f"{REF}@7", 1, "it is at version 1 now"),
    ("shardId-000000000000:99", 1, "nothing is known of the record at shardId-000000000000:99"),
    ("g" + "0" * 24, 1, "check the id"),
    ("0" * 32, 1, "nothing is known of dead letter"),
    ("what", 2, "is no golden id"),
    ("x/" + "y" * 10_000, 2, "1 to 8,192 characters"),
    ("crm/\x1b]0;owned\x07\u202e", 1, "\\x1b]0;owned\\x07\\u202e"),
    ("\x1b[2J", 2, "x1b[2J"),
    ("crm/' OR 1=1 --", 1, "nothing is known"),
]


def test_an_unknown_name_is_one_clear_sentence(traced: Traced) -> None:
    """What was looked for, where, and what to do; hostile names are text, and stdout stays empty."""
    traced.world.send(upsert())
    for name, code, said in UNKNOWN:
        found, out, err = traced.run(name)
        assert (found, out) == (code, ""), name
        assert said in err
        assert "\x1b" not in err
    assert "Looked into: dead letters (" in err


def test_stores_have_to_be_named(traced: Traced) -> None:
    """A trace does without most of them, and not without index, archive and rules."""
    assert run(["trace", REF, "--redis", "redis://127.0.0.1:1/0"]) == 2
    assert "--archive" in traced.capsys.readouterr().err
    assert run(["trace", REF, "--state", "absent"]) == 2
    assert "no local stack runs" in traced.capsys.readouterr().err


def test_the_calls_of_the_page_work(traced: Traced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call in docs/operate/trace.md finds something, on a stack that has its record."""
    page = (ROOT / "docs" / "operate" / "trace.md").read_text("utf-8")
    traced.world.send(upsert("crm/42", version=7))
    (tmp_path / "logs").mkdir()
    monkeypatch.chdir(tmp_path)
    place = step_of(traced.document("crm/42")["journeys"][0], "received")["place"].partition("/")[2]
    calls = re.findall(r"^mdm-stream trace (.*)$", page, re.MULTILINE)
    for call in calls:
        argv = [place if word.startswith("shardId-") else word for word in shlex.split(call, comments=True)]
        code, out, err = traced.run(*argv)
        assert code == 0, (call, err)
        assert "golden_history" in out
