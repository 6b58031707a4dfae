"""What every object store promises, on a real folder and on S3 as moto has it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm_stream.errors import ConfigurationError, TerminalError, TransientError
from mdm_stream.objects.folder import PARTIAL_FOLDER, FolderObjects
from mdm_stream.objects.opening import open_object_store
from mdm_stream.objects.s3 import S3Objects
from mdm_stream.objects.store import FETCH_AHEAD, MissingObjectError, StoredObject, checked_name, fetch_ahead

NAMES = ["a/b-1", "a/b-2", "a/b/c", "a/b0", "a0", "d=1/e"]


def test_an_object_is_read_as_it_was_written(store):
    """Every byte comes back, an empty object is one too, and writing again replaces."""
    store.put("a/b.bin", bytes(range(256)))
    store.put("a/empty", b"")
    assert store.get("a/b.bin") == bytes(range(256))
    assert store.get("a/empty") == b""
    store.put("a/b.bin", b"other")
    assert store.get("a/b.bin") == b"other"


def test_what_is_not_there_is_said_to_be_missing(store):
    """Never written, removed, or in a folder that never was: one error, and it can be caught as terminal."""
    store.put("a/b", b"1")
    store.delete(["a/b", "a/b", "never/was"])
    for name in ("a/b", "never/was", "a"):
        with pytest.raises(MissingObjectError):
            store.get(name)
    assert issubclass(MissingObjectError, TerminalError)
    store.delete([])


def test_an_object_is_not_a_folder(store):
    """Asking for something in an object finds nothing."""
    store.put("a", b"1")
    with pytest.raises(MissingObjectError):
        store.get("a/b")
    assert list(store.list("a/")) == []
    assert list(store.folders("")) == []


def test_a_name_is_created_once(store):
    """The first content stays; who creates the same again is told that it is there, others that it is not theirs."""
    assert store.create("a/b", b"first")
    assert store.create("a/b", b"first")
    assert not store.create("a/b", b"second")
    assert store.get("a/b") == b"first"
    store.delete(["a/b"])
    assert store.create("a/b", b"second")


def test_of_many_creators_one_wins(store):
    """However many create a name at the same time, exactly one is told that its content is there."""
    together = threading.Barrier(8)
    won = []

    def attempt(number):
        together.wait()
        if store.create("a/b", str(number).encode()):
            won.append(number)

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("a/b") == str(*won).encode()


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/b", "a/b-", "a/b/", "a/b-1", "d", "d=1/", "z", "z/z"])
def test_a_listing_is_of_a_prefix_in_name_order(store, prefix):
    """A prefix may end anywhere in a name; the order is that of the whole names' code points."""
    for name in NAMES[::-1]:
        store.put(name, name.encode())
    found = list(store.list(prefix))
    assert found == [StoredObject(name, len(name)) for name in sorted(NAMES) if name.startswith(prefix)]


def test_folders_are_those_that_hold_objects(store):
    """A folder is there while something is in it, at whatever depth."""
    for name in NAMES:
        store.put(name, b"")
    assert list(store.folders("")) == ["a/", "d=1/"]
    assert list(store.folders("a/")) == ["a/b/"]
    assert list(store.folders("d=1/")) == list(store.folders("z/")) == []
    store.delete(["d=1/e", "a/b/c"])
    assert list(store.folders("")) == ["a/"]
    assert list(store.folders("a/")) == []
    with pytest.raises(ValueError, match="slash"):
        list(store.folders("a"))


def test_a_listing_has_no_end_of_page(store, monkeypatch):
    """More objects than a page of S3 has, or one request to it may remove, are listed and removed all."""
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "7")
    monkeypatch.setattr("mdm_stream.objects.s3._S3_DELETE_MAX", 7)
    names = [f"many/{number:04}" for number in range(30)]
    for name in names:
        store.put(name, b"")
    assert [stored.name for stored in store.list("many/")] == names
    store.delete(names)
    assert list(store.list("")) == []


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", ".hidden", "a/.b", "a\n", "a b", "ä", "a\\b"]
)
def test_a_name_cannot_lead_astray(store, name):
    """What could leave the store, hide in it, or be another name there is refused by every call."""
    for call in (store.get, lambda name: store.put(name, b""), lambda name: store.create(name, b"")):
        with pytest.raises(ValueError, match="name"):
            call(name)
    with pytest.raises(ValueError, match="name"):
        store.delete([name])


@given(st.text(max_size=20))
@settings(max_examples=200, deadline=None)
def test_a_checked_name_has_no_dots_that_climb(name):
    """Whatever passes the check is a relative path of visible, ordinary segments."""
    try:
        checked_name(name)
    except ValueError:
        return
    segments = name.split("/")
    assert all(segments)
    assert not any(segment.startswith(".") for segment in segments)
    assert name.isascii()
    assert name.isprintable()


def test_fetching_ahead_keeps_the_order(store):
    """Contents come in the order asked for, a missing object as its error, and little is fetched that nobody takes."""
    names = [f"a/{number}" for number in range(20)]
    for name in names:
        store.put(name, name.encode())
    store.delete(["a/3"])
    found = list(fetch_ahead(store, names))
    assert [name for name, _ in found] == names
    assert isinstance(found[3][1], MissingObjectError)
    assert all(content == name.encode() for name, content in found if name != "a/3")
    asked = []

    def spied():
        for name in names:
            asked.append(name)
            yield name

    reading = fetch_ahead(store, spied())
    next(reading)
    reading.close()
    assert len(asked) <= FETCH_AHEAD


def test_a_folder_is_for_its_owner_alone(tmp_path):
    """Folders are 0700, files 0600, whatever the umask; nothing half-written is left."""
    store = FolderObjects(tmp_path / "deep" / "store")
    before = os.umask(0)
    try:
        store.put("a/b/c", b"personal")
    finally:
        os.umask(before)
    folders = [tmp_path / "deep" / place for place in ("", "store", "store/a", "store/a/b", f"store/{PARTIAL_FOLDER}")]
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700] * 5
    assert stat.S_IMODE((tmp_path / "deep/store/a/b/c").stat().st_mode) == 0o600
    assert list((tmp_path / "deep" / "store" / PARTIAL_FOLDER).iterdir()) == []


WRITER = """
import os, sys, time
from mdm_stream.objects.folder import FolderObjects
import mdm_stream.objects.folder as module
def wait(handle):
    print("writing", flush=True)
    time.sleep(60)
module.os.fsync = wait
module._force_folder = lambda folder: None
FolderObjects(sys.argv[1]).put("a/b", b"personal values")
"""


def test_what_a_killed_writer_left_is_swept_away(tmp_path):
    """A write that was cut off leaves no object, and its bytes go with the next sweep; a live writer is left alone."""
    store = FolderObjects(tmp_path)
    store.put("a/other", b"1")
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout.readline() == b"writing\n"
            store.sweep()
            assert len(list((tmp_path / PARTIAL_FOLDER).iterdir())) == 1
        finally:
            os.kill(writer.pid, signal.SIGKILL)
    assert [stored.name for stored in store.list("")] == ["a/other"]
    store.sweep()
    assert list((tmp_path / PARTIAL_FOLDER).iterdir()) == []
    assert store.get("a/other") == b"1"


def test_a_folder_that_empties_under_a_writer(tmp_path):
    """Removing the last object removes its folder, perhaps just before somebody writes there: nobody notices."""
    store = FolderObjects(tmp_path)
    ends_at = time.monotonic() + 1.0
    failures, written = [], []

    def work(number):
        try:
            while time.monotonic() < ends_at:
                store.put(f"a/b/{number}", b"1")
                written.append(store.get(f"a/b/{number}"))
                store.sweep()
                store.delete([f"a/b/{number}"])
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(written) > 20
    assert list(store.list("")) == []


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    """A file where the folder should be is told by its path, and may be mended and tried again."""
    (tmp_path / "store").write_text("")
    with pytest.raises(TransientError, match="store"):
        FolderObjects(tmp_path / "store").put("a", b"secret")


def test_a_full_disk_passes(tmp_path):
    """A write that the disk has no room for is transient, says so, and leaves neither a torn object nor its bytes."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mounted)]
    if mount is None or os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can only be mounted by root where mounting is allowed")
    try:
        store = FolderObjects(mounted)
        store.put("a/old", b"kept" * 100)
        for write in (store.put, store.create):
            with pytest.raises(TransientError, match="disk is full"):
                write("a/new", b"x" * 100_000)
        with pytest.raises(TransientError, match="disk is full"):
            store.put("a/old", b"x" * 100_000)
        assert store.get("a/old") == b"kept" * 100
        assert [stored.name for stored in store.list("")] == ["a/old"]
        assert list((mounted / PARTIAL_FOLDER).iterdir()) == []
        store.delete(["a/old"])
        store.put("a/new", b"x" * 20_000)
        assert len(store.get("a/new")) == 20_000
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


@pytest.mark.parametrize(("key", "used"), [("", "alias/of-the-bucket"), ("alias/archive", "alias/archive")])
def test_objects_in_s3_are_encrypted(bucket, key, used):
    """Every object is, however it is written: by the key that was named, and without one by the bucket's own."""
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/of-the-bucket"}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    bucket.put_bucket_encryption(Bucket="kept", ServerSideEncryptionConfiguration=rules)
    store = S3Objects(bucket, "kept", kms_key_id=key)
    store.put("a", b"1")
    assert store.create("b", b"2")
    for name in ("a", "b"):
        head = bucket.head_object(Bucket="kept", Key=name)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", used)
        assert head["BucketKeyEnabled"] == bool(key)  # else what the bucket's default says


def test_a_purge_leaves_nothing_of_a_prefix(store):
    """And what is beside it stays."""
    for name in ("work/a", "work/b/c", "work-else", "other"):
        store.put(name, b"x")
    store.purge("work/")
    store.purge("nothing/")
    assert [stored.name for stored in store.list("")] == ["other", "work-else"]


def test_a_purge_takes_what_others_have_removed(bucket):
    """A program that knows nothing of versions has left them, and so has one that wrote over an object."""
    bucket.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    for key in ("work/a", "work/a", "work/b", "worker"):
        bucket.put_object(Bucket="kept", Key=key, Body=b"x")
    bucket.delete_object(Bucket="kept", Key="work/b")
    S3Objects(bucket, "kept").purge("work/")
    left = bucket.list_object_versions(Bucket="kept")
    assert [version["Key"] for version in left["Versions"]] == ["worker"]
    assert "DeleteMarkers" not in left


def test_a_bucket_with_versions_forgets_them(bucket):
    """What is removed is gone with all its versions; other objects keep theirs, those of a longer name too."""
    bucket.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    store = S3Objects(bucket, "kept", "p")
    for content in (b"1", b"2"):
        for name in ("a", "ab", "c"):
            store.put(name, content)
    store.delete(["a", "c"])
    left = bucket.list_object_versions(Bucket="kept")
    assert [item["Key"] for item in left["Versions"]] == ["p/ab", "p/ab"]
    assert left.get("DeleteMarkers", []) == []


def test_failures_of_s3_say_what_to_do(bucket):
    """A bucket that is not there is terminal, a slow-down is not, in every call; neither repeats AWS's message."""
    absent = S3Objects(bucket, "absent")
    calls = [
        lambda: absent.put("a", b""),
        lambda: absent.create("a", b""),
        lambda: absent.get("a"),
        lambda: absent.delete(["a"]),
        lambda: list(absent.list("")),
        lambda: list(absent.folders("")),
    ]
    for call in calls:
        with pytest.raises(TerminalError, match="NoSuchBucket"):
            call()
    store = S3Objects(bucket, "kept")
    requests = {
        "put_object": lambda: store.put("a", b""),
        "get_object": lambda: store.get("a"),
        "delete_objects": lambda: store.delete(["a"]),
        "list_objects_v2": lambda: list(store.list("")),
    }
    for request, call in requests.items():
        with Stubber(bucket) as stub:
            stub.add_client_error(request, "SlowDown", "you sent secret things", 503)
            with pytest.raises(TransientError) as caught:
                call()
        assert "secret" not in str(caught.value)


def test_objects_that_s3_keeps_are_not_said_to_be_removed(bucket):
    """An object that a batch of removals leaves out is an error, with its code."""
    with Stubber(bucket) as stub:
        stub.add_response("delete_objects", {"Errors": [{"Key": "a", "Code": "InternalError", "Message": "secret"}]})
        with pytest.raises(TransientError, match="InternalError"):
            S3Objects(bucket, "kept").delete(["a"])
        stub.add_response("delete_objects", {"Errors": [{"Key": "a", "Code": "AccessDenied", "Message": "secret"}]})
        with pytest.raises(TerminalError, match="AccessDenied"):
            S3Objects(bucket, "kept").delete(["a"])


def test_a_creation_whose_answer_was_lost_is_recognised(bucket, monkeypatch):
    """A conditional put that took effect but timed out is transient, and repeating it finds its own content."""
    store = S3Objects(bucket, "kept")
    put = bucket.put_object

    def lost(**fields):
        put(**fields)
        raise ConnectTimeoutError(endpoint_url="x")

    monkeypatch.setattr(bucket, "put_object", lost)
    with pytest.raises(TransientError):
        store.create("a", b"1")
    monkeypatch.setattr(bucket, "put_object", put)
    assert store.create("a", b"1")
    assert not store.create("a", b"2")


def test_a_store_is_opened_by_its_address(bucket, tmp_path):
    """A folder's or a bucket's address opens it; any other is a mistake that is told."""
    folder = open_object_store((tmp_path / "with space").as_uri())
    folder.put("a", b"1")
    assert folder.location("a") == str(tmp_path / "with space" / "a")
    kept = open_object_store("s3://kept/some/prefix/", s3_client=bucket)
    kept.put("a", b"2")
    assert kept.location("a") == "s3://kept/some/prefix/a"
    assert bucket.get_object(Bucket="kept", Key="some/prefix/a")["Body"].read() == b"2"
    for url in ("", "folder", "file://host/folder", "s3://", "https://kept/prefix"):
        with pytest.raises(ConfigurationError, match="file:///folder"):
            open_object_store(url)


def test_a_folder_that_vanishes_while_it_is_made_is_made_again(tmp_path, monkeypatch):
    """Another process made it first and removed it at once: the system says that it exists, and then it does not."""
    mkdir, vanished = Path.mkdir, []

    def vanishing(path: Path, *arguments: object, **options: object) -> None:
        if path.name == "b" and not vanished:
            vanished.append(path)
            raise FileExistsError(17, "File exists", str(path))
        mkdir(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", vanishing)
    store = FolderObjects(tmp_path)
    store.put("a/b/c", b"kept")
    assert vanished
    assert store.get("a/b/c") == b"kept"
