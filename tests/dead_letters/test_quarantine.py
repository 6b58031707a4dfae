"""The quarantine store, on a real folder and on S3 as moto has it."""

import base64
import functools
import stat
from dataclasses import replace
from pathlib import Path

import boto3
import orjson
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, NoCredentialsError
from botocore.stub import Stubber
from moto import mock_aws

from mdm_stream.aws.errors import translated
from mdm_stream.dead_letters.quarantine import (
    QuarantineEntry,
    QuarantineStore,
    decode_entry,
    encode_entry,
    open_quarantine,
    quarantine_id_of,
)
from mdm_stream.decode import Delivery
from mdm_stream.errors import ConfigurationError, Reason, TerminalError, TransientError
from mdm_stream.objects.folder import FolderObjects
from mdm_stream.objects.s3 import S3Objects

RAW = b'{"domain":"person"\xff\x00'
REASONS = (Reason("not_utf8", "", "is not UTF-8"), Reason("missing", "source", "is required"))
DELIVERY = Delivery(RAW, "7".zfill(64), 1_000_001, "changes/7")
ENTRY = QuarantineEntry(DELIVERY, REASONS, 1_500_000, "person", "crm")
UNPLACED = Delivery.unplaced(RAW, "changes/7")
UNVERSIONED = b'{"domain":"person","source":"crm","record_id":"1","op":"merge","event_time":"2026-01-01T00:00:00Z"}'
VERSIONED = UNVERSIONED.replace(b'"op"', b'"version":3,"op"')
CREDENTIALS = {"region_name": "eu-west-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}


@functools.cache
def s3_client():
    """A client that never asks the machine for credentials; one for all tests, because it is slow to make."""
    return boto3.client("s3", **CREDENTIALS, config=Config(retries={"max_attempts": 1}))


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    """Each store with a function that reads what is at a location."""
    if request.param == "folder":
        yield QuarantineStore(FolderObjects(tmp_path / "quarantine")), lambda location: Path(location).read_bytes()
        return
    with mock_aws():
        client = s3_client()
        client.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

        def read(location):
            return client.get_object(Bucket="kept", Key=location.removeprefix("s3://kept/"))["Body"].read()

        yield QuarantineStore(S3Objects(client, "kept", "rejected/")), read


def test_an_entry_is_kept_whole(store):
    """What is read back has the very bytes, every reason, and where and when the event was met."""
    put, read = store
    (location,) = put.put([ENTRY])
    assert location.endswith(f"person/{quarantine_id_of(UNPLACED)}.json")
    kept = orjson.loads(read(location))
    assert base64.b64decode(kept.pop("raw_base64")) == RAW
    assert kept == {
        "quarantine_id": quarantine_id_of(UNPLACED),
        "domain": "person",
        "source": "crm",
        "record_id": None,
        "reasons": [
            {"code": "not_utf8", "path": "", "message": "is not UTF-8"},
            {"code": "missing", "path": "source", "message": "is required"},
        ],
        "received_from": "changes/7",
        "redriven_on": None,
        "key_id": None,
        "position": DELIVERY.position,
        "arrival_time": "1970-01-01T00:00:01.000001Z",
        "quarantined_at": "1970-01-01T00:00:01.500000Z",
        "raw_bytes": len(RAW),
    }


def test_a_redelivery_overwrites_itself(store):
    """The same bytes have one place, whatever else is said of them; other bytes have another, in order."""
    put, _ = store
    other = QuarantineEntry(Delivery.unplaced(b"", "changes/9"), REASONS, 0)
    again = QuarantineEntry(Delivery.unplaced(RAW, "changes/8"), REASONS[:1], 2_000_000, "person")
    first, second, third = put.put([ENTRY, other, again])
    assert first == third != second
    assert "/unknown/" in second
    assert put.put([]) == []


@pytest.mark.parametrize(
    "entry",
    [ENTRY, replace(ENTRY, delivery=UNPLACED, domain=None), replace(ENTRY, delivery=replace(DELIVERY, raw=b""))],
)
def test_an_entry_is_read_back(store, entry):
    """Whoever redrives an entry has everything that was kept of it."""
    put, read = store
    (location,) = put.put([entry])
    assert decode_entry(read(location)) == entry


def test_an_entry_of_a_release_that_kept_no_position_is_read():
    """Its event is redriven under a new position, as an event that was never on the stream."""
    kept = orjson.loads(encode_entry(ENTRY))
    del kept["position"], kept["arrival_time"]
    assert decode_entry(orjson.dumps(kept)) == replace(ENTRY, delivery=UNPLACED)


@pytest.mark.parametrize(
    "change",
    [
        {"raw_base64": "=="},
        {"domain": 5},
        {"quarantined_at": "today"},
        {"reasons": [1]},
        {"position": "1", "arrival_time": 3},
    ],
)
def test_a_damaged_object_is_told(change):
    """What cannot be read back is an error that says so, and not the bytes."""
    kept = orjson.loads(encode_entry(ENTRY))
    for content in (orjson.dumps(kept | change), b"[]", b"{}", b"", b"\xff"):
        with pytest.raises(TerminalError, match="no quarantined event"):
            decode_entry(content)


def test_what_depends_on_its_place_is_kept_by_place(store):
    """Two deliveries of an event without a version are two events; a redelivery of one is that one."""
    put, _ = store
    first, second = Delivery(UNVERSIONED, "1".zfill(64), 0), Delivery(UNVERSIONED, "2".zfill(64), 0)
    entries = [replace(ENTRY, delivery=each) for each in (first, second, first, Delivery.unplaced(UNVERSIONED))]
    one, other, again, unplaced = put.put(entries)
    assert one == again
    assert len({one, other, unplaced}) == 3
    assert unplaced.endswith(f"/{quarantine_id_of(Delivery.unplaced(UNVERSIONED))}.json")


@pytest.mark.parametrize("raw", [RAW, VERSIONED, b"{}", b"ping"])
def test_a_flood_of_the_same_bytes_is_kept_once(store, raw):
    """Bytes that say the same wherever they arrive have one place, however often they come."""
    put, _ = store
    flood = [replace(ENTRY, delivery=Delivery(raw, str(n).zfill(64), n)) for n in range(50)]
    assert len(set(put.put(flood))) == 1
    assert {entry.quarantine_id for entry in flood} == {quarantine_id_of(Delivery.unplaced(raw))}


@pytest.mark.parametrize("domain", ["../../etc", "Person", "a/b", "", "person\n"])
def test_a_claimed_domain_cannot_choose_its_place(store, domain):
    """What the event says of its domain is part of the place only if it has a domain's form."""
    put, _ = store
    (location,) = put.put([QuarantineEntry(UNPLACED, REASONS, 0, domain)])
    assert location.endswith(f"unknown/{quarantine_id_of(UNPLACED)}.json")


def test_many_entries_keep_their_order(store):
    """Locations answer to entries one by one, though some are written at the same time."""
    put, _ = store
    entries = [QuarantineEntry(Delivery.unplaced(str(number).encode(), "x"), REASONS, 0) for number in range(30)]
    assert [location.split("/")[-1] for location in put.put(entries)] == [
        f"{quarantine_id_of(entry.delivery)}.json" for entry in entries
    ]


def test_a_folder_is_for_its_owner_alone(tmp_path):
    """Rejected events are personal: folders are 0700, files 0600, and nothing half-written is left."""
    (location,) = QuarantineStore(FolderObjects(tmp_path / "q")).put([ENTRY])
    assert stat.S_IMODE((tmp_path / "q").stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(location).parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(location).stat().st_mode) == 0o600
    assert [path.name for path in Path(location).parent.iterdir()] == [Path(location).name]


def test_a_folder_that_cannot_be_made(tmp_path):
    """A file where the folder should be is told by its path, and can be retried once it is mended."""
    (tmp_path / "q").write_text("")
    with pytest.raises(TransientError, match="q"):
        QuarantineStore(FolderObjects(tmp_path / "q")).put([ENTRY])


def test_objects_are_encrypted():
    """Every object is, with the key that was named."""
    with mock_aws():
        client = s3_client()
        client.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        (location,) = QuarantineStore(S3Objects(client, "kept", kms_key_id="alias/rejected")).put([ENTRY])
        head = client.head_object(Bucket="kept", Key=location.removeprefix("s3://kept/"))
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/rejected")


def test_failures_of_s3_say_what_to_do():
    """A bucket that is not there is terminal, a slow-down is not; neither repeats AWS's message."""
    with mock_aws(), pytest.raises(TerminalError, match="NoSuchBucket"):
        QuarantineStore(S3Objects(s3_client(), "absent")).put([ENTRY])
    client = s3_client()
    with Stubber(client) as stub:
        stub.add_client_error("put_object", "SlowDown", "you sent secret things", 503)
        with pytest.raises(TransientError) as caught:
            QuarantineStore(S3Objects(client, "kept")).put([ENTRY])
    assert "secret" not in str(caught.value)


def test_errors_are_told_apart():
    """Unknown codes and lost connections may pass; missing credentials do not."""
    assert isinstance(translated(ClientError({"Error": {"Code": "NewThing"}}, "x"), "x"), TransientError)
    assert isinstance(translated(ClientError({}, "x"), "x"), TransientError)
    assert isinstance(translated(ConnectTimeoutError(endpoint_url="x"), "x"), TransientError)
    assert isinstance(translated(NoCredentialsError(), "x"), TerminalError)


def test_addresses(tmp_path):
    """Two kinds of address are known; everything else is refused when the store is opened."""
    (location,) = open_quarantine(f"file://{tmp_path}/a%20b").put([ENTRY])
    assert Path(location).is_relative_to(tmp_path / "a b")
    with mock_aws():
        s3_client().create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        (location,) = open_quarantine("s3://bucket/some/prefix", s3_client=s3_client()).put([ENTRY])
    assert location.startswith("s3://bucket/some/prefix/person/")
    for address in ("", "quarantine", "s3://", "file://host/x", "https://bucket/x"):
        with pytest.raises(ConfigurationError):
            open_quarantine(address)
