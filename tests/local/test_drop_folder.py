"""The drop folder against the local S3 API: what is put, when, how it is named, and what a restart puts again."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

from mdm_stream.aws.loopback import loopback_client
from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.local.drop_folder import PART_BYTES, REFUSED_WAIT_S, UNCHANGED_S, DropFolder, PutSettings
from mdm_stream.local.file_places import make_places, messages_in
from mdm_stream.local.kinesis.server import KinesisServer


@pytest.fixture(scope="module")
def server():
    """The local APIs."""
    with KinesisServer() as running:
        yield running


@pytest.fixture
def bucket(server):
    """An empty bucket."""
    name = f"drop-{uuid.uuid4().hex}"
    server.client("s3").create_bucket(Bucket=name)
    return name


class Watched:
    """A drop folder with a clock that a test moves."""

    def __init__(self, server, bucket, folder: Path, memory: Path, **named) -> None:
        self.now_s = 100.0
        self.s3, self.bucket, self.path = server.client("s3"), bucket, folder
        self.drop = DropFolder(folder, self.s3, bucket, memory, clock_s=lambda: self.now_s, **named)

    def keys(self, *steps_s: float) -> list[str]:
        """Look, once after each step of time, and return the keys put."""
        found = []
        for step_s in steps_s or (0.0, UNCHANGED_S):
            self.now_s += step_s
            found += [put.key for put in self.drop.look()]
        return found

    def write(self, name: str, content: bytes, at_s: float | None = None) -> Path:
        """Write a file, with a modification time."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if at_s is not None:
            os.utime(path, (at_s, at_s))
        return path

    def head(self, key: str):
        """What S3 says of an object."""
        return self.s3.head_object(Bucket=self.bucket, Key=key)


@pytest.fixture
def watched(server, bucket, tmp_path):
    """A watched folder that was not there before."""
    return Watched(server, bucket, tmp_path / "state" / "drop", tmp_path / "state" / "drop.json")


def test_complete_file_is_put_once_under_its_path_with_its_time(watched):
    """Subfolders are the prefix, the modification time is declared, and nothing is put a second time."""
    watched.write("person/crm/customers.csv", b"id\n1\n", at_s=1_700_000_000.25)
    assert watched.keys(0.0, UNCHANGED_S, UNCHANGED_S) == ["person/crm/customers.csv"]
    found = watched.head("person/crm/customers.csv")
    assert found["Metadata"] == {"as-of": "2023-11-14T22:13:20.250000Z"}
    assert found["ServerSideEncryption"] == "AES256"
    assert watched.s3.get_object(Bucket=watched.bucket, Key="person/crm/customers.csv")["Body"].read() == b"id\n1\n"


def test_file_that_is_still_written_waits(watched):
    """Each change begins the second anew; when it is over, the whole file is put."""
    for size in range(1, 5):
        watched.write("a/b/slow.csv", b"x" * size)
        assert watched.keys(UNCHANGED_S * 0.9) == []
    assert watched.keys(UNCHANGED_S) == ["a/b/slow.csv"]
    assert watched.head("a/b/slow.csv")["ContentLength"] == 4


def test_file_that_was_moved_in_is_put_whole(watched):
    """A rename over an older delivery is a new file."""
    watched.write("a/b/c.csv", b"old")
    assert watched.keys() == ["a/b/c.csv"]
    watched.write(".draft", b"new").rename(watched.path / "a/b/c.csv")
    assert watched.keys() == ["a/b/c.csv"]
    assert watched.s3.get_object(Bucket=watched.bucket, Key="a/b/c.csv")["Body"].read() == b"new"


def test_unfinished_hidden_linked_and_unnameable_files_are_left_alone(watched, tmp_path, caplog):
    """What is no delivery is not put; what looks like one and cannot be put is told once, without being followed."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    for name in ("a.csv.part", "b.crdownload", "c.TMP", "d~", ".e.csv", ".git/f.csv"):
        watched.write(f"x/y/{name}", b"1")
    (watched.path / "x/y/link.csv").symlink_to(secret)
    os.mkfifo(watched.path / "x/y/pipe.csv")
    (watched.path / os.fsdecode(b"\xff.csv")).write_bytes(b"1")
    (watched.path / "line\nbreak.csv").write_bytes(b"1")
    assert watched.keys() == []
    assert watched.keys() == []
    assert len([line for line in caplog.messages if "left alone" in line]) == 4


def test_large_file_is_put_in_parts(watched):
    """More than one part, and the object is the file."""
    content = os.urandom(PART_BYTES + 5)
    watched.write("a/b/large.bin", content)
    assert watched.keys() == ["a/b/large.bin"]
    assert watched.s3.get_object(Bucket=watched.bucket, Key="a/b/large.bin")["Body"].read() == content


@pytest.mark.parametrize("size", [10, PART_BYTES + 5])
def test_file_that_changes_while_it_is_read_is_no_delivery(server, bucket, tmp_path, size):
    """Half an old and half a new file is never an object: it is put when it has come to rest."""
    watched = Watched(server, bucket, tmp_path / "drop", tmp_path / "drop.json",
                      settings_of=lambda key: (watched.write(key, b"2" * size), PutSettings())[1])  # fmt: skip
    path = watched.write("a/b/c.csv", b"1" * size)
    assert watched.keys() == []
    assert "Contents" not in watched.s3.list_objects_v2(Bucket=bucket)
    watched.drop._settings_of = lambda _key: PutSettings()
    assert watched.keys() == ["a/b/c.csv"]
    assert watched.head("a/b/c.csv")["ContentLength"] == path.stat().st_size


def test_same_content_again_has_the_time_of_its_load(watched):
    """Copied again it is a second delivery; after another content of its folder it is a load of its own time."""

    def as_of(name: str, content: bytes, at_s: float) -> str:
        watched.write(name, content, at_s)
        assert watched.keys() == [name]
        return watched.head(name)["Metadata"]["as-of"][:19]

    assert as_of("p/s/monday.csv", b"A", 1_000_000) == "1970-01-12T13:46:40"
    assert as_of("p/s/again.csv", b"A", 2_000_000) == "1970-01-12T13:46:40"
    assert as_of("p/other/again.csv", b"A", 2_000_000) == "1970-01-24T03:33:20"
    assert as_of("p/s/tuesday.csv", b"B", 3_000_000) == "1970-02-04T17:20:00"
    assert as_of("p/s/returned.csv", b"A", 4_000_000) == "1970-02-16T07:06:40"


def test_object_is_put_as_the_rules_want(server, bucket, tmp_path):
    """Tags and encryption of its source; no time beside the one that its name declares."""
    wanted = PutSettings(tags={"owner": "crm team", "class": "a=b"}, encryption="aws:kms", declare_as_of=False)
    watched = Watched(server, bucket, tmp_path / "drop", tmp_path / "drop.json", settings_of=lambda _key: wanted)
    watched.write("p/s/c_20260101.csv", b"1")
    assert watched.keys() == ["p/s/c_20260101.csv"]
    found = watched.head("p/s/c_20260101.csv")
    assert (found["Metadata"], found["ServerSideEncryption"]) == ({}, "aws:kms")
    tags = watched.s3.get_object_tagging(Bucket=bucket, Key="p/s/c_20260101.csv")["TagSet"]
    assert {each["Key"]: each["Value"] for each in tags} == {"owner": "crm team", "class": "a=b"}


def test_restart_puts_again_what_was_not_taken_up_and_nothing_else(server, bucket, watched):
    """S3 is gone with the stack: a file that a load knows is not put again; one that waited is, as the same load."""
    watched.write("p/s/known.csv", b"1", 1_000_000)
    watched.write("p/s/waiting.csv", b"2", 2_000_000)
    assert watched.keys() == ["p/s/known.csv", "p/s/waiting.csv"]
    etags = {each: watched.head(f"p/s/{each}.csv")["ETag"].strip('"') for each in ("known", "waiting")}
    again = Watched(server, bucket, watched.path, watched.drop._memory_file)
    assert again.drop.forget_unless(lambda key, etag: (key, etag) == ("p/s/known.csv", etags["known"])) == 1
    assert again.keys() == ["p/s/waiting.csv"]
    assert again.head("p/s/waiting.csv")["Metadata"]["as-of"][:10] == "1970-01-24"


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"put": {"a": []}, "latest": {}}', b'{"put": 1}'])
def test_damaged_memory_costs_a_second_delivery_and_no_file(server, bucket, watched, damage, caplog):
    """Nothing is passed over because of it."""
    watched.write("p/s/a.csv", b"1")
    assert watched.keys() == ["p/s/a.csv"]
    watched.drop._memory_file.write_bytes(damage)
    assert Watched(server, bucket, watched.path, watched.drop._memory_file).keys() == ["p/s/a.csv"]
    assert any("damaged" in line for line in caplog.messages)


def test_file_waits_while_the_bucket_is_away(server, watched):
    """A put that failed for now is tried again at the next look."""
    watched.write("p/s/a.csv", b"1")
    client = watched.drop._client
    watched.drop._client = loopback_client("s3", "http://127.0.0.1:9", server.keys, attempts=1)
    with pytest.raises(TransientError):
        watched.keys()
    watched.drop._client = client
    assert watched.keys(0.0) == ["p/s/a.csv"]


def test_file_that_is_refused_keeps_no_other_back(server, bucket, tmp_path, caplog):
    """A tag that S3 does not take is told, and that file alone waits; it is tried again later."""
    wrong = {"p/s/a.csv": PutSettings(tags={"owner": "a&b"})}
    watched = Watched(server, bucket, tmp_path / "drop", tmp_path / "drop.json",
                      settings_of=lambda key: wrong.get(key, PutSettings()))  # fmt: skip
    watched.write("p/s/a.csv", b"1", 1_000_000)
    watched.write("p/s/b.csv", b"1", 2_000_000)
    assert watched.keys(0.0, UNCHANGED_S, UNCHANGED_S) == ["p/s/b.csv"]
    assert len([line for line in caplog.messages if "p/s/a.csv" in line]) == 1
    wrong.clear()
    assert watched.keys(REFUSED_WAIT_S) == ["p/s/a.csv"]


def test_folder_is_its_users_alone(server, bucket, tmp_path):
    """It is made 0700, its memory 0600; one that others can write to would let them deliver files."""
    watched = Watched(server, bucket, tmp_path / "mine", tmp_path / "memory.json")
    watched.write("a.csv", b"1")
    watched.keys()
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "memory.json").stat().st_mode & 0o777 == 0o600
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(ConfigurationError, match="--drop"):
        Watched(server, bucket, shared, tmp_path / "memory.json")


def test_drop_bucket_notifies_its_queue(server, tmp_path):
    """A file in the folder becomes a message with its key; the queue's messages end in a dead-letter queue."""
    places = make_places(server)
    sqs = server.client("sqs")
    sqs.purge_queue(QueueUrl=places.files_queue_url)  # S3's test event
    watched = Watched(server, places.bucket, tmp_path / "drop", tmp_path / "drop.json")
    watched.write("person/crm/a b.csv", b"1")
    assert watched.keys() == ["person/crm/a b.csv"]
    assert messages_in(sqs, places.files_queue_url) == 1
    body = sqs.receive_message(QueueUrl=places.files_queue_url)["Messages"][0]["Body"]
    assert '"key": "person%2Fcrm%2Fa+b.csv"' in body
    assert messages_in(sqs, places.files_queue_url) == 1
    policy = sqs.get_queue_attributes(QueueUrl=places.chunks_queue_url, AttributeNames=["RedrivePolicy"])
    assert places.chunks_dead_url.rpartition("/")[2] in policy["Attributes"]["RedrivePolicy"]
