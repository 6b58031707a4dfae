"""Canary values went through every path of a running stack, and after the erasure no byte of them is anywhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from source_tree import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

from canaries import PATHS, Canaries, measure

pytestmark = [pytest.mark.one_redis, pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Canaries:
    """Live through it once."""
    return measure(Path(tmp_path_factory.mktemp("canaries")) / "state")


def test_every_word_was_somewhere_before(figures: Canaries) -> None:
    """Else finding none would prove nothing: accepted ones in index, archive and tables, others where they ended."""
    assert figures.missing() == []
    good = {place.removesuffix(".wal") for place in figures.before["good"]}  # DuckDB's log, or its file
    assert good >= {"archive", "kinesis", "redis", "redis, live", "warehouse.duckdb"}
    assert "quarantine" in figures.before["escaped"]
    assert figures.before["given up"] == ["on-failure"]


def test_no_word_is_anywhere_afterwards(figures: Canaries) -> None:
    """In no file, key or log, in no form, running or stopped; and the erasure says so itself."""
    assert figures.after == {}
    assert (figures.erase_exit, figures.verify_exit, figures.verify_left) == (0, 0, [])
    assert figures.paths == len(PATHS)


def test_what_others_have_is_still_there(figures: Canaries) -> None:
    """The search finds what is there, and the erasure left it."""
    assert figures.others_kept
    assert figures.holds()
