"""The quarantine store, on a real folder and on S3 as moto has it."""

import base64
import functools
import stat
from pathlib import Path

import boto3
import orjson
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, NoCredentialsError
from botocore.stub import Stubber
from moto import mock_aws

from mdm_stream.aws_errors import translated
from mdm_stream.errors import ConfigurationError, Reason, TerminalError, TransientError
from mdm_stream.quarantine import (
    FolderQuarantine,
    QuarantineEntry,
    S3Quarantine,
    open_quarantine,
    quarantine_id_of,
)

RAW = b'{"domain":"person"\xff\x00'
REASONS = (Reason("not_utf8", "", "is not UTF-8"), Reason("missing", "source", "is required"))
ENTRY = QuarantineEntry(RAW, REASONS, "changes/7", 1_500_000, "person", "crm", None)
CREDENTIALS = {"region_name": "eu-west-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}


@functools.cache
def s3_client():
    """A client that never asks the machine for credentials; one for all tests, because it is slow to make."""
    return boto3.client("s3", **CREDENTIALS, config=Config(retries={"max_attempts": 1}))


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    """Each store with a function that reads what is at a location."""
    if request.param == "folder":
        yield FolderQuarantine(tmp_path / "quarantine"), lambda location: Path(location).read_bytes()
        return
    with mock_aws():
        client = s3_client()
        client.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

        def read(location):
            return client.get_object(Bucket="kept", Key=location.removeprefix("s3://kept/"))["Body"].read()

        yield S3Quarantine(client, "kept", "rejected/"), read


def test_an_entry_is_kept_whole(store):
    """What is read back has the very bytes, every reason, and where and when the event was met."""
    put, read = store
    (location,) = put.put([ENTRY])
    assert location.endswith(f"person/{quarantine_id_of(RAW)}.json")
    kept = orjson.loads(read(location))
    assert base64.b64decode(kept.pop("raw_base64")) == RAW
    assert kept == {
        "quarantine_id": quarantine_id_of(RAW),
        "domain": "person",
        "source": "crm",
        "record_id": None,
        "reasons": [
            {"code": "not_utf8", "path": "", "message": "is not UTF-8"},
            {"code": "missing", "path": "source", "message": "is required"},
        ],
        "received_from": "changes/7",
        "quarantined_at": "1970-01-01T00:00:01.500000Z",
        "raw_bytes": len(RAW),
    }


def test_a_redelivery_overwrites_itself(store):
    """The same bytes have one place, whatever else is said of them; other bytes have another, in order."""
    put, _ = store
    other = QuarantineEntry(b"", REASONS, "changes/9", 0)
    again = QuarantineEntry(RAW, REASONS[:1], "changes/8", 2_000_000, "person")
    first, second, third = put.put([ENTRY, other, again])
    assert first == third != second
    assert "/unknown/" in second
    assert put.put([]) == []


@pytest.mark.parametrize("domain", ["../../etc", "Person", "a/b", "", "person\n"])
def test_a_claimed_domain_cannot_choose_its_place(store, domain):
    """What the event says of its domain is part of the place only if it has a domain's form."""
    put, _ = store
    (location,) = put.put([QuarantineEntry(RAW, REASONS, "changes/7", 0, domain)])
    assert location.endswith(f"unknown/{quarantine_id_of(RAW)}.json")


def test_many_entries_keep_their_order(store):
    """Locations answer to entries one by one, though some are written at the same time."""
    put, _ = store
    entries = [QuarantineEntry(str(number).encode(), REASONS, "x", 0) for number in range(30)]
    assert [location.split("/")[-1] for location in put.put(entries)] == [
        f"{quarantine_id_of(entry.raw)}.json" for entry in entries
    ]


def test_a_folder_is_for_its_owner_alone(tmp_path):
    """Rejected events are personal: folders are 0700, files 0600, and nothing half-written is left."""
    (location,) = FolderQuarantine(tmp_path / "q").put([ENTRY])
    assert stat.S_IMODE((tmp_path / "q").stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(location).parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(location).stat().st_mode) == 0o600
    assert [path.name for path in Path(location).parent.iterdir()] == [Path(location).name]


def test_a_folder_that_cannot_be_made(tmp_path):
    """A file where the folder should be is told by its path, and can be retried once it is mended."""
    (tmp_path / "q").write_text("")
    with pytest.raises(TransientError, match="q"):
        FolderQuarantine(tmp_path / "q").put([ENTRY])


@pytest.mark.parametrize(("key", "encryption"), [(None, "AES256"), ("alias/quarantine", "aws:kms")])
def test_objects_are_encrypted(key, encryption):
    """Every object asks for encryption at rest, with the key that was named."""
    with mock_aws():
        client = s3_client()
        client.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        (location,) = S3Quarantine(client, "kept", kms_key_id=key).put([ENTRY])
        head = client.head_object(Bucket="kept", Key=location.removeprefix("s3://kept/"))
    assert head["ServerSideEncryption"] == encryption


def test_failures_of_s3_say_what_to_do():
    """A bucket that is not there is terminal, a slow-down is not; neither repeats AWS's message."""
    with mock_aws(), pytest.raises(TerminalError, match="NoSuchBucket"):
        S3Quarantine(s3_client(), "absent").put([ENTRY])
    client = s3_client()
    with Stubber(client) as stub:
        stub.add_client_error("put_object", "SlowDown", "you sent secret things", 503)
        with pytest.raises(TransientError) as caught:
            S3Quarantine(client, "kept").put([ENTRY])
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
    assert isinstance(open_quarantine("s3://bucket/some/prefix", s3_client=s3_client()), S3Quarantine)
    for address in ("", "quarantine", "s3://", "file://host/x", "https://bucket/x"):
        with pytest.raises(ConfigurationError):
            open_quarantine(address)
