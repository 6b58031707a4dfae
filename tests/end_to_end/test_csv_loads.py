"""Exports of one source, one after the other, through the whole stack: exactly the rows that differ change."""

from __future__ import annotations

import base64
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from end_state import expected_state, feed_changes, files_below, settle

from mdm_stream.aws.loopback import loopback_environment
from mdm_stream.cli.main import run
from mdm_stream.core.reference import Resolution
from mdm_stream.deployment import QUARANTINE_FOLDER
from mdm_stream.local.pipeline import start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, STEWARD_STREAM, LocalStack
from mdm_stream.rules import load_ruleset

ROWS = 200
RULES = """\
extends: person
version: 1
sources:
  desk: {format: csv, key: no, attributes: {full_name: name, email: mail, city: town}}
"""
MONDAY, TUESDAY, WEDNESDAY = "2026-03-02", "2026-03-03", "2026-03-04"


def rows_of_monday() -> dict[int, list[str]]:
    """The first export: people who have nothing in common."""
    drawn = random.Random(7)
    words = ["".join(drawn.choices("abcdefghijklmnoprstuvz", k=9)).title() for _ in range(2 * ROWS)]
    return {
        number: [f"{words[2 * number]} {words[2 * number + 1]}", f"{words[2 * number].lower()}@mail.example", "Köln"]
        for number in range(ROWS)
    }


@dataclass(slots=True)
class Loads:
    """A stack and its streams, to which files are published."""

    stack: LocalStack
    folder: Path
    rules: Path

    def publish(self, rows: dict[int, list[str]], *argv: str, shuffle: int | None = None, name: str = "x.csv") -> int:
        """Publish an export of these rows, as a spreadsheet of Windows writes it; return the exit code."""
        lines = [";".join([str(number), *cells]) for number, cells in rows.items()]
        if shuffle is not None:
            random.Random(shuffle).shuffle(lines)
        path = self.folder / name
        path.write_bytes("\r\n".join(["no;name;mail;town", *lines, ""]).encode("cp1252"))
        place = ["--endpoint", self.stack.kinesis.endpoint_url, "--rules", str(self.rules), "--source", "desk"]
        place += ["--stream", CHANGES_STREAM, "--redis", self.stack.redis.url]
        return run(["publish", str(path), *place, *argv])

    def feed(self) -> list[dict[str, Any]]:
        """Wait until all is applied, and return every golden change so far."""
        self.state()
        return feed_changes(self.stack.kinesis.client("kinesis"))

    def state(self) -> Resolution:
        """Wait until all is applied, and return the index."""
        return settle(self.stack, load_ruleset(self.rules))


@pytest.fixture(scope="module")
def loads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loads]:
    """A running stack."""
    folder = tmp_path_factory.mktemp("loads")
    rules = folder / "rules.yaml"
    rules.write_text(RULES)
    with LocalStack(folder / "state") as stack, pytest.MonkeyPatch.context() as patch:
        environment = loopback_environment(stack.kinesis.endpoint_url, stack.kinesis.keys, os.environ)
        for name, value in environment.items():
            patch.setenv(name, value)
        start_consumers(stack, [str(rules)])
        yield Loads(stack, folder, rules)


def test_exports_change_exactly_the_rows_that_differ(loads: Loads, capsys: pytest.CaptureFixture[str]) -> None:
    """A file, the same again, its shuffled copy, tomorrow's export, and a full load of which a tenth is gone."""
    monday = rows_of_monday()
    assert loads.publish(monday, "--as-of", MONDAY) == 0
    first = loads.feed()
    assert rows_changed(first) == {str(number) for number in monday}

    assert loads.publish(monday, "--as-of", MONDAY) == 0
    assert loads.feed() == first
    assert loads.publish(monday, "--as-of", MONDAY, shuffle=3) == 0
    shuffled = loads.feed()
    assert rows_changed(shuffled, since=len(first)) == set()

    tuesday = {**monday, 3: [monday[3][0], "new@mail.example", "Ulm"], ROWS: ["Nora Quist", "nq@mail.example", "Kiel"]}
    assert loads.publish(tuesday, "--as-of", TUESDAY) == 0
    assert loads.publish(monday, "--as-of", MONDAY, shuffle=4) == 0
    superseded = loads.feed()
    assert rows_changed(superseded, since=len(shuffled)) == {"3", str(ROWS)}
    assert emails_in(loads.state()) == {str(number): cells[1] for number, cells in tuesday.items()}

    gone = set(range(0, ROWS, 10))
    wednesday = {number: cells for number, cells in tuesday.items() if number not in gone}
    assert loads.publish(wednesday, "--as-of", WEDNESDAY, "--full", "--max-deleted", "0.05") == 1
    assert "lacks 20 of 201 live records" in capsys.readouterr().err
    assert loads.feed() == superseded
    assert loads.publish(wednesday, "--as-of", WEDNESDAY, "--full") == 0
    full = loads.feed()
    assert rows_changed(full, since=len(superseded)) == {str(number) for number in gone}
    assert emails_in(loads.state()) == {str(number): cells[1] for number, cells in wednesday.items()}
    assert loads.state() == expected_state(loads.stack.kinesis.client("kinesis"), load_ruleset(loads.rules))
    assert loads.publish(wednesday, "--as-of", WEDNESDAY, "--full") == 0
    assert "0 of 181 live records are not in the full load" in capsys.readouterr().err
    assert loads.feed() == full


def rows_changed(changes: list[dict[str, Any]], since: int = 0) -> set[str]:
    """The rows whose golden record has other values, or is there no more, after the first ``since`` changes.

    A golden record that is only written by a later load keeps its values, and says so in its provenance.
    """
    values: dict[str, Any] = {}
    rows: set[str] = set()
    for place, change in enumerate(changes):
        now = None if change["op"] == "retire" else change["values"]
        if place >= since and now != values.get(change["golden_id"]):
            rows |= {key["record_id"] for key in change["members"] or change["removed"]}
        values[change["golden_id"]] = now
    return rows


def emails_in(state: Resolution) -> dict[str, str]:
    """The email of each record's golden record, which has that record alone."""
    found = {}
    for golden in state.golden.values():
        (member,) = golden["members"]
        (found[member["record_id"]],) = golden["values"]["email"]
    return found


def test_a_full_load_with_a_row_that_names_no_record_is_refused(
    loads: Loads, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whose row it is cannot be told, and that record would be deleted."""
    rows = {number: ["Ann Lee", "a@mail.example", "Ulm"] for number in range(3)} | {3: ["too", "many", "cells", "here"]}
    assert loads.publish(rows, "--as-of", WEDNESDAY, "--full") == 1
    assert "of 1 rejected rows the record is unknown" in capsys.readouterr().err


def test_a_rejected_row_is_kept_for_its_true_reason_and_can_be_redriven(loads: Loads) -> None:
    """It lies in the quarantine with file, line and header; redriven before the cause is mended it is there again."""
    rows = {900: ["Una Rask", "una@mail.example", "Kiel"], 901: ["Bert Holm", "bert@mail.example", "Kiel", "x"]}
    assert loads.publish(rows, "--as-of", "2026-03-05", name="late.csv") == 0
    loads.state()
    (kept,) = [orjson.loads(path.read_bytes()) for path in files_below(loads.stack.state_dir / QUARANTINE_FOLDER)]
    assert [reason["code"] for reason in kept["reasons"]] == ["ragged_row"]
    held = orjson.loads(base64.b64decode(kept["raw_base64"]))["csv_row"]
    assert (held["file"], held["line"], held["header"]) == ("late.csv", 3, ["no", "name", "mail", "town"])
    place = ["--quarantine", str(loads.stack.state_dir / QUARANTINE_FOLDER)]
    place += [
        "--endpoint",
        loads.stack.kinesis.endpoint_url,
        "--stream",
        CHANGES_STREAM,
        "--steward-stream",
        STEWARD_STREAM,
    ]
    assert run(["dlq", "redrive", "--all", "--yes", *place]) == 0
    loads.state()
    (again,) = [orjson.loads(path.read_bytes()) for path in files_below(loads.stack.state_dir / QUARANTINE_FOLDER)]
    assert again["raw_base64"] == kept["raw_base64"]
    assert again["reasons"] == kept["reasons"]
