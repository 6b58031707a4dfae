"""Settings in Terraform, code and docs: how many are compared, and which differ."""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_runs import pytest_run
from show import Show
from trees import ROOT

sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from terraform_settings import compared_defaults, known_settings, names_in_terraform  # noqa: E402 - beside the tests

TESTS = (
    "tests/infra/test_settings_agree.py",
    "tests/infra/test_function_settings.py",
    "tests/docs/test_limits_page.py",
)
TEST_S_MAX = 600


def figures(show: Show, scratch: Path) -> None:
    """Compare names and defaults, and run the tests that compare the rest."""
    known, named = known_settings(), list(names_in_terraform())
    unknown = sorted({f"{place}: {name}" for place, name in named if name not in known})
    show.fact("names of settings in Terraform", f"{len({name for _, name in named})}, in {len(named)} places")
    show.figure("names that the code does not read", ", ".join(unknown) or 0, floor="0", holds=not unknown)
    found = compared_defaults()
    differ = [f"{each.place} ({each.terraform}, {each.code}, {each.page})" for each in found if not each.agree]
    on_the_page = sum(each.page is not None for each in found)
    show.fact("defaults compared with the code's", f"{len(found)}, of which {on_the_page} with the page of limits, too")
    show.figure("defaults that differ", ", ".join(differ) or 0, floor="0", holds=not differ)
    ran = pytest_run(TESTS, scratch, timeout_s=TEST_S_MAX)
    show.figure("tests that failed", f"{ran.failed} of {len(ran.names)}", floor="0", holds=not ran.failed)
