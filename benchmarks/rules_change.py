"""How long a change of rules holds writers, on the local stack, as its user meets it.

    python benchmarks/rules_change.py [--people 500] [--before FOLDER] [--survivorship]

``mdm-stream up`` resolves a generated population and is stopped; ``up`` with other rules is started on the same state,
and ``mdm-stream rebuild`` runs beside it. A line gives records, the rebuild's whole time, the time for which it held
writers, and what it told the feed. With ``--before`` the same is done with another checkout of this project first,
whose packages are put before this one's, so that an older commit can be measured beside the present one. With
``--survivorship`` the new rules change a value of nearly every golden record, so that the feed is told nearly all of
them; without it they only move the threshold for a link.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import orjson

from mdm_stream.aws.loopback import LoopbackKeys, loopback_environment
from mdm_stream.simulate import DEMO_RULES, generate
from producers.publisher import Publisher

ROOT = Path(__file__).resolve().parent.parent
POPULATION_SEED = 20260101
WAIT_S = 1_800
QUIET_S = 3.0
"""After so long without a new record the warehouse consumer has done all there is."""


@dataclass(frozen=True, slots=True)
class RulesChange:
    """What one change of rules took: ``records`` resolved anew, the rebuild's seconds, and those in which it held
    writers; ``told`` are the changes that the feed got.
    """

    records: int
    golden: int
    seconds: float
    held_s: float
    told: int


def measure(people: int, *, survivorship: bool = False, tree: Path = ROOT) -> RulesChange:
    """Change the rules of a stack that has resolved a population of ``people``; the code is that of ``tree``."""
    with tempfile.TemporaryDirectory(prefix="mdm-rules-") as name:
        folder = Path(name)
        old, new, state = folder / "old.yaml", folder / "new.yaml", folder / "state"
        old.write_text(DEMO_RULES)
        new.write_text(f"extends: {old}\nversion: 2\n" + _difference(survivorship=survivorship))
        with _up(tree, state, old) as said:
            events = _publish(said, state, people)
            _wait_for(lambda: _records(state, "resolve") >= events)
            _wait_until_quiet(state)
        with _up(tree, state, new):
            began_s = time.monotonic()
            command = [*_program("rebuild"), "--state", str(state), "--json"]
            done = subprocess.run(command, cwd=tree, env=_environment(tree), stdout=subprocess.PIPE, check=True)
            seconds = time.monotonic() - began_s
        report = orjson.loads(done.stdout)["rebuilt"][0]
    return RulesChange(report["states"], report["golden"], seconds, report["held_s"], report["told"])


def main() -> int:
    """Measure and print; return the exit code."""
    options = _options()
    trees = {"before": options.before, "now": ROOT} if options.before else {"now": ROOT}
    for name, tree in trees.items():
        found = measure(options.people, survivorship=options.survivorship, tree=tree)
        print(
            f"{name}: {found.records:,} records, {found.golden:,} golden records; rebuilt in {found.seconds:.1f} s, "
            f"writers held for {found.held_s:.2f} s; {found.told:,} changes told",
            flush=True,
        )
    return 0


def _difference(*, survivorship: bool) -> str:
    if survivorship:
        return "survivorship: {default: [longest]}\n"
    return "match: {thresholds: {link: 0.99}}\n"


def _program(command: str) -> list[str]:
    return [sys.executable, "-m", "mdm_stream.cli.main", command]


def _environment(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(tree)}


@contextmanager
def _up(tree: Path, state: Path, rules: Path) -> Iterator[dict[str, Any]]:
    """Run ``mdm-stream up`` and yield what it says of itself."""
    command = [*_program("up"), "--state", str(state), "--rules", str(rules), "--json"]
    with subprocess.Popen(command, cwd=tree, env=_environment(tree), stdout=subprocess.PIPE) as process:
        try:
            lines: list[bytes] = []
            while not lines or lines[-1] not in (b"}\n", b""):
                lines.append(process.stdout.readline() if process.stdout else b"")
            yield orjson.loads(b"".join(lines))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def _publish(said: dict[str, Any], state: Path, people: int) -> int:
    endpoint = said["kinesis_endpoint_url"]
    keys = orjson.loads((state / "stack.json").read_bytes()).get("keys") or {}  # a release before them takes any
    os.environ |= loopback_environment(
        endpoint, LoopbackKeys(**keys) if keys else LoopbackKeys("any", "any"), os.environ
    )
    sent = 0
    with Publisher(boto3.client("kinesis", endpoint_url=endpoint), said["changes_stream"]) as publisher:
        for event in generate(people, POPULATION_SEED).events():
            publisher.put(event.raw, event.partition_key)
            sent += 1
    return sent


def _records(state: Path, consumer: str) -> int:
    try:
        return int(orjson.loads((state / "status" / f"{consumer}.json").read_bytes())["records"])
    except FileNotFoundError:
        return 0


def _wait_for(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not is_so():
        if time.monotonic() > deadline_s:
            raise SystemExit(f"the stack did not come to the end in {WAIT_S} s")
        time.sleep(0.1)


def _wait_until_quiet(state: Path) -> None:
    seen, since_s = -1, time.monotonic()
    while time.monotonic() - since_s < QUIET_S:
        if (now := _records(state, "warehouse")) != seen:
            seen, since_s = now, time.monotonic()
        time.sleep(0.1)


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=500, help="of the population, some 1.3 records each")
    parser.add_argument("--before", type=Path, help="another checkout of this project, measured first")
    parser.add_argument("--survivorship", action="store_true", help="rules by which nearly every golden record changes")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
