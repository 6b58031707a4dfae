"""Tests of the project run by pytest in a process of its own, and what became of each."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from trees import ROOT


@dataclass(frozen=True, slots=True)
class PytestRun:
    """How many passed and failed (errors included), what was skipped and why, and how long all of it took."""

    passed: int
    failed: int
    skipped: Mapping[str, str]
    names: tuple[str, ...]
    wall_s: float


def pytest_run(
    words: Sequence[str], scratch: Path, *, timeout_s: float, more: Mapping[str, str] | None = None
) -> PytestRun:
    """Run tests, two at a time, with ``more`` variables of the environment; failures go to stderr."""
    report = scratch / "junit.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", f"--junitxml={report}", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(more or {})}
    began_s = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    wall_s = time.monotonic() - began_s
    if done.returncode not in (0, 1) or not report.exists():
        raise RuntimeError(f"pytest ended with {done.returncode}: {(done.stdout + done.stderr)[-3000:]}")
    if done.returncode:
        print(done.stdout[-10_000:], file=sys.stderr, flush=True)
    cases = list(ET.parse(report).iter("testcase"))
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = {_name(case): str(found.get("message")) for case in cases if (found := case.find("skipped")) is not None}
    return PytestRun(
        len(cases) - len(failed) - len(skipped), len(failed), skipped, tuple(_name(case) for case in cases), wall_s
    )


def _name(case: ET.Element) -> str:
    return f"{case.get('classname')}.{case.get('name')}"
