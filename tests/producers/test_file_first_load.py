"""The first files of a domain: there is nothing yet to ask which records are there, or erased."""

from __future__ import annotations

import orjson
from files_world import FilesWorld, people

from mdm_stream.index.errors import NoIndexError

FIRST, SECOND = ({"Metadata": {"as-of": f"2026-01-0{day}"}} for day in (1, 2))


def no_index(_rules):
    """What an index answers before the first event."""
    raise NoIndexError("there is no index yet")


def test_rejected_rows_of_the_first_file_are_kept(drops, tmp_path):
    """Where nothing was resolved nothing is erased, so the quarantine keeps them, and the load ends."""
    world = FilesWorld(drops, tmp_path)
    world.open_index = no_index
    manifest = world.load(people(range(3)) + b"v9,broken\n")
    assert (manifest.state, manifest.accepted, manifest.rejected, manifest.sent) == ("done", 3, 1, 3)
    assert [orjson.loads(each)["source"] for each in world.kept.contents.values()] == ["vendor"]


def test_first_full_load_runs_and_says_that_nothing_could_be_absent(drops, tmp_path):
    """It is not held; a lost index looks the same, so the manifest warns. The next one deletes what it has not."""
    world = FilesWorld(drops, tmp_path, "load: full, deleted_share_max: 0.5")
    found, world.open_index = world.open_index, no_index
    first = world.load(people(range(4)), **FIRST)
    assert (first.state, first.sent, first.deleted) == ("done", 4, 0)
    assert [each.code for each in first.warnings] == ["no_deletions"]
    world.open_index = found
    world.resolve()
    second = world.load(people(range(3)), "person/vendor/second.csv", **SECOND)
    assert (second.state, second.deleted, [each.code for each in second.warnings]) == ("done", 1, [])


def test_index_that_is_lost_meanwhile_deletes_nothing(drops, tmp_path):
    """A load that was judged with an index, and ends without one, says that it deleted nothing."""
    world = FilesWorld(drops, tmp_path, "load: full, deleted_share_max: 0.5", fan_out=True)
    world.load(people(range(4)), **FIRST)
    world.resolve()
    (load_id,) = world.process().handle(world.drop(people(range(3)), "person/vendor/second.csv", **SECOND))
    world.work(until=lambda body: b'"send"' in body)
    world.open_index = no_index
    world.work()
    manifest = next(each for each in world.manifests() if each.load_id == load_id)
    assert (manifest.state, manifest.deleted) == ("done", 0)
    assert [each.code for each in manifest.warnings] == ["no_deletions"]
