"""Commands of the project in processes of their own, and what they take: for what a ``make show-NAME`` runs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from trees import ROOT

RUN_TIMEOUT_S = 600
MEMORY_MAX = 6 * 1024**3


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command said, and what it and its children took."""

    code: int
    out: str
    said: str
    cpu_s: float
    peak_bytes: int


_STARTER = """
import json, os, resource, subprocess, sys
memory, usage_file, *command = sys.argv[1:]
process = subprocess.Popen(command)
resource.prlimit(process.pid, resource.RLIMIT_AS, (int(memory), int(memory)))
_, status, usage = os.wait4(process.pid, 0)
took = {"cpu_s": usage.ru_utime + usage.ru_stime, "peak_bytes": usage.ru_maxrss * 1024}
with open(usage_file, "w") as file:
    json.dump(took, file)
sys.exit(os.waitstatus_to_exitcode(status) % 256)
"""
"""Starts the command from a small process: Linux counts what the parent had in memory as a peak of its child."""


def run(arguments: Sequence[str], *, timeout_s: float = RUN_TIMEOUT_S, memory_max: int = MEMORY_MAX) -> Ran:
    """Run a command of the project in a process of its own, within a bound on addresses (``RLIM_INFINITY``: none)."""
    with tempfile.NamedTemporaryFile() as usage:
        command = [sys.executable, "-I", "-S", "-c", _STARTER, str(memory_max), usage.name, sys.executable, *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=timeout_s, check=False)
        took = orjson.loads(usage.read())
    out, said = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    return Ran(done.returncode, out, said, took["cpu_s"], took["peak_bytes"])


def figures_of(script: str, *options: str, memory_max: int = MEMORY_MAX) -> Any:
    """Run a benchmark of this folder that prints JSON, and return that."""
    ran = run([str(ROOT / "benchmarks" / script), *options], timeout_s=3 * RUN_TIMEOUT_S, memory_max=memory_max)
    if ran.code:
        raise RuntimeError(f"{script} ended with {ran.code}: {ran.said[-2000:]}")
    return orjson.loads(ran.out)
