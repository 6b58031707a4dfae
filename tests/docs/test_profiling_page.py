"""The page about profiles calls what exists, with options that the command takes."""

from __future__ import annotations

import re
import shlex

import click
import pytest
from source_tree import ROOT

from mdm_stream.cli.commands.profile import profile
from mdm_stream.reconcile import blocking_statistics, profile_drift, value_tables

PAGE = (ROOT / "docs" / "operate" / "profiling.md").read_text("utf-8")
CALLS = re.findall(r"^mdm-stream profile (.*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("call", CALLS)
def test_each_call_is_understood(call: str) -> None:
    """Spark is not started: what the tables hold is a matter of tests/reconcile."""
    with click.Context(profile):
        parsed = profile.make_context("profile", shlex.split(call, comments=True))
    assert parsed.params["tables"] is not None


def test_the_page_gives_the_limits_of_the_code() -> None:
    """Who reads a figure in a table knows what it leaves out."""
    assert f"`conformity` may move by {profile_drift.SHARE_CHANGE_MAX}," in PAGE
    assert f"`distinctness` by {profile_drift.DISTINCTNESS_CHANGE_MAX} " in PAGE
    assert f"values may diverge by {profile_drift.DIVERGENCE_MAX} " in PAGE
    assert f"both have {profile_drift.COMPARED_RECORDS_MIN} records" in PAGE
    assert f"the {value_tables.DISTRIBUTION_VALUES} most frequent values" in PAGE
    assert f"Tukey's fences, {value_tables.FENCE_TIMES} times" in PAGE
    assert f"quartiles of fewer than {value_tables.MEASURED_MIN} of them" in PAGE
    assert f"have ({value_tables.TERM_RECORDS_MIN} if left out)" in PAGE
    assert f"where `both` is below {blocking_statistics.RECAPTURED_MIN}" in PAGE
    assert len(CALLS) > 3
