"""A domain begins with files of everything, archived and resolved in bulk, and goes on with the stream."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from end_state import GoldenState, change_events, settle, state_of_warehouse, wait_for
from stack_addresses import addresses_of

from mdm_stream.archive import open_archive
from mdm_stream.archive.rows import delivery_of
from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.reference import resolve
from mdm_stream.decode import Decoder
from mdm_stream.deployment import ARCHIVE_FOLDER, WAREHOUSE_FILE, write_stack
from mdm_stream.local.pipeline import start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, LocalStack
from mdm_stream.rules import load_ruleset
from producers.publisher import Publisher

pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed, which Spark needs"),
    pytest.mark.spark,
    pytest.mark.long,
    pytest.mark.timeout(1_200),
]


def _command(*arguments: str) -> bytes:
    command = [sys.executable, "-m", "mdm_stream.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=1_000, check=False)
    assert done.returncode == 0, (done.stdout[-2_000:], done.stderr[-2_000:])
    return done.stdout


def test_files_become_a_domain_that_the_stream_goes_on_with(tmp_path: Path) -> None:
    """Index, warehouse and the feed's snapshot have F of the files, and of an event that came while it ran."""
    pytest.importorskip("pyspark", reason="pyspark is not installed (pip install 'mdm-stream[spark]')")
    people, state = tmp_path / "people", tmp_path / "state"
    _command("generate", "--people", "150", "--out", str(people))
    rules_file = people / "rules.yaml"
    rules = load_ruleset(rules_file)
    with LocalStack(state) as stack:
        write_stack(state, addresses_of(stack, rules_file))
        late = RecordEvent("person", "web", "late", "upsert", 1, 1, {"given_name": "Late", "family_name": "Comer"})
        with Publisher(stack.kinesis.client("kinesis"), CHANGES_STREAM) as publisher:
            publisher.put(encode_event(late), late.ref)
        files = [str(path) for path in sorted(people.glob("*.jsonl"))]
        done = _command("bootstrap", *files, "--domain", "person", "--state", str(state), "--json")
        report = orjson.loads(done)["bootstrapped"]
        start_consumers(stack, [str(rules_file)])
        found = settle(stack, rules)
        archive = open_archive((state / ARCHIVE_FOLDER).as_uri())
        decoder = Decoder({"person": rules}, archived=True)
        events = [event for row in archive.read_new("person", set()) for event in decoder.decode(delivery_of(row))]
        assert late.ref in {ref for event in events for ref in event.refs}
        assert len(change_events(stack.kinesis.client("kinesis"), rules)) == 1
        expected = resolve(rules, events)
        assert found == expected
        state_of_f = GoldenState(expected.golden, expected.crosswalk)
        wait_for(lambda: state_of_warehouse(state / WAREHOUSE_FILE) == state_of_f)
        assert (report["epoch"], report["told"]) == (1, report["golden"])
        copy = tmp_path / "copy.duckdb"
        _command("feed", "snapshot", "--state", str(state))
        _command("warehouse", "rebuild", "--from", "snapshot", "--file", str(copy), "--state", str(state))
        assert state_of_warehouse(copy) == state_of_f
