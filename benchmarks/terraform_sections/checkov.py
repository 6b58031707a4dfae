"""``make checkov``: what passes, what fails, and each check that is skipped with its reason."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

from show import Show
from trees import ROOT

SETTINGS = ROOT / "infra" / "terraform" / ".checkov.yaml"
PASSED_MIN = 500
"""A reader that finds no files passes nothing, and fails nothing."""
CHECKOV_S_MAX = 1_200
_SKIP = re.compile(r"  - (CKV\w+) # (.+)")


def figures(show: Show, scratch: Path) -> None:
    """Run Checkov, which is installed into build/checkov if it is not there."""
    began_s = time.monotonic()
    done = subprocess.run(
        ["sh", str(ROOT / ".ci" / "checkov"), "--output", "json"],
        cwd=scratch,
        capture_output=True,
        text=True,
        timeout=CHECKOV_S_MAX,
        check=False,
    )
    if not done.stdout.lstrip().startswith("{"):
        raise RuntimeError(f"Checkov ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    found = json.loads(done.stdout)["summary"]
    show.figure("passed", found["passed"], floor=f"{PASSED_MIN}", holds=found["passed"] >= PASSED_MIN)
    show.figure("failed", found["failed"], floor="0", holds=not found["failed"] and not done.returncode)
    show.figure("files that it cannot read", found["parsing_errors"], floor="0", holds=not found["parsing_errors"])
    show.fact("resources", found["resource_count"])
    show.fact("time", f"{time.monotonic() - began_s:.0f} s")
    skips = _SKIP.findall(SETTINGS.read_text("utf-8"))
    show.fact("checks that are skipped", len(skips))
    for name, reason in skips:
        show.fact(name, reason)
