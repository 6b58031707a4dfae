"""Bad input, on the stream and in files: it is kept with its reasons and its bytes, and everything else goes on."""

from __future__ import annotations

import base64
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from bad_events import RULES, BadEvent, bad_events, five_mb_event, good_event
from end_state import expected_state, files_below, settle, warehouse_rows

from mdm_stream.cli.main import run
from mdm_stream.core.reference import Resolution
from mdm_stream.dead_letters.quarantine import QuarantineEntry, decode_entry, quarantine_id_of
from mdm_stream.decode import Delivery
from mdm_stream.decode.formats import depends_on_receipt
from mdm_stream.deployment import QUARANTINE_FOLDER
from mdm_stream.local.pipeline import RESOLVE, WAREHOUSE, start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, LocalStack
from mdm_stream.rules import load_ruleset
from producers.publisher import Publisher

BAD = bad_events()
GOOD_REFS = [f"web/good-{number}" for number in range(len(BAD) + 1)]
ONE_KEY = "one"
"""Everything goes under one partition key, so that whatever held up one event would hold up all after it."""

TOMBSTONE = b""
PERSONAL = (b"Ada", b"Leeds", b"Zo\xc3\xab", b"@e.org", b"fax")
"""Values of the events, good and bad, that no log may repeat."""


@dataclass(slots=True)
class Stream:
    """A stack after good and bad events in turn."""

    state: Path
    index: Resolution
    expected: Resolution
    restarts: dict[str, int]
    status: dict[str, Any]


@pytest.fixture(scope="module")
def rules_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rules as a file."""
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(RULES)
    return path


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory, rules_file: Path) -> Stream:
    """Good and bad events in turn through both consumers; every bad one twice."""
    rules = load_ruleset(rules_file)
    with LocalStack(tmp_path_factory.mktemp("bad") / "state") as stack:
        start_consumers(stack, [str(rules_file)])
        client = stack.kinesis.client("kinesis")
        with Publisher(client, CHANGES_STREAM) as publisher:
            for number, bad in enumerate(BAD.values()):
                for raw in (good_event(number), bad.raw, bad.raw):
                    publisher.put(raw, ONE_KEY)
        client.put_record(StreamName=CHANGES_STREAM, Data=TOMBSTONE, PartitionKey=ONE_KEY)
        client.put_record(StreamName=CHANGES_STREAM, Data=good_event(len(BAD)), PartitionKey=ONE_KEY)
        return Stream(
            state=stack.state_dir,
            index=settle(stack, rules),
            expected=expected_state(client, rules),
            restarts={name: stack.consumer_restarts(name) for name in (RESOLVE, WAREHOUSE)},
            status=stack.consumer_status(RESOLVE),
        )


def kept_entries(stream: Stream) -> list[QuarantineEntry]:
    """Return all that the quarantine holds."""
    return [decode_entry(path.read_bytes()) for path in files_below(stream.state / QUARANTINE_FOLDER)]


def times_kept(bad: BadEvent) -> int:
    """Return how often an event is kept that was sent twice."""
    return 2 if depends_on_receipt(bad.raw) else 1


def test_every_good_event_is_resolved(stream: Stream) -> None:
    """What stands before, between and after bad events becomes golden records, as if they were not there."""
    assert sorted(stream.index.crosswalk) == sorted(GOOD_REFS)
    assert stream.index == stream.expected


def test_the_stream_goes_on(stream: Stream) -> None:
    """No bad event fails a batch, is tried again, goes to the on-failure destination, or ends a consumer."""
    assert stream.restarts == {RESOLVE: 0, WAREHOUSE: 0}
    assert (stream.status["failed_batches"], stream.status["partial_batches"]) == (0, 0)
    assert files_below(stream.state / "on-failure") == []


@pytest.mark.parametrize("name", BAD)
def test_each_bad_event_is_kept_with_its_reasons_and_its_bytes(stream: Stream, name: str) -> None:
    """The quarantine holds the very bytes, why they are no event, and where on the stream they were."""
    bad = BAD[name]
    entries = [entry for entry in kept_entries(stream) if entry.delivery.raw == bad.raw]
    assert len(entries) == times_kept(bad)
    for entry in entries:
        assert bad.code in [reason.code for reason in entry.reasons]
        assert all(reason.message for reason in entry.reasons)
        assert entry.delivery.origin.startswith("mdm-changes/shardId-")
        assert entry.delivery.origin.endswith(entry.delivery.position.lstrip("0"))


def test_the_quarantine_holds_nothing_else(stream: Stream) -> None:
    """Bytes that came twice are kept once, unless their place is a part of what they say; no tombstone is bad."""
    kept = kept_entries(stream)
    assert {entry.delivery.raw for entry in kept} == {bad.raw for bad in BAD.values()}
    assert len(kept) == sum(times_kept(bad) for bad in BAD.values())
    assert TOMBSTONE not in {entry.delivery.raw for entry in kept}
    assert {entry.quarantine_id for entry in kept} == {
        path.stem for path in files_below(stream.state / QUARANTINE_FOLDER)
    }


def test_the_warehouse_reports_each_bad_event(stream: Stream) -> None:
    """Analysts see every rejected event once, with its reasons and where its bytes are kept, and not the bytes."""
    sql = "SELECT quarantine_id, reasons, raw_bytes, location FROM quarantined_event"
    rows = {row[0]: row[1:] for row in warehouse_rows(stream.state, sql)}
    kept = kept_entries(stream)
    assert rows.keys() == {entry.quarantine_id for entry in kept}
    for entry in kept:
        reasons, raw_bytes, location = rows[entry.quarantine_id]
        assert [reason["code"] for reason in orjson.loads(reasons)] == [reason.code for reason in entry.reasons]
        assert raw_bytes == len(entry.delivery.raw)
        assert decode_entry(Path(location).read_bytes()) == entry


def test_no_log_repeats_a_value(stream: Stream) -> None:
    """Reasons are logged and counted; the values that they are about are not."""
    logs = b"".join(path.read_bytes() for path in files_below(stream.state / "logs"))
    assert b"quarantined" in logs
    assert [value for value in PERSONAL if value in logs] == []


def test_replay_keeps_each_bad_line(tmp_path: Path, rules_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a file, too, each bad event (and one of 5 MB) is rejected with its reasons; the lines around it are resolved.

    Blank lines are no events.
    """
    bad = {name: event for name, event in BAD.items() if event.raw.strip()} | {"5 MB": five_mb_event()}
    lines = [line for number, event in enumerate(bad.values()) for line in (good_event(number), event.raw, b"  ")]
    events, out = tmp_path / "events.jsonl", tmp_path / "out"
    events.write_bytes(b"\n".join([*lines, good_event(len(bad))]))
    assert run(["replay", str(events), "--rules", str(rules_file), "--out", str(out), "--json"]) == 0
    stats = orjson.loads(capsys.readouterr().out)
    assert (stats["events"], stats["quarantined"]) == (2 * len(bad) + 1, len(bad))
    _check_quarantine_file(out / "quarantine.jsonl", bad)
    with (out / "crosswalk.csv").open(newline="") as file:
        resolved = {f"{row['source']}/{row['record_id']}" for row in csv.DictReader(file)}
    assert resolved == {f"web/good-{number}" for number in range(len(bad) + 1)}


def _check_quarantine_file(path: Path, bad: dict[str, BadEvent]) -> None:
    entries = {entry["quarantine_id"]: entry for entry in map(orjson.loads, path.read_bytes().splitlines())}
    assert list(entries) == sorted(quarantine_id_of(Delivery.unplaced(event.raw)) for event in bad.values())
    for event in bad.values():
        entry = entries[quarantine_id_of(Delivery.unplaced(event.raw))]
        assert event.code in [reason["code"] for reason in entry["reasons"]]
        assert base64.b64decode(entry["raw_base64"]) == event.raw
        assert entry["received_from"].startswith("events.jsonl")


HEAD = "extends: person\nversion: 1\n"
MISTAKES = {
    "no YAML": ("extends: person\nversion: [1\n", "rules.yaml:3: "),
    "misspelt setting": ("extends: person\nversoin: 1\n", "rules.yaml:2: unknown setting 'versoin'"),
    "wrong type": ("extends: person\nversion: one\n", "rules.yaml:2: version has the wrong type"),
    "unknown pack": ("extends: persn\nversion: 1\n", "rules.yaml:1: "),
    "unknown attribute": (
        HEAD + "sources:\n  crm: {attributes: {emial: mail}}\n",
        "rules.yaml:4: there is no attribute 'emial'; did you mean 'email'?",
    ),
    "CDC source without a table": (
        HEAD + "sources:\n  crm:\n    format: debezium\n    key: id\n",
        "rules.yaml:4: source 'crm' has no 'table'",
    ),
    "level without a weight": (
        HEAD + "match:\n  comparisons:\n    email: {levels: [{when: exact}, {when: else, bits: -1}]}\n",
        "rules.yaml:5: a level needs either 'bits' or both 'm' and 'u'",
    ),
    "empty file": ("", "rules.yaml: the file holds no rule set"),
}
"""Rules with one mistake each, and how the one line that is said about it begins."""


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("command", ["rules check", "replay", "up"])
def test_a_wrong_rules_file_is_one_error_and_exit_code_2(
    tmp_path: Path, command: str, mistake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command that reads rules tells the file, the line and what to do, starts nothing, and exits with 2."""
    text, said = MISTAKES[mistake]
    rules, events = tmp_path / "rules.yaml", tmp_path / "events.jsonl"
    rules.write_text(text)
    events.write_bytes(good_event(1))
    argv = {
        "rules check": ["rules", "check", str(rules)],
        "replay": ["replay", str(events), "--rules", str(rules), "--out", str(tmp_path / "out")],
        "up": ["up", "--rules", str(rules), "--state", str(tmp_path / "state")],
    }[command]
    assert run(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("mdm-stream: ")
    assert said in err
    assert len(err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.jsonl", "rules.yaml"]


def test_a_rules_file_that_is_not_there_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong path is told as such."""
    assert run(["rules", "check", str(tmp_path / "absent.yaml")]) == 2
    assert "absent.yaml" in capsys.readouterr().err
