"""Rules take the place of others while events stream in, and are taken back: nothing is lost, nobody sees a mixture."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from switch_under_load import run

pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed, which Spark needs"),
    pytest.mark.spark,
    pytest.mark.long,
    pytest.mark.timeout(1_800),
]


def test_rules_are_deployed_and_taken_back_under_load(tmp_path: Path) -> None:
    """Index, feed and warehouse are F under the rules of then, and the forecast came true."""
    pytest.importorskip("pyspark", reason="pyspark is not installed (pip install 'mdm-stream[spark]')")
    found = run(tmp_path, people=120, rate_per_s=5)
    assert found.deployed["as_forecast"]
    assert found.deployed["actual"]["clusters"]["split"]["before"] > 0
    assert (found.there, found.back, found.lost) == ([], [], 0)
    assert found.watched.mixtures == []
    assert found.watched.states == ["old", "new", "old"]
    told = [found.deployed["switched"]["told"], found.rolled_back["told"]]
    assert found.waves == [(count, count) for count in told]
    assert min(told) > 0
    assert found.rolled_back["replaced"] == found.deployed["switched"]["epoch"]
