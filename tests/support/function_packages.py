"""Packages of Lambda functions, built and tried as Lambda would: unpacked, by an interpreter that has nothing else."""

from __future__ import annotations

import base64
import json
import os
import platform
import statistics
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MACHINE = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"

BARE = (
    "import importlib, json, sys, time\n"
    "sys.path.insert(0, sys.argv[1])\n"
    "began = time.perf_counter()\n"
    "handler = getattr(importlib.import_module(sys.argv[2]), sys.argv[3])\n"
    "took = time.perf_counter() - began\n"
    "assert callable(handler)\n"
    "print(json.dumps({'seconds': took, 'loaded': sorted({name.partition('.')[0] for name in sys.modules})}))\n"
)
"""What an interpreter without site-packages runs: only the package's folder is added to where it looks."""


def build(folder: Path, *names: str, timeout_s: float = 1_500) -> subprocess.CompletedProcess[str]:
    """Build packages for this machine into a folder."""
    command = [sys.executable, str(ROOT / ".ci" / "package"), *names, "--machine", MACHINE, "--into", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)


def manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what was built into a folder for this machine, by the function's name."""
    entries = json.loads((folder / "functions.json").read_text("utf-8"))
    return {entry["function"]: entry for entry in entries if entry["machine"] == MACHINE}


def unpacked(folder: Path, entry: Mapping[str, Any], into: Path) -> Path:
    """Return the folder that a package was unpacked into; files get the time of now, as they do in a function."""
    with zipfile.ZipFile(folder / entry["file"]) as archive:
        archive.extractall(into)
    return into


def bare_import(tree: Path, handler: str, environment: Mapping[str, str], *, site: bool = False) -> dict[str, Any]:
    """Import a handler in a new interpreter; return the seconds that it took, and what was loaded.

    ``site``: with what is installed beside the tree, for a tree that is no package.
    """
    module, _, name = handler.rpartition(".")
    options = ["-I", "-B"] if site else ["-I", "-S", "-B"]
    command = [sys.executable, *options, "-c", BARE, str(tree), module, name]
    done = subprocess.run(
        command, cwd=tree, env=dict(environment), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def median_import_s(tree: Path, handler: str, environment: Mapping[str, str], times: int) -> float:
    """Return the median of the seconds of imports in new interpreters, on one core where that can be had."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if before:
        os.sched_setaffinity(0, {min(before)})
    try:
        bare_import(tree, handler, environment)  # reads the files once
        return statistics.median(bare_import(tree, handler, environment)["seconds"] for _ in range(times))
    finally:
        if before:
            os.sched_setaffinity(0, before)


def function_environment(redis_url: str, folder: Path) -> dict[str, str]:
    """Return the environment of a function with stores in S3, as far as a handler asks for it at cold start."""
    key = folder / "keys" / "events-api"
    key.parent.mkdir(exist_ok=True)
    key.write_bytes(base64.b64encode(b"k" * 32))
    key.chmod(0o600)
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "MDM_API_ID_KEYS": str(key.parent),
        "MDM_ARCHIVE_URL": (folder / "archive").as_uri(),
        "MDM_CHANGES_STREAM": "changes",
        "MDM_FILES_URL": "s3://mdm-files/loads",
        "MDM_GOLDEN_STREAM": "golden",
        "MDM_QUARANTINE_URL": "s3://mdm-quarantine",
        "MDM_REDIS_URL": redis_url,
        "MDM_RULES": "person",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
