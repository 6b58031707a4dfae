"""Events of S3 in every form, and objects as they are looked at and read."""

from __future__ import annotations

import hashlib
import json

import pytest
from botocore.exceptions import ReadTimeoutError
from files_world import DROPS, created

from mdm_stream.errors import TerminalError, TransientError
from producers.files.drop import READ_ATTEMPTS_MAX, DropBucket, DropGoneError
from producers.files.events import Drop, UnreadableEventError, body_of, drops_in, is_queue_event

BRIDGED = {
    "source": "aws.s3",
    "detail-type": "Object Created",
    "detail": {"bucket": {"name": DROPS}, "object": {"key": "a b+c.csv", "version-id": "v7"}},
}


def test_keys_are_decoded_where_s3_encodes_them():
    """Notifications have keys percent-encoded with plus signs for blanks, EventBridge has them as they are."""
    assert drops_in(created("a+b%2Bc%C3%A9.csv", version_id="v7")) == [Drop(DROPS, "a b+cé.csv", "v7")]
    assert drops_in(BRIDGED) == [Drop(DROPS, "a b+c.csv", "v7")]


def test_what_is_no_drop_is_passed_over():
    """S3's test event, deletions and placeholders of folders are nothing to load."""
    removed = created("a.csv")
    removed["Records"][0]["eventName"] = "ObjectRemoved:Delete"
    assert drops_in({"Service": "Amazon S3", "Event": "s3:TestEvent"}) == []
    assert drops_in(removed) == drops_in(created("folder/")) == []
    assert drops_in({**BRIDGED, "detail-type": "Object Deleted"}) == []


def test_events_within_messages_are_found():
    """A message of SQS may hold either form, or SNS's with one of them inside."""
    inside = json.dumps({"Type": "Notification", "Message": json.dumps(created("a.csv"))})
    for body in (json.dumps(created("a.csv")), inside):
        assert [drop.key for drop in drops_in(body_of({"body": body}))] == ["a.csv"]
    assert is_queue_event({"Records": [{"eventSource": "aws:sqs"}]})
    assert not is_queue_event(created("a.csv"))
    assert not is_queue_event(BRIDGED)


@pytest.mark.parametrize("body", ["", "7", "[]", "not json", '{"Records": [7]}', '{"Records": [{}]}', "{}"])
def test_what_is_no_event_is_an_error_without_its_content(body):
    """Anything else is refused, so that the queue sets it aside; the error repeats nothing of it."""
    with pytest.raises(UnreadableEventError) as error:
        drops_in(body_of({"body": body}))
    assert "7" not in str(error.value)


def test_what_cannot_name_a_bucket_is_not_repeated():
    """Errors of reading name the bucket; a message of somebody else must not put a value there."""
    event = created("a.csv")
    event["Records"][0]["s3"]["bucket"]["name"] = "Wilhelmina Quackenbush"
    with pytest.raises(UnreadableEventError, match="names no bucket") as caught:
        drops_in(event)
    assert "Wilhelmina" not in str(caught.value)


def test_an_object_is_looked_at_whole(drops):
    """Size, time, metadata, tags and encryption come with it; reading gives its bytes and their digest."""
    content = bytes(range(256)) * 9_000
    drops.put_object(
        Bucket=DROPS, Key="k", Body=content, Metadata={"As-Of": "2026-01-01"}, Tagging="owner=finance",
        ServerSideEncryption="AES256",
    )  # fmt: skip
    bucket = DropBucket(drops)
    dropped = bucket.look(Drop(DROPS, "k"))
    assert (dropped.size_bytes, dropped.metadata, dropped.tags) == (
        len(content), {"as-of": "2026-01-01"}, {"owner": "finance"}
    )  # fmt: skip
    assert dropped.encryption == "AES256"
    assert dropped.modified_at_us % 1_000_000 == 0
    assert b"".join(bucket.read(dropped)) == content
    assert bucket.digest(dropped) == hashlib.sha256(content).hexdigest()


def test_an_object_that_is_overwritten_is_not_read_as_the_one_that_was_looked_at(drops):
    """Bytes are those of the object that was looked at, or there are none."""
    drops.put_object(Bucket=DROPS, Key="k", Body=b"old")
    bucket = DropBucket(drops)
    dropped = bucket.look(Drop(DROPS, "k"))
    drops.put_object(Bucket=DROPS, Key="k", Body=b"new")
    with pytest.raises(DropGoneError):
        list(bucket.read(dropped))
    drops.delete_object(Bucket=DROPS, Key="k")
    with pytest.raises(DropGoneError):
        bucket.look(Drop(DROPS, "k"))


def test_a_version_is_read_though_a_newer_one_is_there(drops):
    """In a bucket with versions the very version of the event is loaded."""
    drops.put_bucket_versioning(Bucket=DROPS, VersioningConfiguration={"Status": "Enabled"})
    old = drops.put_object(Bucket=DROPS, Key="k", Body=b"old")["VersionId"]
    drops.put_object(Bucket=DROPS, Key="k", Body=b"new")
    bucket = DropBucket(drops)
    assert b"".join(bucket.read(bucket.look(Drop(DROPS, "k", old)))) == b"old"


class Breaking:
    """A client whose bodies break after some bytes, a number of times."""

    def __init__(self, client, times):
        self._client, self.times = client, times
        self.head_object, self.get_object_tagging = client.head_object, client.get_object_tagging

    def get_object(self, **wanted):
        """Return an answer whose body may break."""
        answer = self._client.get_object(**wanted)
        if self.times:
            self.times -= 1
            answer["Body"] = BrokenBody(answer["Body"].read(5))
        return answer


class BrokenBody:
    """A body that ends too early."""

    def __init__(self, start):
        self._start = start

    def iter_chunks(self, size):
        """Yield what there is, then break."""
        assert size > 0
        yield self._start
        raise ReadTimeoutError(endpoint_url="s3")

    def close(self):
        """Do nothing."""


def test_a_reading_goes_on_where_its_connection_broke(drops):
    """A connection that breaks costs nothing of the object and repeats nothing; one that always does is transient."""
    content = b"0123456789" * 10
    drops.put_object(Bucket=DROPS, Key="k", Body=content)
    bucket = DropBucket(Breaking(drops, READ_ATTEMPTS_MAX - 1))
    assert b"".join(bucket.read(bucket.look(Drop(DROPS, "k")))) == content
    bucket = DropBucket(Breaking(drops, 100))
    with pytest.raises(TransientError, match="ReadTimeoutError"):
        list(bucket.read(bucket.look(Drop(DROPS, "k"))))


def test_a_bucket_that_may_not_be_read_is_an_error_of_ours(drops):
    """A missing bucket is told as such, and not as a file that is gone."""
    with pytest.raises(TerminalError, match="NoSuchBucket") as error:
        DropBucket(drops).look(Drop("nowhere-at-all", "k"))
    assert not isinstance(error.value, DropGoneError)
