"""Claim objects: written once, verified when read, and after an erasure what is left of them, in any order of calls."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import orjson
import pytest

from mdm_stream.contracts.golden import ClaimCheck, parse_envelope, parse_message
from mdm_stream.errors import RejectedEventError, TerminalError, TransientError
from mdm_stream.feed.claims import ClaimReader, ClaimStore, DamagedClaimError, MissingClaimError, claims_url_of
from mdm_stream.feed.envelope import change_message
from mdm_stream.feed.published import PublishedState
from mdm_stream.index.port import OutboxEntry
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.objects.s3 import S3Objects
from mdm_stream.objects.store import ObjectStore

BUCKET = "claims"


def message(sequence: int = 7, note: str = "Quendolberga", op: str = "upsert") -> bytes:
    """A golden change as its message."""
    content = {
        "op": op,
        "domain": "person",
        "golden_id": "g1",
        "members": [],
        "values": {"note": note} if op == "upsert" else {},
        "provenance": {},
        "removed": [],
        "rules_version": 1,
    }
    return change_message(OutboxEntry(2, sequence, orjson.dumps(content), 1))[1]


@pytest.fixture(scope="module")
def server():
    """An S3 API on loopback."""
    with KinesisServer() as running:
        yield running


@pytest.fixture(params=["folder", "s3"])
def objects(request, tmp_path, server) -> ObjectStore:
    """An empty store: a folder, or a bucket that keeps versions."""
    if request.param == "folder":
        return FolderObjects(tmp_path)
    client = server.client("s3")
    bucket = f"claims-{abs(hash(request.node.name))}"
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return S3Objects(client, bucket, "p")


@pytest.fixture
def store(objects) -> ClaimStore:
    """Claim objects in that store."""
    return ClaimStore(objects, "s3://claims/p")


def checked_in(store: ClaimStore, raw: bytes) -> ClaimCheck:
    """Check a message in, and read what goes to the feed instead."""
    small = store.check_in(raw)
    assert small is not None
    claim = parse_message(small)
    assert isinstance(claim, ClaimCheck)
    return claim


def names(objects: ObjectStore) -> list[str]:
    """What the store holds."""
    return [stored.name for stored in objects.list("domain=person/")]


def without_it(data: bytes) -> bytes | None:
    """Data without its value; None if it has none."""
    change = orjson.loads(data)
    return None if not change["values"] else orjson.dumps({**change, "values": {}})


def without_word(word: str) -> Callable[[bytes], bytes | None]:
    """What takes a word out of data; None of data that has it not."""
    return lambda data: data.replace(word.encode(), b"-") if word.encode() in data else None


def test_a_message_comes_back_as_it_was(store, objects):
    """Checked in once or twice, there is one object, named by domain, epoch, sequence and digest."""
    raw = message()
    claim = checked_in(store, raw)
    assert store.check_in(raw) == store.check_in(raw)
    [name] = names(objects)
    data = orjson.dumps(orjson.loads(raw)["data"])
    assert name == f"domain=person/epoch=0000000002/0000000000000007-{hashlib.sha256(data).hexdigest()}.json"
    assert (claim.dataref, claim.datasize) == (f"s3://claims/p/{name}", len(data))
    assert b"Quendolberga" not in claim.model_dump_json().encode()
    assert parse_envelope(claim.model_dump_json().encode(), store.fetch) == parse_envelope(raw)


def test_a_claim_check_is_of_the_wave_of_its_message(store):
    """What a switch of rules tells is marked, however large it is; what is of no wave has no such member."""
    for members in ({"wave": 9}, {}):
        raw = orjson.dumps(orjson.loads(message()) | members)
        claim = store.check_in(raw)
        assert orjson.loads(claim).get("wave", 0) == members.get("wave", 0)
        assert parse_envelope(claim, store.fetch) == parse_envelope(raw)


def test_only_golden_changes_are_checked_in(store, objects):
    """An erasure or a report is never kept: it is small, and readers need it whole."""
    content = {"op": "erase", "domain": "person", "golden_id": "g", "source": "crm", "record_id": "1"}
    assert store.check_in(change_message(OutboxEntry(1, 1, orjson.dumps(content), 0))[1]) is None
    assert names(objects) == []
    assert checked_in(store, message(op="retire")).op == "retire"


def test_an_object_that_is_missing_or_damaged_is_an_error_that_says_what_to_do(store, objects):
    """Missing may pass, when it is restored; other bytes than those checked in never count as data."""
    claim = checked_in(store, message())
    [name] = names(objects)
    objects.put(name, b"{}")
    with pytest.raises(DamagedClaimError, match="restore it"):
        store.fetch(claim)
    assert checked_in(store, message()) == claim
    objects.delete([name])
    with pytest.raises(MissingClaimError, match="restore the object, or rebuild the domain") as raised:
        store.fetch(claim)
    assert isinstance(raised.value, TransientError)


def test_what_an_erasure_leaves_is_what_readers_get(store, objects):
    """The original is gone with its versions, the claim still leads to a change, and erasing again does nothing."""
    raw = message()
    claim = checked_in(store, raw)
    [(found, data)] = store.each("person")
    assert store.redact(found, without_it)
    assert not store.redact(found, without_it)
    envelope = parse_envelope(claim.model_dump_json().encode(), store.fetch)
    assert (envelope.id, envelope.data.values) == ("person/2/7", {})
    assert [orjson.loads(left)["values"] for _, left in store.each("person")] == [{}]
    assert b"Quendolberga" in data
    if isinstance(objects, S3Objects):
        versions = objects._client.list_object_versions(Bucket=objects._bucket).get("Versions", [])
        assert len(versions) == 1


def test_a_second_erasure_takes_out_what_the_first_one_left(store, objects):
    """Each erasure writes what is left under the next number, and no earlier one stays."""
    claim = checked_in(store, message(note="one two"))
    for number, word in enumerate(("one", "two"), start=1):
        [(found, _)] = store.each("person")
        assert store.redact(found, without_word(word))
        [name] = names(objects)
        assert name.endswith(f".redacted-{number:04d}.json")
    assert orjson.loads(store.fetch(claim))["values"] == {"note": "- -"}


def test_a_late_publisher_brings_nothing_back(store, objects):
    """One that read the outbox before the erasure and checks the data in after it leaves what the erasure left."""
    claim = checked_in(store, message())
    [(found, _)] = store.each("person")
    store.redact(found, without_it)
    assert checked_in(store, message()) == claim
    assert len(names(objects)) == 1
    assert orjson.loads(store.fetch(claim))["values"] == {}


def test_a_late_publisher_that_died_is_found_by_the_next_erasure(store, objects):
    """The original stands beside what is left of it: a search sees it, and erasing again removes it."""
    claim = checked_in(store, message())
    [(found, data)] = store.each("person")
    store.redact(found, without_it)
    objects.put(found.name, data)
    assert {bool(orjson.loads(content)["values"]) for _, content in store.each("person")} == {True, False}
    store.redact(found, without_it)
    assert len(names(objects)) == 1
    assert orjson.loads(store.fetch(claim))["values"] == {}


def test_damaged_remains_are_an_error(store, objects):
    """What an erasure left is verified too, by a digest of its own."""
    claim = checked_in(store, message())
    [(found, _)] = store.each("person")
    store.redact(found, without_it)
    [name] = names(objects)
    objects.put(name, objects.get(name) + b" ")
    with pytest.raises(DamagedClaimError):
        store.fetch(claim)
    objects.put(name, b"{}\n")
    with pytest.raises(DamagedClaimError):
        list(store.each("person"))
    objects.delete([name])
    objects.put("domain=person/notes.txt", b"")
    with pytest.raises(TerminalError, match="no name of a claim object"):
        list(store.each("person"))


def test_a_reader_goes_where_the_message_or_its_setting_says(tmp_path):
    """Without a setting the dataref is followed; with one the same object is looked for there. Names are checked."""
    here, there = tmp_path / "here", tmp_path / "there"
    claim = checked_in(ClaimStore(FolderObjects(here), here.as_uri()), message())
    data = ClaimReader()(claim)
    assert orjson.loads(data)["values"] == {"note": "Quendolberga"}
    with pytest.raises(MissingClaimError):
        ClaimReader(there.as_uri())(claim)
    here.rename(there)
    assert ClaimReader(there.as_uri())(claim) == data
    astray = claim.model_copy(update={"dataref": (there / "secret.json").as_uri()})
    with pytest.raises(DamagedClaimError, match="does not end in that change's name"):
        ClaimReader()(astray)


def test_a_claim_that_leads_to_another_change_is_refused(store):
    """The data must say the same domain, epoch, sequence and golden record as the message."""
    claim = checked_in(store, message(7))
    other = claim.model_copy(update={"id": "person/2/8"})
    with pytest.raises(RejectedEventError, match="the data of another message"):
        parse_envelope(other.model_dump_json().encode(), lambda _: store.fetch(claim))
    with pytest.raises(RejectedEventError, match="follows no claim checks"):
        parse_envelope(claim.model_dump_json().encode())
    for broken in ({"id": "person/2"}, {"datasha256": "x"}, {"datasize": 0}, {"type": "mdm.record.erased"}):
        with pytest.raises(RejectedEventError):
            parse_message(orjson.dumps({**claim.model_dump(), **broken}))


def test_claims_lie_beside_the_archive_unless_a_setting_says_otherwise():
    """So the default needs no new bucket and no new permission."""
    assert claims_url_of("s3://archive/mdm/") == "s3://archive/mdm/claims"
    assert claims_url_of("s3://archive/mdm", "s3://claims/x") == "s3://claims/x"


def test_a_published_change_whose_data_is_gone_counts_as_different(store):
    """A rebuild tells its golden record anew, whatever it is now; another domain's is passed over."""
    state = PublishedState("person")
    state.note_missing(checked_in(store, message()))
    known = state.get("g1")
    assert known is not None
    assert (known.epoch, known.sequence, known.digest, state.position) == (2, 7, "", (2, 7))
    assert [golden.golden_id for golden in state.live()] == ["g1"]
    elsewhere = PublishedState("organisation")
    elsewhere.note_missing(checked_in(store, message()))
    assert len(elsewhere) == 0
