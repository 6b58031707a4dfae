"""A file that is too large for the functions gets into a running system: archived, recomputed on Spark, and told."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from end_state import settle
from test_dropped_files import World, people

from mdm_stream.archive import open_archive
from mdm_stream.archive.rows import delivery_of
from mdm_stream.core.reference import resolve
from mdm_stream.decode import Decoder
from mdm_stream.deployment import ARCHIVE_FOLDER

pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed, which Spark needs"),
    pytest.mark.spark,
    pytest.mark.long,
    pytest.mark.timeout(1_200),
]


LARGE = {"MDM_FILES_SPARK_BYTES_MIN": "2000", "MDM_FILES_DIRECT_BYTES_MAX": "1000"}


class LargeWorld(World):
    """A stack whose functions leave files of some kilobytes to a job."""

    environment = LARGE


def test_a_large_file_gets_into_a_running_domain(tmp_path: Path) -> None:
    """Beside what came through the stream; the feed hears of the new golden records, and nothing is drift."""
    pytest.importorskip("pyspark", reason="pyspark is not installed (pip install 'mdm-stream[spark]')")
    with LargeWorld(tmp_path / "state") as world:
        rules = world.rulesets["person"]
        world.drop("small.csv", *people(0, 10))
        world.load("small.csv", "done")
        settle(world.stack, rules)
        world.drop("large.csv", *people(5, 200, "Basel"))
        load = world.load("large.csv", "running")
        assert load.route == "spark"
        command = [sys.executable, "-m", "mdm_stream.cli.main", "files", "job", load.load_id, "--json", "--grace", "0"]
        done = subprocess.run([*command, "--state", str(world.state)], capture_output=True, timeout=1_000, check=False)
        assert done.returncode == 0, (done.stdout[-2_000:], done.stderr[-2_000:])
        report = orjson.loads(done.stdout)
        assert report["state"] == "done"
        assert (report["rebuilt"]["replaced"], report["rebuilt"]["golden"]) == (1, 205)
        assert world.load("large.csv", "done").sent == 200
        world.drop("later.csv", *people(300, 3))
        world.load("later.csv", "done")
        found = settle(world.stack, rules)
        archive = open_archive((world.state / ARCHIVE_FOLDER).as_uri())
        decoder = Decoder(world.rulesets, archived=True)
        events = [event for row in archive.read_new("person", set()) for event in decoder.decode(delivery_of(row))]
        assert found == resolve(rules, events)
        assert len(found.golden) == 208
