"""Loads of files from drop to end: what is sent, what is kept, and what the manifest says."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from files_world import DROPS, KEY, FilesWorld, Killed, created, people, rows

from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.file_notice import FileNotice
from mdm_stream.contracts.golden import FILE_LOADED, parse_envelope
from mdm_stream.contracts.signature import SigningKey, is_signed_by
from mdm_stream.parquet import process
from producers.files.operations import manifests, show
from producers.files.records import PlanRecord

FIRST, SECOND, THIRD = ({"Metadata": {"as-of": f"2026-01-0{day}"}} for day in (1, 2, 3))


def counts(manifest: FileManifest) -> tuple[int, ...]:
    """Rows, accepted, rejected, skipped, sent and deleted."""
    return (
        manifest.rows, manifest.accepted, manifest.rejected, manifest.skipped, manifest.sent, manifest.deleted
    )  # fmt: skip


@pytest.mark.parametrize("fan_out", [False, True])
def test_a_file_is_loaded(drops, tmp_path, fan_out):
    """Rows become events of their source, and the manifest accounts for each."""
    world = FilesWorld(drops, tmp_path, fan_out=fan_out)
    manifest = world.load(people(range(10)) + b"v3,,,\nv11,broken\nv3,,,\n")
    assert (manifest.state, manifest.route) == ("done", "chunks" if fan_out else "direct")
    assert counts(manifest) == (13, 11, 1, 1, 11, 0)
    assert (manifest.chunks, manifest.chunks_checked, manifest.chunks_sent) == (4, 4, 4)
    assert sorted(world.records()) == sorted(f"v{n}" for n in range(10))
    (kept,) = [orjson.loads(each) for each in world.kept.contents.values()]
    row = orjson.loads(base64.b64decode(kept["raw_base64"]))["csv_row"]
    assert (kept["source"], row["row"], row["line"], row["text"]) == ("vendor", 12, 13, "v11,broken\n")
    assert [(each.reason.code, each.rows, each.first_row) for each in manifest.rejected_rows] == [("ragged_row", 1, 12)]


def test_a_file_that_crashes_its_reader_fails(drops, tmp_path, monkeypatch):
    """The process that reads Parquet aborts behind some rows: a manifest says so, nothing is sent, others go on."""
    world = FilesWorld(drops, tmp_path)
    monkeypatch.setattr(process, "CHILD", "hostile_reader")
    content = b"PAR1\x15rows abort\n" + bytes(12) + b"PAR1"
    manifest = world.load(content, "person/vendor/crash.parquet")
    assert (manifest.state, [each.code for each in manifest.reasons]) == ("failed", ["broken_file"])
    assert "SIGABRT" in manifest.reasons[0].message
    assert not world.stream.records
    assert world.load(people(range(3)), "person/vendor/next.csv").state == "done"


def test_a_file_that_is_delivered_twice_is_one_load(drops, tmp_path):
    """The same content under another name, or the same one again, is listed as a delivery and sends nothing."""
    world = FilesWorld(drops, tmp_path)
    first = world.load(people(range(5)))
    sent = len(world.stream.records)
    second = world.load(people(range(5)), "person/vendor/again.csv")
    assert len(world.stream.records) == sent
    assert (second.load_id, second.state, counts(second)) == (first.load_id, "done", counts(first))
    assert {each.key for each in second.deliveries} == {KEY, "person/vendor/again.csv"}
    assert second.revision > first.revision
    assert not second.warnings
    assert len(world.topic.notices) == 1
    (stored,) = world.manifests()
    assert stored == second


def test_two_copies_at_once_are_one_load(drops, tmp_path):
    """Copies that two processes receive at the same time, at whatever write of each other's, are one load."""
    content = people(range(3))
    world = FilesWorld(drops, tmp_path)
    events = [world.drop(content, f"person/vendor/{name}.csv") for name in ("one", "two")]
    world.process().handle(events[0])
    for number in range(1, world.mortality.writes + 1):
        world = FilesWorld(drops, tmp_path)
        world.meanwhile(number, lambda world=world: world.process().handle(events[1]))
        world.process().handle(events[0])
        (manifest,) = world.manifests()
        assert (manifest.state, counts(manifest)) == ("done", (3, 3, 0, 0, 3, 0))
        assert {each.key for each in manifest.deliveries} == {"person/vendor/one.csv", "person/vendor/two.csv"}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_overlapping_files_end_the_same_in_either_order(drops, tmp_path, order):
    """Of two files that both name a record the one with the later time holds, whichever arrives last."""
    files = [(people(range(6), "Early"), "person/vendor/1.csv", FIRST)]
    files += [(people(range(3, 9), "Late"), "person/vendor/2.csv", SECOND)]
    world = FilesWorld(drops, tmp_path)
    loads = [world.load(content, key, **more) for content, key, more in (files[place] for place in order)]
    towns = {record: values["city"] for record, values in world.records().items()}
    assert towns == {f"v{n}": "Early" if n < 3 else "Late" for n in range(9)}
    late = [each.code for each in loads[1].warnings]
    assert late == (["out_of_order"] if order == (1, 0) else [])


def test_a_row_that_changes_back_within_a_file_ends_as_its_last(drops, tmp_path):
    """A row that equals an earlier one with another between them counts: the last of equal rows does."""
    world = FilesWorld(drops, tmp_path)
    a, b = ("v1", "Ada", "Byron", "London"), ("v1", "Ada", "Byron", "Paris")
    manifest = world.load(rows(a, b, a))
    assert counts(manifest) == (3, 2, 0, 1, 2, 0)
    assert world.records()["v1"]["city"].lower() == "london"


def test_a_content_that_returns_warns_unless_a_time_is_declared(drops, tmp_path):
    """Going back to an earlier content without a declared time changes nothing, and the manifest says what to do."""
    world = FilesWorld(drops, tmp_path)
    undeclared = rows(("v1", "Ada", "Byron", "London"))
    world.load(undeclared)
    soon = [(datetime.now(UTC) + timedelta(minutes=minutes)).isoformat() for minutes in (5, 6)]
    world.load(rows(("v1", "Ada", "Byron", "Paris")), "person/vendor/other.csv", Metadata={"as-of": soon[0]})
    back = world.load(undeclared, "person/vendor/back.csv")
    assert [each.code for each in back.warnings] == ["returned"]
    assert world.records()["v1"]["city"].lower() == "paris"
    declared = world.load(undeclared, "person/vendor/back.csv", Metadata={"as-of": soon[1]})
    assert declared.load_id != back.load_id
    assert (declared.state, declared.warnings) == ("done", [])
    assert world.records()["v1"]["city"].lower() == "london"


def test_a_full_load_deletes_what_it_has_not_last(drops, tmp_path):
    """Records that a full load does not name are deleted once all its rows were sent."""
    world = FilesWorld(drops, tmp_path, "load: full")
    world.load(people(range(20)), "person/vendor/1.csv", **FIRST)
    world.resolve()
    manifest = world.load(people(range(18)), "person/vendor/2.csv", **SECOND)
    assert (manifest.state, counts(manifest)) == ("done", (18, 18, 0, 0, 20, 2))
    last = [orjson.loads(each.data) for each in world.stream.records[-2:]]
    assert [(each["op"], each["record_id"]) for each in last] == [("delete", "v18"), ("delete", "v19")]
    assert len(world.records()) == 18


def test_events_of_files_are_signed_where_a_key_is_named(drops, tmp_path):
    """Rows and deletions alike prove their sender, so that a policy may demand it of a source of files."""
    world = FilesWorld(drops, tmp_path, "load: full")
    world.signing_key = SigningKey("vendor-2026", bytes(32))
    world.load(people(range(10)), **FIRST)
    world.resolve()
    assert world.load(people(range(9)), **SECOND).deleted == 1
    events = [orjson.loads(record.data) for record in world.stream.records]
    assert [event["op"] for event in events][-1] == "delete"
    assert all(is_signed_by(event, event["signature"]["value"], world.signing_key) for event in events)


def test_a_full_load_that_would_delete_too_much_is_held_before_anything_is_sent(drops, tmp_path):
    """A full load that lacks 60 % of the live records waits for a person, and nothing of it is sent."""
    world = FilesWorld(drops, tmp_path, "load: full")
    world.load(people(range(20)), "person/vendor/1.csv", **FIRST)
    world.resolve()
    sent = len(world.stream.records)
    manifest = world.load(people(range(8), "New"), "person/vendor/2.csv", **SECOND)
    assert (manifest.state, counts(manifest)) == ("held", (8, 8, 0, 0, 0, 0))
    assert [each.code for each in manifest.reasons] == ["deleted_share"]
    assert len(world.stream.records) == sent
    assert [each["state"] for each in world.topic.notices] == ["done", "held"]


def test_a_full_load_without_an_index_is_held(drops, tmp_path):
    """Where nothing can say which records a full load has not, it waits instead of running as an incremental one."""
    world = FilesWorld(drops, tmp_path, "load: full")
    world.open_index = None
    manifest = world.load(people(range(3)))
    assert (manifest.state, [each.code for each in manifest.reasons]) == ("held", ["no_index"])


def test_a_full_load_past_its_share_by_the_end_deletes_nothing(drops, tmp_path):
    """Records that became live while a full load was sent are no reason to delete more than was judged."""
    world = FilesWorld(drops, tmp_path, "load: full, deleted_share_max: 0.5", fan_out=True)
    world.process().handle(world.drop(people(range(4)), "person/vendor/1.csv", **SECOND))
    world.work(until=lambda body: b'"send"' in body)
    other = FilesWorld(drops, tmp_path)
    other.load(people(range(10, 40)), "person/vendor/0.csv", **FIRST)
    world.stream.records += other.stream.records
    world.resolve()
    world.work()
    (manifest,) = world.manifests()
    assert (manifest.state, manifest.deleted, [each.code for each in manifest.warnings]) == (
        "done",
        0,
        ["deleted_share"],
    )
    assert len(world.records()) == 34


def test_a_file_of_mostly_bad_rows_is_held_whole(drops, tmp_path):
    """Past the accepted share of bad rows nothing is taken, not even the good rows, and nothing is quarantined."""
    world = FilesWorld(drops, tmp_path, "rejected_share_max: 0.1")
    manifest = world.load(people(range(8)) + b"v9,x\nv10,y\n")
    assert (manifest.state, counts(manifest)) == ("held", (10, 8, 2, 0, 0, 0))
    assert [each.code for each in manifest.reasons] == ["rejected_share"]
    assert (world.stream.records, world.kept.contents) == ([], {})
    assert any("/chunks/" in name for name in world.objects.contents)


@pytest.mark.parametrize(
    ("content", "key", "codes"),
    [
        (b"PK\x03\x04", "person/vendor/a.xlsx", ["unsupported_form"]),
        (b"id,first\n", "nowhere/a.csv", ["unknown_prefix"]),
        (b"first,last\nAda,Byron\n", "person/vendor/a.csv", ["columns"]),
        (b"", "person/vendor/a.csv", ["empty_file"]),
    ],
)
def test_a_file_that_cannot_be_loaded_fails_with_reasons(drops, tmp_path, content, key, codes):
    """A refused or unreadable file has a manifest too, that says why; nothing is sent or kept of it."""
    world = FilesWorld(drops, tmp_path)
    manifest = world.load(content, key)
    assert (manifest.state, [each.code for each in manifest.reasons]) == ("failed", codes)
    assert counts(manifest) == (0, 0, 0, 0, 0, 0)
    assert manifest.ended_at is not None
    assert (world.stream.records, world.left_behind()["open"], world.left_behind()["values"]) == ([], [], [])
    assert [each["state"] for each in world.topic.notices] == ["failed"]


def test_a_file_without_a_header_shows_nothing_of_its_first_row(drops, tmp_path):
    """What stands where a header should be may be values: neither manifest nor notice nor feed names them."""
    world = FilesWorld(drops, tmp_path)
    manifest = world.load(b"v1,Ada,Byron,London\nv2,Max,Born,Goettingen\n")
    assert manifest.state == "failed"
    assert manifest.form is not None
    assert manifest.form.columns == []
    told = manifest.model_dump_json() + orjson.dumps(world.topic.notices).decode()
    assert not [value for value in ("Ada", "Byron", "London") if value in told]


def test_a_failed_content_is_tried_again_when_it_is_delivered_again(drops, tmp_path):
    """A file that failed by the rules of then is read by those of now once it is delivered again, and once only."""
    world = FilesWorld(drops, tmp_path)
    content = b"number,first,last,town\nv1,Ada,Byron,London\n"
    assert world.load(content).state == "failed"
    event = created(KEY)
    world.process().handle(event)
    assert [each.state for each in world.manifests()] == ["failed"]
    world.write_rules("", key="number")
    again = world.load(content, "person/vendor/again.csv")
    assert (again.state, counts(again)) == ("done", (1, 1, 0, 0, 1, 0))
    assert sorted(world.records()) == ["v1"]
    world.process().handle(event)
    assert len(world.stream.records) == 1


def test_rules_that_change_while_a_load_is_done_begin_it_again(drops, tmp_path):
    """What was judged by rules that no longer hold is judged anew before anything of it is sent."""
    world = FilesWorld(drops, tmp_path, fan_out=True)
    world.process().handle(world.drop(people(range(10)) + b"v11,,,\n"))
    world.work(until=lambda body: b'"send"' in body)
    world.write_rules("required: [first]")
    world.work()
    (manifest,) = world.manifests()
    assert (manifest.state, counts(manifest)) == ("done", (11, 10, 1, 0, 10, 0))
    assert world.left_behind()["values"] == []


def test_a_very_large_file_becomes_a_job_request(drops, tmp_path):
    """A file past the limit is not read: a job is asked for, and the load runs without its rows being counted."""
    world = FilesWorld(drops, tmp_path, spark_bytes_min=100, direct_bytes_max=50)
    manifest = world.load(people(range(30)))
    assert (manifest.state, manifest.route, manifest.object.sha256) == ("running", "spark", None)
    (name,) = [name for name in world.objects.contents if name.startswith("jobs/")]
    request = orjson.loads(world.objects.contents[name])
    (event,) = [each for each in world.topic.events if each["DetailType"] == "File Job Requested"]
    assert orjson.loads(event["Detail"]) == request
    assert (request["job"], request["load_id"], request["object"]["key"]) == (manifest.job, manifest.load_id, KEY)
    assert world.stream.records == []


def test_manifests_add_up_in_every_state(drops, tmp_path):
    """After each write of a load, whoever renders the manifest finds that it adds up, and revisions never fall."""
    content = people(range(6)) + b"v3,,,\nv11,broken\nv3,,,\n"
    world = FilesWorld(drops, tmp_path, fan_out=True)
    seen: list[FileManifest] = []

    def look() -> None:
        seen.extend(show(world.store, load_id) for load_id in world.store.open_loads())

    world.mortality.watch = look
    world.load(content)
    assert [*dict.fromkeys(each.state for each in seen)] == ["received", "validating", "running", "done"]
    for each in seen:
        assert each.accepted + each.rejected + each.skipped == each.rows
        assert each.rows in (0, 9)
        assert each.sent <= each.accepted
    revisions = [each.revision for each in seen]
    assert revisions == sorted(revisions)
    by_revision = {each.revision: each for each in seen}
    assert all(by_revision[each.revision] == each for each in seen)


def test_the_feed_hears_each_state_and_people_the_ends(drops, tmp_path):
    """The golden feed carries a manifest a state; notices tell of ends; neither has a value of a row."""
    world = FilesWorld(drops, tmp_path, fan_out=True)
    manifest = world.load(people(range(6), "Rosewater"))
    messages = [parse_envelope(each.data) for each in world.golden.records]
    assert {each.type for each in messages} == {FILE_LOADED}
    assert [each.data.state for each in messages] == ["validating", "running", "done"]
    assert messages[-1].data == manifest
    (told,) = world.topic.notices
    notice = FileNotice.model_validate(told)
    assert (notice.state, notice.rows, notice.sent, notice.load_id) == ("done", 6, 6, manifest.load_id)
    assert notice.manifest == f"memory://loads/{manifest.load_id}/manifest.json"
    events = [each for each in world.topic.events if each["DetailType"] == "File Load Done"]
    assert [orjson.loads(each["Detail"]) for each in events] == [told]
    heard = b"".join(each.data for each in world.golden.records) + orjson.dumps(world.topic.notices)
    assert b"Rosewater" not in heard


def test_profiles_that_drift_warn(drops, tmp_path):
    """A load whose values look unlike those of the source's earlier loads runs, with a warning an attribute."""
    world = FilesWorld(drops, tmp_path)
    for day in range(1, 5):
        world.load(
            people(range(day * 10, day * 10 + 10)), f"person/vendor/{day}.csv", Metadata={"as-of": f"2026-02-0{day}"}
        )
    odd = rows(*((f"w{n}", f"Name{n}", "", "X") for n in range(10)))
    manifest = world.load(odd, "person/vendor/odd.csv", Metadata={"as-of": "2026-02-09"})
    assert manifest.state == "done"
    assert "family_name" in {each.path for each in manifest.warnings if each.code == "drift"}


def test_nothing_that_is_told_is_lost_with_an_object_that_is_gone(drops, tmp_path):
    """An object that was removed before it was read is no load; one that was received before goes on without it."""
    world = FilesWorld(drops, tmp_path)
    event = world.drop(people(range(9)))
    drops.delete_object(Bucket=DROPS, Key=KEY)
    assert world.process().handle(event) == []
    assert not world.objects.contents
    event = world.drop(people(range(9)))
    load_ids = world.begin_and_die(event, "001/plan.json")
    drops.delete_object(Bucket=DROPS, Key=KEY)
    assert world.process().handle(event) == load_ids
    (manifest,) = world.manifests()
    assert (manifest.state, manifest.sent) == ("done", 9)


def test_the_plan_of_a_load_is_the_first_that_is_written(drops, tmp_path):
    """A plan says by which rules a load is done, and how."""
    world = FilesWorld(drops, tmp_path, "load: full")
    manifest = world.load(people(range(3)))
    plan = world.store.attempt(manifest.load_id).read("plan.json", PlanRecord)
    assert plan is not None
    assert (plan.route, plan.load, plan.rules_digest) == ("direct", "full", manifest.rules_digest)


def test_a_load_whose_first_step_was_cut_short_is_not_listed(drops, tmp_path):
    """What died before a load was known leaves nothing that listings or a tick stumble over."""
    world = FilesWorld(drops, tmp_path)
    event = world.drop(people(range(2)))
    world.mortality.dies_at = 2
    with pytest.raises(Killed):
        world.process().handle(event)
    world.mortality.dies_at = None
    assert [name.partition("/")[0] for name in world.objects.contents] == ["open"]
    assert list(world.store.open_loads()) == list(manifests(world.store)) == []
    assert list(manifests(world.store, state="received")) == []
