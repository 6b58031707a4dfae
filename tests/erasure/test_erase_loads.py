"""Rows of files that wait in the store of loads are found by a search, as long as they wait."""

from __future__ import annotations

import orjson
from files_world import FilesWorld, people, rows

from mdm_stream.contracts.golden import QUARANTINED
from mdm_stream.core.model import EraseEvent
from mdm_stream.engine.batch import Engine
from mdm_stream.erasure.evidence import Evidence
from mdm_stream.erasure.in_loads import LOADS, WAITING, look_into_loads
from mdm_stream.erasure.values import Values
from producers.files.operations import fail, release

HELD = people(range(20, 23), "Markermund") + b"x,y\nz,z\n"


def left_of(world: FilesWorld, record_id: str, *values: str) -> list[tuple[str, str, int, tuple[str, ...]]]:
    """Search the store of loads for a record and its values."""
    refs = [f"vendor/{record_id}"]
    evidence = Evidence(refs, Values(values, refs))
    look_into_loads(world.objects, evidence)
    return [(each.store, each.what, each.count, tuple(sorted(set(each.where)))) for each in evidence.findings()]


def test_rows_of_a_held_load_are_found_until_it_has_ended(drops, tmp_path):
    """A row that waits for a person is found by its id and by its values, and the load is named; no other row is."""
    world = FilesWorld(drops, tmp_path, "rejected_share_max: 0.1")
    held = world.load(HELD)
    assert held.state == "held"
    assert left_of(world, "v21") == [(LOADS, f"{WAITING}, with an id of theirs", 1, (held.load_id,))]
    assert left_of(world, "nobody", "Markermund") == [(LOADS, WAITING, 3, (held.load_id,))]
    assert left_of(world, "v2", "Somebody Else") == []
    fail(world.process().steps, held.load_id, "ada")
    assert left_of(world, "v21", "Markermund") == []


def test_nothing_of_a_row_is_left_once_its_load_is_done(drops, tmp_path):
    """Manifests, findings and notices hold no value of a row; the keys of deletions go with the load."""
    world = FilesWorld(drops, tmp_path, "rejected_share_max: 0.1")
    held = world.load(HELD)
    release(world.process().steps, held.load_id, "ada")
    assert left_of(world, "v21", "Markermund") == []
    everything = b"".join([*world.objects.contents.values(), *(each.data for each in world.golden.records)])
    assert b"Markermund" not in everything
    assert b"v21" not in everything


def test_a_rejected_row_of_an_erased_record_is_not_kept(drops, tmp_path):
    """A vendor that still has an erased record sends a row that is rejected: neither quarantine nor feed keep it."""
    world = FilesWorld(drops, tmp_path, "required: [town]")
    world.load(people(range(30, 34)))
    world.resolve()
    Engine(world.rules["person"], world.index).process([EraseEvent("person", "vendor/v31", 0)])
    rejected = rows(("v31", "Ada", "Markermund", ""), ("v32", "Alan", "Turing", ""))
    manifest = world.load(rejected + people(range(40, 44)).partition(b"\n")[2], "person/vendor/later.csv")
    assert (manifest.state, manifest.rejected) == ("done", 2)
    (kept,) = [orjson.loads(each) for each in world.kept.contents.values()]
    assert kept["record_id"] == "v32"
    reports = [each.data for each in world.golden.records if QUARANTINED.encode() in each.data]
    assert [orjson.loads(each)["data"]["record_id"] for each in reports] == ["v32"]
