"""``make test-infra``: what passes, fails and is skipped; and how much there is that it looks at."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from pytest_runs import pytest_run
from show import Show
from trees import ROOT

sys.path.append(str(ROOT / "tests" / "support"))

from terraform_tree import TERRAFORM, hcl, resources

TEST_S_MAX = 3_600


def figures(show: Show, scratch: Path) -> None:
    """Run the tests of infra/terraform, and count resources and assertions."""
    ran = pytest_run(["-m", "infra", "tests/infra"], scratch, timeout_s=TEST_S_MAX)
    show.figure("failed", ran.failed, floor="0", holds=not ran.failed)
    show.figure("skipped", len(ran.skipped), floor="0, with Terraform and its provider", holds=not ran.skipped)
    for name, reason in ran.skipped.items():
        show.fact(f"skipped: {name}", reason)
    show.figure("passed", ran.passed, floor="at least one", holds=ran.passed > 0)
    show.fact("time", f"{ran.wall_s:.0f} s")
    declared = Counter(found.block.labels[0] for found in resources())
    runs, assertions, refusals = _tests()
    show.fact("resources declared", f"{declared.total()} of {len(declared)} types")
    show.fact("assertions of modules", f"{assertions} in {runs} runs, {refusals} refusals that are expected")


def _tests() -> tuple[int, int, int]:
    """Return the runs of all ``*.tftest.hcl``, their assertions, and the values that they expect to be refused."""
    blocks = [block for path in sorted(TERRAFORM.rglob("*.tftest.hcl")) for block in hcl.read_blocks(path)]
    runs = [block for block in blocks if block.type == "run"]
    expected = [run.get("expect_failures") for run in runs]
    refusals = sum(
        len([one for one in each.value.strip("[] \n").split(",") if one.strip()]) for each in expected if each
    )
    return len(runs), sum(len(run.all("assert")) for run in runs), refusals
