"""What people do with loads: release, fail, begin again, redrive, list."""

from __future__ import annotations

import pytest
from files_world import FilesWorld, people

from mdm_stream.dead_letters.letters import DeadLetters
from mdm_stream.dead_letters.redrive import RedriveRun, Streams
from mdm_stream.decode import Decoder, Delivery, unpack
from mdm_stream.errors import ConfigurationError
from mdm_stream.objects.store import MissingObjectError
from producers.files.operations import begin_again, fail, manifests, redrive_rows, release, show
from producers.files.records import RedriveRecord, ReleaseRecord

BAD = people(range(4)) + b"v8,x\nv9,y\n"
RUN = "0123456789abcdef"
ELEMENTS = b"[" + b'{"id": 1, "first": "Ada"}, {"id": 2}, {"id": 3}, {"id": 4}, {"id": {"x": 5}}, 7]'


@pytest.mark.parametrize("fan_out", [False, True])
def test_a_released_load_runs(drops, tmp_path, fan_out):
    """A person lets a held load run: its rows are sent, its bad rows quarantined, and who it was is kept."""
    world = FilesWorld(drops, tmp_path, "rejected_share_max: 0.1", fan_out=fan_out)
    held = world.load(BAD)
    assert held.state == "held"
    release(world.process().steps, held.load_id, "ada@example.org")
    world.work()
    manifest = show(world.store, held.load_id)
    assert (manifest.state, manifest.sent, manifest.rejected) == ("done", 4, 2)
    assert manifest.released_by == "ada@example.org"
    assert len(world.kept.contents) == 2
    assert world.left_behind()["values"] == []
    noted = world.store.attempt(held.load_id).read("released.json", ReleaseRecord)
    assert noted is not None
    assert (noted.decision, noted.by, noted.at) == ("run", "ada@example.org", manifest.ended_at)


def test_a_released_full_load_deletes_what_it_was_held_for(drops, tmp_path):
    """Whoever releases a full load that lacks most of its source accepts its deletions."""
    world = FilesWorld(drops, tmp_path, "load: full")
    world.load(people(range(10)), "person/vendor/1.csv", Metadata={"as-of": "2026-01-01"})
    world.resolve()
    held = world.load(people(range(4)), "person/vendor/2.csv", Metadata={"as-of": "2026-01-02"})
    assert held.state == "held"
    assert release(world.process().steps, held.load_id, "ada").state == "done"
    manifest = show(world.store, held.load_id)
    assert (manifest.deleted, manifest.sent, len(world.records())) == (6, 10, 4)


def test_a_held_load_can_be_failed(drops, tmp_path):
    """A load that a person fails sends nothing, and its rows are removed."""
    world = FilesWorld(drops, tmp_path, "rejected_share_max: 0.1")
    held = world.load(BAD)
    fail(world.process().steps, held.load_id, "ada")
    manifest = show(world.store, held.load_id)
    assert (manifest.state, manifest.sent, manifest.released_by) == ("failed", 0, "ada")
    assert manifest.ended_at is not None
    left = world.left_behind()
    assert (left["values"], left["open"], world.stream.records, left["quarantine"]) == ([], [], [], {})
    assert [each["state"] for each in world.topic.notices] == ["held", "failed"]


def test_only_a_held_load_is_decided_on_and_once(drops, tmp_path):
    """Deciding on a load that is not held, or deciding twice, is refused with what it is."""
    world = FilesWorld(drops, tmp_path, "rejected_share_max: 0.1")
    done = world.load(people(range(2)), "person/vendor/good.csv")
    with pytest.raises(ConfigurationError, match="is done; only a load that is held"):
        release(world.process().steps, done.load_id, "ada")
    held = world.load(BAD)
    fail(world.process().steps, held.load_id, "ada")
    with pytest.raises(ConfigurationError, match="is failed"):
        release(world.process().steps, held.load_id, "alan")
    with pytest.raises(MissingObjectError):
        show(world.store, "f" * 32)


def test_a_load_is_not_released_by_other_rules_than_it_was_checked_by(drops, tmp_path):
    """Where the rules were mended meanwhile a held load is checked by them first, and then runs by itself."""
    world = FilesWorld(drops, tmp_path, "rejected_share_max: 0.1, required: [town]")
    held = world.load(people(range(4)) + b"v7,Ada,Byron,\n")
    assert (held.state, held.rejected) == ("held", 1)
    world.write_rules("rejected_share_max: 0.1")
    with pytest.raises(ConfigurationError, match="the rules changed since"):
        release(world.process().steps, held.load_id, "ada")
    assert begin_again(world.process().steps, held.load_id, "ada").state == "done"
    manifest = show(world.store, held.load_id)
    assert (manifest.rejected, manifest.sent, manifest.revision > held.revision) == (0, 5, True)
    assert world.left_behind()["values"] == []


def test_a_refused_file_is_not_begun_again(drops, tmp_path):
    """A file that was never read is delivered again instead, since its rules and its time are not known."""
    world = FilesWorld(drops, tmp_path)
    refused = world.load(b"id\n1\n", "nowhere/a.csv")
    with pytest.raises(ConfigurationError, match="deliver the file again"):
        begin_again(world.process().steps, refused.load_id, "ada")


def test_rejected_rows_are_redriven_once_the_rules_are_mended(drops, tmp_path):
    """The rejected rows of one load go back to the stream, and are read by the rules of now."""
    world = FilesWorld(drops, tmp_path, key="number")
    manifest = world.load(b"number,first,last,town\n1,Ada,Byron,London\n,Alan,Turing,Wilmslow\n")
    other = world.load(b"number,first,last,town\n,Kurt,Goedel,Wien\n9,Emmy,Noether,Bryn Mawr\n", "person/vendor/b.csv")
    assert (manifest.state, manifest.rejected, other.rejected) == ("done", 1, 1)
    assert len(world.kept.contents) == 2
    world.write_rules("", key="last")
    sent = []

    def deliver(messages):
        sent.extend(messages)
        return {}

    letters = DeadLetters(world.kept, "quarantine")
    run = RedriveRun([letters], Streams("changes", steward="steward"), lambda _: None, deliver)
    report, kept = redrive_rows(world.process().steps, manifest.load_id, "ada", letters, run, RUN)
    assert (report.letters, report.complete, len(sent), kept) == (1, True, 1, {})
    assert len(world.kept.contents) == 1
    (delivery,) = unpack(Delivery.from_kinesis(sent[0].data, "7", world.now_us / 1_000_000))
    (event,) = Decoder(world.rules).decode(delivery)
    assert (event.record_id, event.attributes["first"]) == ("Turing", "Alan")
    noted = world.store.read(f"loads/{manifest.load_id}/redriven/{RUN}.json", RedriveRecord)
    assert noted is not None
    assert (noted.by, noted.letters) == ("ada", 1)


@pytest.mark.parametrize(
    ("content", "name", "rules", "mended", "codes"),
    [
        (people(range(2)) + b"v7,Ada,Byron,\n", "a.csv", "required: [town]", "required: [town]", ["missing"]),
        (people(range(2)) + b"v7,Ada,Byron,\n", "a.csv", "required: [town]", "", []),
        (ELEMENTS, "a.json", "", "", ["no_row", "no_row"]),
        (b"id,first,source\n1,Ada,vendor\n2,Eve,other\n", "a.csv", "", "", ["not_authorised"]),
    ],
    ids=["required still", "required no more", "elements that are no rows", "rows of another source"],
)
def test_a_redrive_lets_nothing_past_the_entrance(drops, tmp_path, content, name, rules, mended, codes):
    """What the gatekeeper alone asks for is asked for again; a row that is none is never sent, and the rest is."""
    world = FilesWorld(drops, tmp_path, rules)
    manifest = world.load(content, f"person/vendor/{name}")
    assert manifest.state == "done"
    world.write_rules(mended)
    sent = []

    def deliver(messages):
        sent.extend(messages)
        return {}

    letters = DeadLetters(world.kept, "quarantine")
    run = RedriveRun([letters], Streams("changes", steward="steward"), lambda _: None, deliver)
    report, kept = redrive_rows(world.process().steps, manifest.load_id, "ada", letters, run, RUN)
    assert sorted(kept.values()) == codes
    assert len(sent) == report.letters == manifest.rejected - len(codes)
    assert len(world.kept.contents) == len(codes)


def test_loads_are_listed_by_source_and_state(drops, tmp_path):
    """Listings find loads of a source, the one with the latest time first, and those in a state."""
    world = FilesWorld(drops, tmp_path, "rejected_share_max: 0.1")
    days = [
        world.load(people(range(n, n + 2)), f"person/vendor/{n}.csv", Metadata={"as-of": f"2026-0{n}-01"})
        for n in (1, 3, 2)
    ]
    held = world.load(BAD, "person/vendor/bad.csv", Metadata={"as-of": "2025-01-01"})
    failed = world.load(b"id\n1\n", "nowhere/a.csv")
    first, third, second = (each.load_id for each in days)
    listed = [each.load_id for each in manifests(world.store, source="vendor")]
    assert listed == [third, second, first, held.load_id]
    assert [each.load_id for each in manifests(world.store, state="held")] == [held.load_id]
    assert [each.load_id for each in manifests(world.store, state="failed")] == [failed.load_id]
    assert [each.load_id for each in manifests(world.store, state="held", source="other")] == []
    assert {each.load_id for each in manifests(world.store)} == {*listed, failed.load_id}
