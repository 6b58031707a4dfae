"""The dbt package: green on the demo's warehouse, red on one that is damaged in five ways, each by its own test."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from show import Show

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from dbt_project import DAMAGES, DBT, damage, dbt, make_demo  # noqa: E402

NAME = "dbt"
DAMAGED = (
    "golden_records_are_unique",
    "crosswalk_is_unique",
    "members_agree_with_crosswalk",
    "sequences_have_no_gap",
    "redirects_resolve",
)


def figures(show: Show, scratch: Path) -> None:
    """Build the package on the demo; then damage copies of what was built, one way each, and test them."""
    if not DBT.exists():
        said = "skipped: dbt is not installed; `make dbt` does it"
        if NAME in show.only:
            show.figure("the dbt package", said, floor="dbt is installed where it is asked for", holds=False)
        else:
            show.fact("the dbt package", said)
        return
    whole = scratch / "whole"
    whole.mkdir()
    shutil.copy(make_demo(scratch), whole / "warehouse.duckdb")
    code, statuses = dbt(whole, "build", "run_results.json")
    passed = sum(status in {"success", "pass"} for status in statuses.values())
    show.figure("models and tests that hold on the demo's warehouse", f"{passed} of {len(statuses)}",
                floor="all", holds=code == 0 and passed == len(statuses) > len(DAMAGES))  # fmt: skip
    for name in DAMAGED:
        broken = scratch / name
        broken.mkdir()
        shutil.copy(whole / "warehouse.duckdb", broken / "warehouse.duckdb")
        damage(broken, DAMAGES[name])
        code, statuses = dbt(broken, "test --select test_type:singular source:*", "run_results.json")
        red = sorted(test for test, status in statuses.items() if status == "fail")
        show.figure(f"damaged, so that {name.replace('_', ' ')} no more: red", ", ".join(red) or "none",
                    floor=name, holds=code == 1 and name in red)  # fmt: skip
