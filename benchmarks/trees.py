"""The tree of an earlier commit, so that before and after are measured in one run by one interpreter."""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN_TIMEOUT_S = 1_800


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command printed, and what it took: seconds, and CPU seconds of it and of all processes it started."""

    stdout: str
    wall_s: float
    cpu_s: float


@contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """Write a commit's files into a temporary folder while the block runs. The checkout's history must hold it."""
    with tempfile.TemporaryDirectory(prefix="mdm-before-") as name:
        packed = subprocess.run(["git", "-C", str(ROOT), "archive", commit], stdout=subprocess.PIPE, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as files:
            files.extractall(name, filter="data")
        yield Path(name)


def run_in(tree: Path, arguments: Sequence[str]) -> Ran:
    """Run this interpreter with arguments on the packages of a tree; a failure raises with what it said."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"}
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    after, wall_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began_s
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} in {tree} ended with {done.returncode}: {done.stderr[-2000:]}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ran(done.stdout, wall_s, cpu_s)
