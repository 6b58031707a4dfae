"""Other rules in the shadow of a local stack that runs: followed live and for the past, and nothing live is written."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from end_state import change_events, settle, wait_for
from stack_addresses import addresses_of

from mdm_stream.core.reference import resolve
from mdm_stream.deployment import write_stack
from mdm_stream.local.pipeline import RESOLVE, start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, LocalStack
from mdm_stream.reconcile.impact import as_json
from mdm_stream.reconcile.impact_in_process import impact_in_process, state_of_events
from mdm_stream.rules import load_ruleset
from mdm_stream.simulate import DEMO_RULES, generate
from producers.publisher import Publisher

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

PEOPLE = 30
STRICTER = "match: {prior: 0.0000001, thresholds: {link: 0.97, review: 0.1}}\n"
STOP_S = 120


def _command(state: Path, rules_file: Path, *options: str) -> list[str]:
    program = [sys.executable, "-m", "mdm_stream.cli.main", "rules", "shadow", str(rules_file), "--state", str(state)]
    return [*program, "--samples", "20", *options]


def _publish(stack: LocalStack, deliveries: list[Any]) -> None:
    with Publisher(stack.kinesis.client("kinesis"), CHANGES_STREAM) as publisher:
        for event in deliveries:
            publisher.put(event.raw, event.partition_key)


def test_a_shadow_follows_a_running_stack(tmp_path: Path) -> None:
    """It says what came while it ran, ends at Ctrl-C with a report, and of the past says what `rules diff` says."""
    state, in_use, stricter = tmp_path / "state", tmp_path / "rules.yaml", tmp_path / "stricter.yaml"
    in_use.write_text(DEMO_RULES)
    stricter.write_text(DEMO_RULES + STRICTER)
    old, new = load_ruleset(in_use), load_ruleset(stricter)
    deliveries = list(generate(PEOPLE, 5).events())
    half = len(deliveries) // 2
    with LocalStack(state) as stack:
        start_consumers(stack, [str(in_use)])
        write_stack(state, addresses_of(stack, in_use))
        _publish(stack, deliveries[:half])
        wait_for(lambda: stack.consumer_status(RESOLVE).get("records", 0) >= half)
        settle(stack, old)
        command = _command(state, stricter, "--every", "5s", "--settle", "1s")
        following = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            assert following.stdout is not None
            assert ": 0 deliveries of 0 records" in following.stdout.readline()
            _publish(stack, deliveries[half:])
            while " 0 deliveries" in (line := following.stdout.readline()):
                pass
            assert "golden records concerned" in line
            settled = settle(stack, old)
            following.send_signal(signal.SIGINT)
            out, err = following.communicate(timeout=STOP_S)
        finally:
            following.kill()
        assert following.returncode == 0, err[-2_000:]
        assert "All that was delivered meanwhile, as it is now:" in out
        done = subprocess.run(
            _command(state, stricter, "--past", "1h", "--for", "0s", "--json"),
            capture_output=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2_000:]
        document = orjson.loads(done.stdout)
        events = change_events(stack.kinesis.client("kinesis"), old)
        states = [state_of_events(rules, events) for rules in (old, new)]
        assert document["total"] == orjson.loads(orjson.dumps(as_json(impact_in_process("person", *states))))
        assert document["total"]["clusters"]["split"]["before"] > 0
        assert settle(stack, old) == settled == resolve(old, events)
        assert all(key.startswith(b"mdm:{main:") for key in stack.redis.client().scan_iter())
