"""A file that is too large for the functions is done by a job: its rows are archived, and nothing else is different."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest
from files_world import KEY, NOW_US, FilesWorld, Killed, created, people

from mdm_stream.archive import Archive, open_archive
from mdm_stream.archive.rows import delivery_of
from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.core.reference import resolve
from mdm_stream.decode import Decoder, Delivery
from mdm_stream.errors import ConfigurationError
from producers.files.bulk import load_in_bulk
from producers.files.operations import release, show

LARGE = {"spark_bytes_min": 100, "direct_bytes_max": 50}


class BulkWorld:
    """A world in which a large file was dropped, and an archive."""

    def __init__(self, drops, tmp_path: Path, content: bytes, files: str = "", **limits: int) -> None:
        self.world = FilesWorld(drops, tmp_path, files, **{**LARGE, **limits})
        self.archive: Archive = open_archive((tmp_path / "archive").as_uri())
        self.erased: set[str] = set()
        self.load_id = self.world.load(content).load_id

    def job(self) -> FileManifest:
        """Run the job, in a process of its own."""
        steps = self.world.process().steps
        load_in_bulk(steps, self.load_id, self.archive, self._erased_among)
        return show(self.world.store, self.load_id)

    def _erased_among(self, refs: Collection[str]) -> Collection[str]:
        return self.erased.intersection(refs)

    def events(self) -> list:
        """Return what is archived."""
        decoder = Decoder(self.world.rules, archived=True)
        return [event for row in self.archive.read_new("person", set()) for event in decoder.decode(delivery_of(row))]


def test_its_rows_are_what_the_functions_would_have_sent(drops, tmp_path):
    """The same events, under the same versions; rejected rows are in the quarantine, and the manifest adds up."""
    content = people(range(30)) + b"v31,broken\n"
    bulk = BulkWorld(drops, tmp_path, content)
    manifest = bulk.job()
    assert (manifest.state, manifest.rows, manifest.accepted, manifest.rejected, manifest.sent) == (
        "done",
        31,
        30,
        1,
        30,
    )
    assert bulk.world.stream.records == []
    assert len(bulk.world.kept.contents) == 1
    other = tmp_path / "other"
    other.mkdir()
    small = FilesWorld(drops, other)
    small.now_us = bulk.world.now_us
    small.process().handle(created(KEY))
    decoder = Decoder(small.rules)
    sent = [
        event
        for number, record in enumerate(small.stream.records)
        for event in decoder.decode(Delivery.from_kinesis(record.data, str(number), NOW_US / 1_000_000))
    ]
    rules = bulk.world.rules["person"]
    assert resolve(rules, bulk.events()) == resolve(rules, sent)
    assert len(resolve(rules, sent).crosswalk) == 30


def test_nobody_but_the_job_goes_on_with_it(drops, tmp_path):
    """The functions leave it alone, whatever makes them look; a job that was killed goes on, and archives all."""
    bulk = BulkWorld(drops, tmp_path, people(range(30)))
    writes = bulk.world.mortality.writes
    done = bulk.job()
    steps = bulk.world.mortality.writes - writes
    assert done.state == "done"
    for survived in range(1, steps, 3):
        folder = tmp_path / f"killed-{survived}"
        folder.mkdir()
        again = BulkWorld(drops, folder, people(range(30)))
        again.world.mortality.dies_at = again.world.mortality.writes + survived
        with pytest.raises(Killed):
            again.job()
        again.world.mortality.dies_at = None
        again.world.process().steps.advance(again.load_id)
        assert again.world.stream.records == []
        assert again.job().state == "done"
        assert {event.ref for event in again.events()} == {event.ref for event in bulk.events()}


def test_one_that_is_held_goes_on_once_it_is_released(drops, tmp_path):
    """The job judges as the workers do; a person's decision lets the job go on, and not the functions."""
    bulk = BulkWorld(drops, tmp_path, people(range(30)) + b"v31,broken\n", "rejected_share_max: 0.01")
    assert bulk.job().state == "held"
    release(bulk.world.process().steps, bulk.load_id, "ann")
    assert bulk.events() == []
    assert bulk.world.stream.records == []
    assert bulk.job().state == "done"
    assert len(bulk.events()) == 30


def test_nothing_of_an_erased_record_is_archived(drops, tmp_path):
    """It is erased in the index, and a vendor's file has it still."""
    bulk = BulkWorld(drops, tmp_path, people(range(30)))
    ref = "vendor/v3"
    bulk.erased = {ref}
    assert bulk.job().state == "done"
    assert ref not in {event.ref for event in bulk.events()}
    assert bulk.archive.holds("person", ref) == []
    assert len(bulk.events()) == 29


def test_a_load_that_waits_for_no_job_is_refused(drops, tmp_path):
    """The functions have done it; one that a job has done is done."""
    small = BulkWorld(drops, tmp_path, people(range(3)), spark_bytes_min=1_000_000)
    with pytest.raises(ConfigurationError, match="is done, and waits for no job"):
        small.job()
    folder = tmp_path / "large"
    folder.mkdir()
    large = BulkWorld(drops, folder, people(range(30)))
    assert large.job() == large.job()
