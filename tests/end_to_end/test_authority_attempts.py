"""Who may say what, by each way in: ``benchmarks/authority.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.long

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """What a run has shown."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        from authority import run  # noqa: PLC0415 - found only now

        return run(tmp_path_factory.mktemp("authority"))


def test_each_attempt_ends_as_the_policy_says(figures):
    """A source without the right cannot write as another, decide or erase; with it, it can: by Lambda's mapping, by the
    stack's Kinesis API and by the publisher. A redrive gives no right.
    """
    assert figures.wrong == []
    assert {each.form for each in figures.outcomes} == {"Lambda handler", "local stack", "publisher"}
    for found in ("accepted", "refused"):
        assert sum(each.found == found for each in figures.outcomes) > 20
    assert {each.code for each in figures.outcomes} == {"", "not_authorised", "unknown_source", "version_kind"}


def test_the_state_is_that_of_what_was_accepted(figures):
    """Byte for byte F of it, and the same whether stream, key or redrive gave the right."""
    assert figures.state_is_f == {"Lambda handler": True, "local stack": True}
    assert figures.states_of_four_ways == 1
