"""The proof of order, in a small form: ``benchmarks/shuffles.py``, which anybody can run at length."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROOF = Path(__file__).resolve().parents[2] / "benchmarks" / "shuffles.py"
SHUFFLES = 16


def test_every_shuffle_gives_the_digest_of_the_reference():
    """Orders, duplicates, batch sizes, and workers on threads and processes: one digest comes out, the reference's."""
    command = [sys.executable, str(PROOF), "--shuffles", str(SHUFFLES), "--people", "14", "--workers", "1,2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{SHUFFLES} shuffles" in done.stdout
    assert "1 digest(s)" in done.stdout
