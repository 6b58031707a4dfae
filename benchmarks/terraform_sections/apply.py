"""The environment dev applied by Terraform to an emulator of AWS: made, planned again without a change, destroyed.

Three compositions, since some parts exclude each other. What the emulator lacks is in tests/infra/emulator.json, and
its stubs are in tests/support/aws_emulator.py: all of it is printed.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from show import Show
from trees import ROOT

sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from aws_emulator import STUBS, emulator  # noqa: E402 - beside the tests
from emulated_deployment import COMPOSITIONS, Emulated, Lacks, emulated, lacks  # noqa: E402
from terraform_run import copied_tree, terraform_in  # noqa: E402

RESOURCES_MIN = 150


def figures(show: Show, scratch: Path) -> None:
    """Apply each composition, plan again, destroy."""
    lacking, applied = lacks(), []
    for name, reason in STUBS.items():
        show.fact(f"stub {name}", reason)
    for name, composition in COMPOSITIONS.items():
        folder = scratch / name
        folder.mkdir()
        terraform = terraform_in(copied_tree(folder))
        with emulator(folder / "emulator.log") as address:
            run = emulated(terraform, address)
            run.start(composition)
            run.apply()
            _planned(show, name, run, lacking)
            run.destroy()
            left = run.in_state()
        seconds = ", ".join(f"{what} {value:.0f} s" for what, value in run.seconds.items())
        show.fact(f"{name}: {run.kinds.total()} resources of {len(run.kinds)} types", seconds)
        show.figure(f"{name}: resources left after destroy", len(left), floor="0", holds=not left)
        applied.append(run.kinds)
    most = max(kinds.total() for kinds in applied)
    show.figure("resources of the largest", most, floor=str(RESOURCES_MIN), holds=most >= RESOURCES_MIN)
    _kinds(show, lacking, applied)


def _planned(show: Show, name: str, run: Emulated, lacking: Lacks) -> None:
    found = run.second_plan()
    ours = [f"{each.address} {each.attribute}" for each in found if not lacking.excuses(each)]
    show.figure(f"{name}: differences of the second plan", ", ".join(ours) or 0, floor="0", holds=not ours)
    for each in sorted({f"{each.resource}.{each.attribute}" for each in found if lacking.excuses(each)}):
        show.fact(f"{name}: the emulator loses {each}", lacking.loses[each])


def _kinds(show: Show, lacking: Lacks, applied: list[Counter[str]]) -> None:
    said, unsaid = lacking.not_applied(*applied)
    show.fact("types applied", len({kind for kinds in applied for kind in kinds}))
    for pattern, reason in lacking.left_out.items():
        show.fact(f"left out: {pattern}", reason)
    show.fact("types left out", len(said))
    show.figure(
        "types that nothing applied, without a reason", ", ".join(sorted(unsaid)) or 0, floor="0", holds=not unsaid
    )
