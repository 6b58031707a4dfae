"""A snapshot is the feed's messages, each once, however they came; a crash leaves the one before."""

from __future__ import annotations

import itertools
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from feed_messages import erase, loaded, origins, rejected, retire, upsert
from feed_snapshots import STREAM, ListedStream, messages_in, names_in, raw, take
from feed_strategies import deliveries
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from killed_store import KilledStore, StoreKilledError

from mdm_stream.aws.read_shards import StreamReader
from mdm_stream.contracts.golden import FeedEnvelope
from mdm_stream.errors import TerminalError, TransientError
from mdm_stream.feed import snapshot as taking
from mdm_stream.feed import snapshot_fold
from mdm_stream.feed.claims import ClaimStore
from mdm_stream.feed.publisher import FeedPublisher
from mdm_stream.feed.snapshot_store import DamagedSnapshotError, FeedSnapshots, OvertakenError
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.objects.folder import FolderObjects

FEED: list[FeedEnvelope] = [
    upsert(1, "g1", ["crm/1"], values={"name": "Ada"}, provenance={"name": origins("crm/1")}),
    upsert(2, "g2", ["crm/2", "erp/2"]),
    upsert(3, "g1", ["crm/1", "erp/1"]),
    retire(4, "g2", merged_into="g1", anchor="crm/2"),
    rejected("q1"),
    loaded("b" * 32, 1, "done", ended_at="2026-03-01T12:05:00Z"),
]
LATER = orjson.dumps({
    "specversion": "1.0", "id": "person/1/5", "source": "mdm-stream/person", "type": "mdm.later.kind",
    "subject": "g1", "time": "2026-03-01T12:05:00Z",
    "data": {"domain": "person", "epoch": 1, "sequence": 5, "op": "later", "source": "crm", "record_id": "9"},
})  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> FolderObjects:
    """An empty store."""
    return FolderObjects(tmp_path / "snapshots")


def test_a_snapshot_outlives_the_stream(store: FolderObjects) -> None:
    """What the stream has forgotten since is in it, once; of what came since it has the rest."""
    stream = ListedStream(*FEED[:3], FEED[0])
    assert take(store, stream).manifest.messages == 3
    stream.put(*FEED[2:], LATER)
    stream.forget(3)
    report = take(store, stream)
    assert sorted(messages_in(store)) == sorted([*map(raw, FEED), LATER])
    assert report.manifest.positions == {"person": {"1": [[1, 5]]}}
    assert report.manifest.missing() == {}
    assert report.manifest.types()["mdm.later.kind"] == 1
    assert len(names_in(store)) == 1 + len(report.manifest.parts)


def test_nothing_new_writes_no_part(store: FolderObjects) -> None:
    """A run without news names the parts of the one before again."""
    stream = ListedStream(*FEED)
    first = take(store, stream).manifest
    again = take(store, stream)
    assert (again.rewritten, again.manifest.parts) == (0, first.parts)


def test_only_the_groups_that_gain_are_written(store: FolderObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long history is not copied with every run."""
    monkeypatch.setattr(snapshot_fold, "SEQUENCES_PER_GROUP", 2)
    stream = ListedStream(*(upsert(number, f"g{number}", [f"crm/{number}"]) for number in range(1, 10)))
    before = take(store, stream).manifest
    stream.put(upsert(10, "g10", ["crm/10"]))
    after = take(store, stream)
    assert (len(before.parts), after.rewritten) == (5, 1)
    assert all(part in after.manifest.parts for part in before.parts)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(case=deliveries(), kind=st.sampled_from(("history", "newest")), group=st.integers(1, 3), forgetful=st.booleans())
def test_however_it_was_gathered_the_parts_are_equal(
    tmp_path_factory: pytest.TempPathFactory, case: Any, kind: Any, group: int, forgetful: bool
) -> None:
    """Any order, repetition and division into runs gives what one run over all of it gives, byte for byte."""
    feed, gathered = case
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(snapshot_fold, "SEQUENCES_PER_GROUP", group)
        at_once = FolderObjects(tmp_path_factory.mktemp("at-once"))
        expected = take(at_once, ListedStream(*feed), kind).manifest
        by_runs = FolderObjects(tmp_path_factory.mktemp("by-runs"))
        stream, found = ListedStream(), expected
        for batch in [*gathered, []]:
            stream.put(*batch)
            found = take(by_runs, stream, kind).manifest
            if forgetful and len(stream.records_held) > 1:
                stream.forget(len(stream.records_held) - 1)
    assert messages_in(by_runs, kind) == messages_in(at_once, kind)
    assert found.digest == expected.digest
    assert found.positions == expected.positions


def test_erased_values_are_taken_out_of_what_was_written_before(store: FolderObjects) -> None:
    """The feed tells an erasure, and the next snapshot has no value of that record, nor has an older object."""
    stream = ListedStream(*FEED)
    take(store, stream)
    assert b"Ada" in b"".join(messages_in(store))
    stream.put(erase(5, "crm/1"), orjson.dumps({**orjson.loads(LATER), "id": "person/1/6"}))
    stream.put(upsert(7, "g1", ["crm/1"], values={"name": "Ada"}, provenance={"name": origins("crm/1")}))
    take(store, stream)
    contents = b"".join(content for _, content in FeedSnapshots(store).each_content())
    assert b"Ada" not in contents
    assert b"person/1/1" in contents


def test_of_an_unknown_type_nothing_of_an_erased_record_is_kept(store: FolderObjects) -> None:
    """Which of its members hold values cannot be known."""
    report = take(store, ListedStream(LATER, erase(6, "crm/9")))
    assert report.left_out == 1
    assert LATER not in messages_in(store)


def evidence(sequence: int, kind: str, **data: Any) -> bytes:
    """A message of evidence, as a release publishes it that knows it."""
    envelope = {**orjson.loads(LATER), "id": f"person/1/{sequence}", "type": f"mdm.{kind}.changed"}
    said = {"domain": "person", "epoch": 1, "sequence": sequence, "op": kind, **data}
    return orjson.dumps({**envelope, "data": said})


def test_evidence_loses_the_values_of_erased_records_alone(store: FolderObjects) -> None:
    """What a record said itself goes; links, other records, and a record's keys stay."""
    key, other = {"source": "crm", "record_id": "9"}, {"source": "erp", "record_id": "9"}
    value = {"name": {"value": "Ada", "valid": True, "version": 1, "event_time": "2026-03-01T12:05:00Z"}}
    told = [
        evidence(1, "record", **key, status="live", attributes=value, overrides={}),
        evidence(2, "record", **other, status="live", attributes={}, overrides={}, verdicts=[{"other": key}]),
        evidence(3, "match", a=key, b=other, status="linked", evidence={"name": "exact"}),
        evidence(4, "review", a=key, b=other, status="open"),
    ]
    report = take(store, ListedStream(*told))
    assert sorted(messages_in(store)) == sorted(told)
    report = take(store, ListedStream(*told, erase(5, "crm/9")))
    found = messages_in(store)
    assert (report.left_out, report.manifest.messages) == (0, 5)
    assert set(told[1:]) <= set(found)
    assert b"Ada" not in b"".join(found)
    assert sum(b'"attributes":{}' in line for line in found) == 2


def test_of_evidence_the_newest_says_all(store: FolderObjects) -> None:
    """Each message is whole under its record or pair."""
    key, other = {"source": "crm", "record_id": "9"}, {"source": "erp", "record_id": "9"}
    told = [
        evidence(1, "record", **key, status="live"),
        evidence(2, "match", a=key, b=other, status="linked"),
        evidence(3, "match", a=key, b=other, status="gone"),
        evidence(4, "record", **key, status="deleted"),
        evidence(5, "review", a=key, b=other, status="open"),
        evidence(6, "record", **other, status="live"),
    ]
    take(store, ListedStream(*told), "newest")
    assert sorted(messages_in(store, "newest")) == sorted(told[2:])


def test_killed_anywhere_the_one_before_stands_and_the_next_run_goes_on(tmp_path: Path) -> None:
    """After each kill a reader finds a whole snapshot, and after the next run nothing is left behind."""
    for place in itertools.count():
        path = tmp_path / str(place)
        stream = ListedStream(*FEED[:3])
        take(FolderObjects(path), stream)
        before = messages_in(FolderObjects(path))
        stream.put(*FEED[3:], erase(9, "crm/1"))
        try:
            take(KilledStore(path, place), stream)
        except StoreKilledError:
            pass
        else:
            break
        whole = messages_in(FolderObjects(path))
        assert whole == before or len(whole) == len(FEED) + 1
        report = take(FolderObjects(path), stream)
        assert len(messages_in(FolderObjects(path))) == len(FEED) + 1
        assert len(names_in(FolderObjects(path))) == 1 + len(report.manifest.parts)
    assert place > 6


def test_of_two_runs_at_once_one_is_overtaken(store: FolderObjects) -> None:
    """The other changes nothing, leaves nothing, and goes on from the first when it is run again."""
    stream = ListedStream(*FEED)
    take(store, stream)

    class Meanwhile(ListedStream):
        def records(self, marks: Any = None) -> Any:
            stream.put(upsert(5, "g5", ["crm/5"]))
            take(store, stream)
            return super().records(marks)

    slow = Meanwhile(*FEED, upsert(6, "g6", ["crm/6"]))
    with pytest.raises(OvertakenError):
        take(store, slow)
    manifest = FeedSnapshots(store).latest("history")
    assert manifest is not None
    assert sorted(names_in(store))[1:] == sorted(part.name for part in manifest.parts)


def test_dropped_messages_are_refused(store: FolderObjects) -> None:
    """A gap is told and not papered over; where it is allowed, the manifest says so."""
    stream = ListedStream(*FEED[:2])
    take(store, stream)
    stream.put(*FEED[2:], LATER)
    stream.forget(3)
    with pytest.raises(TerminalError, match="dropped messages that no snapshot holds: 1 of person/1"):
        take(store, stream)
    assert len(messages_in(store)) == 2
    report = take(store, stream, allow_gap=True)
    assert report.manifest.missing() == {"person/1": 1}
    assert report.from_the_oldest


def test_an_idle_stream_that_forgot_all_is_no_gap(store: FolderObjects) -> None:
    """Retention drops what was read last, and nothing has come since."""
    stream = ListedStream(*FEED)
    take(store, stream)
    stream.forget(len(FEED))
    stream.put(LATER)
    report = take(store, stream)
    assert (report.from_the_oldest, report.manifest.messages) == (True, len(FEED) + 1)


def test_a_damaged_part_is_told(store: FolderObjects) -> None:
    """A snapshot is read whole or not at all."""
    [part, *_] = take(store, ListedStream(*FEED)).manifest.parts
    store.put(part.name, store.get(part.name)[:-9])
    with pytest.raises(DamagedSnapshotError, match="damaged"):
        messages_in(store)
    store.delete([part.name])
    with pytest.raises(DamagedSnapshotError, match="damaged"):
        messages_in(store)


def test_a_manifest_of_a_later_release_is_refused(store: FolderObjects) -> None:
    """It may say what this release does not understand."""
    take(store, ListedStream(*FEED))
    [name] = [name for name in names_in(store) if "manifests" in name]
    document = orjson.loads(store.get(name))
    store.put(name, orjson.dumps({**document, "format": 2, "more": 1}))
    with pytest.raises(TerminalError, match="later release"):
        take(store, ListedStream(*FEED))


def test_large_messages_make_parts_of_their_own(store: FolderObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are bounded, but for one message."""
    monkeypatch.setattr(taking, "PART_BYTES_MAX", 1_000)
    report = take(store, ListedStream(*(upsert(n, f"g{n}", ["crm/1"], values={"x": "y" * 700}) for n in range(1, 6))))
    assert [part.messages for part in report.manifest.parts] == [1] * 5


@pytest.fixture(scope="module")
def kinesis() -> Any:
    """A Kinesis API of this module's own."""
    with KinesisServer() as running:
        yield running.client()


def test_claim_checks_are_kept_with_their_data(kinesis: Any, store: FolderObjects, tmp_path: Path) -> None:
    """From a real stream of two shards: a claim object may be gone when the snapshot is applied."""
    kinesis.create_stream(StreamName=STREAM, ShardCount=2)
    claims = ClaimStore(FolderObjects(tmp_path / "claims"), (tmp_path / "claims").as_uri())
    publisher = FeedPublisher(kinesis, STREAM, claims=claims, record_bytes_max=2_000)
    large = upsert(8, "g8", ["crm/8"], values={"name": "z" * 3_000})
    lost = upsert(9, "g9", ["crm/9"], values={"name": "y" * 3_000})
    publisher.publish([(message.subject, raw(message)) for message in [*FEED, large]])
    report = take(store, StreamReader(kinesis, STREAM), follow=claims.fetch)
    assert (report.read, report.without_data) == (7, 0)
    assert b"z" * 3_000 in b"".join(messages_in(store))
    publisher.publish([(lost.subject, raw(lost))])
    for each in list(FolderObjects(tmp_path / "claims").list("")):
        FolderObjects(tmp_path / "claims").delete([each.name])
    report = take(store, StreamReader(kinesis, STREAM), follow=claims.fetch)
    assert (report.read, report.without_data) == (1, 1)
    found = messages_in(store)
    assert b"z" * 3_000 in b"".join(found)
    assert sum(b'"dataref"' in line for line in found) == 1


def test_no_value_is_left_on_the_disk_by_a_killed_run() -> None:
    """What does not fit into memory goes to a file that has no name while it is written."""
    before = _open_files()
    fold = snapshot_fold.SnapshotFold("history")
    for number in range(1, 41):
        fold.add(raw(upsert(number, f"g{number}", ["crm/1"], values={"name": f"{number}" * 250_000})))
    opened = _open_files() - before
    assert sum(1 for _ in fold.messages(fold.groups()[0])) == 40
    fold.close()
    assert opened
    assert all(target.endswith(" (deleted)") for target in opened)


def _open_files() -> set[str]:
    """The paths of all open files, marked by the system where a file has no name any more."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of this listing
            found.add(str(descriptor.readlink()))
    return found


def test_a_store_that_fails_leaves_the_one_before(store: FolderObjects) -> None:
    """A passing fault ends the run; nothing half-made is published."""
    stream = ListedStream(*FEED[:3])
    take(store, stream)

    class Full(FolderObjects):
        def put(self, name: str, content: bytes) -> None:
            raise TransientError("the disk is full")

    stream.put(*FEED[3:])
    with pytest.raises(TransientError, match="full"):
        take(Full(store._root), stream)
    assert len(messages_in(store)) == 3
