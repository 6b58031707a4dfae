"""The canary: no name of state, no output of a command, and no plan of Terraform has a personal value or a secret.

What runtimes log, count and trace is searched by the section of the same name of ``make show-aws``; here it is what
operators do to what is kept, and what listings, consoles and pipelines show of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from show import Show

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "support"))

from canary_operations import names_journey, planted  # noqa: E402
from canary_plans import secrets_in_files  # noqa: E402
from canary_values import FORMS  # noqa: E402

FINDS_SHOWN_MAX = 10
PLAN_S = 900


def figures(show: Show, scratch: Path) -> None:
    """Go the journey and show what names have; then read all configurations, and search a plan."""
    folder = scratch / "names"
    folder.mkdir()
    world = names_journey(folder)
    for kind, count in world.names.items():
        show.figure(f"{kind} that were named", count, floor="at least one", holds=count > 0)
    show.fact("commands that operators ran", len(world.paths["commands"]))
    show.fact("forms sought", sum(map(len, FORMS.values())))
    show.fact("bytes searched", f"{sum(world.search.bytes_by_place.values()):,}")
    finds = world.search.finds
    for find in finds[:FINDS_SHOWN_MAX]:
        show.fact("found", find)
    places = sorted({find.place for find in finds})
    show.figure("names and outputs that hold a value", places or "none", floor="none", holds=not finds)
    found = planted("names", next(iter(FORMS["email"])))
    show.figure("control, a planted value", f"{found} found", floor="1", holds=found == 1)
    secrets = secrets_in_files()
    show.figure("secrets in configurations", secrets or "none", floor="none", holds=not secrets)
    _plan(show)


def _plan(show: Show) -> None:
    """Search the plan of the whole example, on an emulator: the tests of ``tests/infra/test_canary_plans.py``."""
    if shutil.which("terraform") is None:
        show.fact("plans", "not searched: terraform is not installed")
        return
    words = ("-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "tests/infra/test_canary_plans.py")
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PLAN_S,
        check=False,
    )
    said = done.stdout.strip().rpartition("\n")[2]
    show.figure("plans that hold a value or a secret", said, floor="every test passes", holds=done.returncode == 0)
