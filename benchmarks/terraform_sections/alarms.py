"""The alarms that Terraform deploys: which have fired by their fault on the real handlers, and cleared after it.

The tests evaluate the metrics by the alarm's own definition; each adds a line to a file once its alarm has cleared.
"""

from __future__ import annotations

import json
from pathlib import Path

import orjson
from pytest_runs import pytest_run
from show import Show
from trees import ROOT

DEFINITIONS = ROOT / "infra" / "terraform" / "modules" / "observability" / "alarms.json"
FIRED_FILE = "ALARMS_FIRED_FILE"
FIRED_MIN = 15
TEST_S_MAX = 1_200
UNTRIED = {
    "function-throttled": "Lambda refuses what its concurrency does not take; nothing on one machine does",
    "function-concurrency": "Lambda counts what runs of its function at once; here each shard has one process",
    "api-slow": "API Gateway measures how long an answer takes; there is none here",
}
"""Alarms about what AWS alone does and measures: docs/operate/alarms.md."""


def figures(show: Show, scratch: Path) -> None:
    """Run the tests that let alarms fire, and compare what fired with what is deployed."""
    file = scratch / "fired.jsonl"
    tests = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*alarms_fire.py"))
    ran = pytest_run(tests, scratch, timeout_s=TEST_S_MAX, more={FIRED_FILE: str(file)})
    show.figure("tests that failed", ran.failed, floor="0", holds=not ran.failed)
    for name, reason in ran.skipped.items():
        show.fact(f"skipped: {name}", reason)
    deployed = {each["name"] for each in json.loads(DEFINITIONS.read_text("utf-8"))["alarms"]}
    fired = {each["alarm"]: each for each in map(orjson.loads, file.read_bytes().splitlines())}
    for name, each in sorted(fired.items()):
        show.fact(
            f"{name} ({each['severity']})",
            f"fires after {each['fires_after_s']:,} s of its fault, cleared {each['cleared_after_s']:,} s after it",
        )
    show.figure(
        "alarms fired and cleared",
        f"{len(fired)} of {len(deployed)}",
        floor=str(FIRED_MIN),
        holds=len(fired) >= FIRED_MIN,
    )
    for name in sorted(UNTRIED):
        show.fact(f"no fault tried for {name}", UNTRIED[name])
    untried = sorted(deployed - set(fired) - set(UNTRIED))
    show.figure("alarms that have not fired, without a reason", ", ".join(untried) or 0, floor="0", holds=not untried)
