"""A population written to a folder."""

import csv
import hashlib
import os
from pathlib import Path

import orjson
import pytest

from mdm_stream.errors import ConfigurationError
from mdm_stream.simulate import DEMO_RULES, EVENT_FILES, generate, write_population

REPOSITORY = Path(__file__).resolve().parents[2]


def test_files_hold_the_stream_in_order_of_delivery(tmp_path):
    """Each source's file has its deliveries, one a line, in order; truth.csv has the truth."""
    manifest = write_population(tmp_path / "out", 120, 4)
    events = list(generate(120, 4).events())
    for source, name in EVENT_FILES.items():
        lines = (tmp_path / "out" / name).read_bytes().splitlines()
        assert lines == [event.raw for event in events if event.source == source]
    with (tmp_path / "out" / "truth.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["source", "record_id", "entity_id"]
    assert [tuple(row) for row in rows] == list(generate(120, 4).truth())
    assert manifest["deliveries"] == len(events)
    assert manifest["events"] + manifest["repeated_deliveries"] == len(events)


def test_writing_again_gives_the_same_bytes(tmp_path):
    """The manifest's digests are those of the files, and the same for the same arguments."""
    first = write_population(tmp_path / "a", 50, 9)
    second = write_population(tmp_path / "b", 50, 9)
    again = write_population(tmp_path / "b", 50, 9)
    assert first == second == again
    for name, entry in first["files"].items():
        content = (tmp_path / "a" / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"])
    assert orjson.loads((tmp_path / "a" / "manifest.json").read_bytes()) == first
    assert not list(tmp_path.rglob("*.partial"))


def test_the_example_rules_are_the_rules_that_are_written(tmp_path):
    """examples/rules/demo.yaml and rules.yaml of every population are one text."""
    write_population(tmp_path, 1, 1)
    assert (REPOSITORY / "examples/rules/demo.yaml").read_text(encoding="utf-8") == DEMO_RULES
    assert (tmp_path / "rules.yaml").read_text(encoding="utf-8") == DEMO_RULES


def test_progress_ends_at_what_was_expected(tmp_path):
    """Progress never shrinks, and ends complete."""
    told = []
    write_population(tmp_path, 400, 2, on_progress=lambda *call: told.append(call))
    assert len(told) > 1
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert told[-1][1] == told[-1][2]


def test_a_folder_that_cannot_be_made_is_explained(tmp_path):
    """A path below a file is a configuration error that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=f"file{os.sep}out"):
        write_population(tmp_path / "file" / "out", 1, 1)
