"""A release whose F is another one, under load, and back again: what docs/operate/upgrading.md describes, carried out.

The other release is a copy of this one's packages in a folder, with a changed standardiser and a raised ``F_VERSION``.
Processes run it by their environment (``PYTHONPATH``), so that nothing in the code knows of it. ``run`` does both
orders of the page: the new release is deployed first, is refused, and waits for the rebuild; on the way back the
rebuild comes first, while the other consumers go on working, and the deployment follows it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
from end_state import GoldenState, feed_changes, files_below, settle, state_of_feed, state_of_warehouse, wait_for
from stack_addresses import addresses_of

from mdm_stream.archive import open_archive
from mdm_stream.aws.loopback import loopback_environment
from mdm_stream.core.reference import Resolution
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.deployment import ARCHIVE_FOLDER, ON_FAILURE_FOLDER, WAREHOUSE_FILE, write_stack
from mdm_stream.local.pipeline import RESOLVE, start_consumers
from mdm_stream.local.stack import CHANGES_STREAM, LocalStack
from mdm_stream.rules import load_ruleset
from mdm_stream.simulate import DEMO_RULES, generate
from producers.publisher import Publisher

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("mdm_stream", "consumers", "producers")
META = "mdm:{main:person}:%d:meta"
ROOT_KEY = "mdm:{main:person}:root"
STEP_TIMEOUT_S = 150.0
REFUSED_S = 1.5
"""How long a refused consumer is watched: it must write nothing."""

CHANGED = (
    "return Standardised(text, fold_name(text) or None)",
    "return Standardised(text.upper() if text[:1] in 'ABC' else text, fold_name(text)[:3] or None)",
)
"""The line of the standardiser of names that the other release has changed: some names are written in capitals, and
fewer letters tell names apart, so values, keys and links differ."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release on disk: its name, and the environment in which Python runs it."""

    name: str
    environment: Mapping[str, str]


@dataclass(slots=True)
class Step:
    """One change of release under load, and what was there when all was quiet again.

    ``refused``: the error that the refused consumer logged. ``commits_while_refused``: what it wrote nevertheless.
    ``waited_s``: from the deployment, or from the switch of epochs, to the first commit by the new release.
    ``differing`` counts golden records that F of the release before would give otherwise.
    """

    release: str
    refused: str
    commits_while_refused: int
    waited_s: float
    report: dict[str, Any]
    delivered: int
    archived: int
    expected: Resolution
    index: Resolution
    feed: GoldenState
    warehouse: GoldenState
    epochs: list[tuple[int, str]]
    rules_digest: str
    differing: int
    on_failure: list[Path] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """How many delivered records of the change stream are not in the archive."""
        return max(0, self.delivered - self.archived)

    @property
    def is_exact(self) -> bool:
        """Whether index, feed and warehouse are what F of the release gives for all that was delivered."""
        state = GoldenState(self.expected.golden, self.expected.crosswalk)
        return self.index == self.expected and self.feed == state and self.warehouse == state


def other_release(folder: Path) -> Release:
    """Make another release in a folder: a changed standardiser, and a raised F version."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    core = folder / "mdm_stream" / "core"
    (names,) = [path for path in core.rglob("*.py") if CHANGED[0] in path.read_text("utf-8")]
    names.write_text(names.read_text("utf-8").replace(*CHANGED), "utf-8")
    version = core / "f_version.py"
    text = version.read_text("utf-8")
    (line,) = re.findall(r"^F_VERSION = \d+$", text, re.MULTILINE)
    version.write_text(text.replace(line, f"{line} + 1"), "utf-8")
    # Without the second, Python would look into the working directory first, which may be this release's checkout.
    return Release("other", {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"})


def this_release() -> Release:
    """Return this release, run in the same way."""
    return Release("this", {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"})


def run(folder: Path, *, people: int = 1_500, seed: int = 31, pause_s: float = 0.025) -> tuple[Step, Step]:
    """Go to another F and back while events are published, with a pause after each; return both steps.

    ``people`` bounds the events that there are: it fails if they end before the steps do.
    """
    state, rules_file = folder / "state", folder / "rules.yaml"
    rules_file.write_text(DEMO_RULES)
    deliveries = iter(generate(people, seed).events())
    this, other = this_release(), other_release(folder / "other-release")
    with LocalStack(state) as stack:
        start_consumers(stack, [str(rules_file)])
        write_stack(state, addresses_of(stack, rules_file))
        world = _World(stack, rules_file)
        with world.load(deliveries, pause_s):
            world.wait_for_commits(5)
            there = world.deploy_then_rebuild(other)
        forth = world.aftermath(other, this, *there)
        with world.load(deliveries, pause_s):
            world.wait_for_commits(5)
            back_again = world.rebuild_then_deploy(this)
        back = world.aftermath(this, other, *back_again)
    return forth, back


class _World:
    """A running stack under a stream of events."""

    def __init__(self, stack: LocalStack, rules_file: Path) -> None:
        self._stack = stack
        self._state = stack.state_dir
        self._rules_file = rules_file
        self._rules: Ruleset = load_ruleset(rules_file)
        self._redis = stack.redis.client()
        self._log = self._state / "logs" / f"{RESOLVE}.log"

    def clock(self) -> int:
        """Return how many commits the live epoch has had."""
        return int(self._redis.hget(META % self.epoch(), "clock") or 0)

    def epoch(self) -> int:
        """Return the live epoch."""
        return int(self._redis.hget(ROOT_KEY, "live") or 0)

    @contextmanager
    def load(self, deliveries: Iterator[Any], pause_s: float) -> Iterator[None]:
        """Publish all the while, and stop then."""
        enough = threading.Event()

        def publish() -> None:
            with Publisher(self._stack.kinesis.client("kinesis"), CHANGES_STREAM) as publisher:
                for event in deliveries:
                    publisher.put(event.raw, event.partition_key)
                    if enough.wait(pause_s):
                        return

        stream = threading.Thread(target=publish)
        stream.start()
        try:
            yield
            assert stream.is_alive(), "the events ended too early: there must be more people, or a longer pause"
        finally:
            enough.set()
            stream.join()

    def wait_for_commits(self, count: int) -> None:
        """Wait until the live epoch has had so many more commits."""
        enough = self.clock() + count
        wait_for(lambda: self.clock() >= enough, STEP_TIMEOUT_S)

    def deploy_then_rebuild(self, release: Release) -> tuple[str, int, float, dict[str, Any]]:
        """Deploy a release whose F the index is not of, see it refused, and rebuild with it."""
        said_before = self._said()
        deployed_s = self._deploy(release)
        refused, commits = self._watch_refusal(said_before)
        report = self._rebuild(release)
        return refused, commits, self._first_commit_s() - deployed_s, report

    def rebuild_then_deploy(self, release: Release) -> tuple[str, int, float, dict[str, Any]]:
        """Rebuild with a release while another one's consumers work; then they are refused, and it is deployed."""
        said_before = self._said()
        report = self._rebuild(release)
        switched_s = time.monotonic()
        refused, commits = self._watch_refusal(said_before)
        self._deploy(release)
        return refused, commits, self._first_commit_s() - switched_s, report

    def aftermath(
        self, release: Release, before: Release, refused: str, commits: int, waited_s: float, report: dict[str, Any]
    ) -> Step:
        """Wait until all is quiet, and read every end."""
        rules = replace(self._rules, digest=report["rules_digest"])
        index = settle(self._stack, rules, STEP_TIMEOUT_S)
        said, other = self._f_of_stream(release), self._f_of_stream(before)
        kinesis = self._stack.kinesis.client("kinesis")
        changes = feed_changes(kinesis)
        digests = {change["epoch"]: change["rules_digest"] for change in changes if "rules_digest" in change}
        return Step(
            release=release.name,
            refused=refused,
            commits_while_refused=commits,
            waited_s=waited_s,
            report=report,
            delivered=said["delivered"],
            archived=open_archive((self._state / ARCHIVE_FOLDER).as_uri()).verify("person").rows,
            expected=_resolution(said),
            index=index,
            feed=state_of_feed(changes),
            warehouse=state_of_warehouse(self._state / WAREHOUSE_FILE),
            epochs=sorted(digests.items()),
            rules_digest=said["rules_digest"],
            differing=sum(said["golden"].get(golden_id) != content for golden_id, content in other["golden"].items()),
            on_failure=files_below(self._state / ON_FAILURE_FOLDER),
        )

    def _deploy(self, release: Release) -> float:
        """Replace the resolve consumer, as a deployment does; return when."""
        spec = self._stack.consumer(RESOLVE)
        environment = {**spec.environment, **release.environment}
        self._stack.replace_consumer(replace(spec, environment=environment))
        return time.monotonic()

    def _said(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0

    def _watch_refusal(self, from_byte: int) -> tuple[str, int]:
        """Wait until the consumer has logged why it is refused, then watch it; return the error, and its commits."""
        pattern = re.compile(r"the index of domain 'person' was built by another F[^\"\n]*")

        def refusal() -> re.Match[str] | None:
            with self._log.open("rb") as log:
                log.seek(from_byte)
                return pattern.search(log.read().decode("utf-8", "replace"))

        wait_for(refusal, STEP_TIMEOUT_S)
        epoch, before = self.epoch(), self.clock()
        time.sleep(REFUSED_S)
        assert self.epoch() == epoch
        found = refusal()
        return "" if found is None else found[0], self.clock() - before

    def _first_commit_s(self) -> float:
        """Wait for the next commit to the live epoch; return when it came."""
        self.wait_for_commits(1)
        return time.monotonic()

    def _rebuild(self, release: Release) -> dict[str, Any]:
        arguments = ["-m", "mdm_stream.cli.main", "rebuild", "--state", str(self._state), "--json"]
        report: dict[str, Any] = orjson.loads(_python(release, *arguments))["rebuilt"][0]
        return report

    def _f_of_stream(self, release: Release) -> dict[str, Any]:
        """Return what F of a release gives for all that is on the change stream."""
        script = Path(__file__).with_name("f_of_stream.py")
        with_tests = {"PYTHONPATH": os.pathsep.join([release.environment["PYTHONPATH"], str(script.parent)])}
        endpoint_url = self._stack.kinesis.endpoint_url
        local = loopback_environment(endpoint_url, self._stack.kinesis.keys, {})
        release = replace(release, environment={**release.environment, **local, **with_tests})
        found: dict[str, Any] = orjson.loads(_python(release, str(script), endpoint_url, str(self._rules_file)))
        return found


def _python(release: Release, *arguments: str) -> bytes:
    """Run Python under a release; return what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **release.environment},
        capture_output=True,
        timeout=STEP_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def _resolution(said: Mapping[str, Any]) -> Resolution:
    return Resolution(said["crosswalk"], said["golden"], {(a, b): item for a, b, item in said["review"]})
