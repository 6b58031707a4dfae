"""A short journey of the canary after which everything that a deployment names is there, and the search of all names.

Names of state are what inventories, consoles, access logs and listings show, and no policy of a bucket or key hides
them: objects of archive, witnesses, parts, snapshots, quarantine and dead letters; keys of the index by epoch;
files; partition keys of the golden feed; shards and checkpoints.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from canary_events import bad_events, erasures, good_events, stewards_events
from canary_values import Search
from canary_world import ARCHIVES, World, world_in

from mdm_stream.local.stack import STEWARD_STREAM

RUNTIME = "resolve"
COMMAND_S = 240
SMALLEST_FEED_RECORD = "65536"

KINDS = {
    "segments": r"/segments/",
    "parts of compaction": r"/parts/day=",
    "witnesses": r"/witness/",
    "manifests of snapshots": r"feed-snapshots/\w+/manifests/",
    "parts of snapshots": r"feed-snapshots/\w+/parts/",
}
"""Objects of the archive by what they are, each of which has to be there for the search to mean anything."""


def names_journey(folder: Path) -> World:
    """Resolve good and bad events, work on what is kept as operators do, and look at every name and line of output."""
    with world_in(folder) as world:
        with world.function(
            RUNTIME, "consumers.resolve.handler", MDM_FEED_RECORD_BYTES_MAX=SMALLEST_FEED_RECORD
        ) as resolve:
            for name, raw in good_events().items():
                resolve.call(f"good: {name}", world.batch(raw))
            for name, raw in stewards_events("r-0", "r-1").items():
                resolve.call(f"steward: {name}", world.batch(raw, stream=STEWARD_STREAM))
            resolve.call("bad: all in one batch", world.batch(*bad_events().values()))
            for name, raw in erasures("r-2").items():
                resolve.call(f"erased: {name}", world.batch(raw, stream=STEWARD_STREAM))
        before = kinds_in(names_of_objects(world))
        _operate(world)
        world.discard([*good_events().values(), *bad_events().values()])
        world.look_at_stores()
        after = kinds_in(names_of_objects(world))
        world.names = {kind: max(before[kind], after[kind]) for kind in KINDS}
    return world


def _operate(world: World) -> None:
    archive = f"s3://{ARCHIVES}/{RUNTIME}"
    for words in (
        ("archive", "compact", "--archive", archive, "--json"),
        ("feed", "snapshot", "--environment", "--json"),
        ("feed", "snapshot", "--environment", "--newest", "--json"),
        ("rebuild", "--environment", "--workers", "1", "--grace", "0"),
        ("archive", "list", "--archive", archive),
        ("status", "--environment", "--seconds", "0.1"),
    ):
        _run(world, words)


def _run(world: World, words: Iterable[str]) -> None:
    """Run a command as an operator does, and look at all that it says."""
    done = subprocess.run(
        [sys.executable, "-m", "mdm_stream.cli.main", *words],
        env=world.settings(RUNTIME),
        cwd=world.folder,
        capture_output=True,
        timeout=COMMAND_S,
        check=False,
    )
    path = " ".join(words)
    world.search.look("commands: output", path, done.stdout + b"\n" + done.stderr)
    world.paths.setdefault("commands", []).append(path)
    if done.returncode not in {0, 1}:  # 1: status has something to show
        raise AssertionError(f"{path} ended with {done.returncode}: {done.stderr.decode()[-2_000:]}")


def names_of_objects(world: World) -> list[str]:
    """Return the names of all objects of the archive's bucket, of snapshots too, which lie beside it."""
    pages = world.kinesis.client("s3").get_paginator("list_objects_v2").paginate(Bucket=ARCHIVES)
    return [each["Key"] for page in pages for each in page.get("Contents", ())]


def kinds_in(names: Iterable[str]) -> dict[str, int]:
    """Return how many objects there are of each kind."""
    listed = "\n".join(names)
    return {kind: len(re.findall(pattern, listed)) for kind, pattern in KINDS.items()}


def planted(place: str, value: bytes) -> int:
    """Return how often a search finds a value that was planted; the control of every search."""
    search = Search()
    search.look(place, "control", value)
    return len(search.finds)
