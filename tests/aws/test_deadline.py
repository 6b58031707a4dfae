"""What may not end in time is not begun, and a retry waits for no longer than there is."""

from __future__ import annotations

import math
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from mdm_stream.aws.deadline import NEVER, Deadline, OutOfTimeError, call_s_of
from mdm_stream.errors import TransientError
from mdm_stream.feed.publisher import FeedPublisher, RefusedMessagesError
from mdm_stream.objects.s3 import S3Objects

CALL_S = 2.0
CREDENTIALS = {"region_name": "eu-west-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}


def client(service: str, **config: Any) -> Any:
    """A client with time-outs of its own."""
    return boto3.client(service, **CREDENTIALS, config=Config(**config))


def test_a_deadline_is_a_moment_of_its_clock():
    """It moves nowhere; what is left of it does, and is never less than nothing."""
    now_s = [10.0]
    deadline = Deadline.after(5.0, lambda: now_s[0])
    assert (deadline.left_s(), deadline.earlier(2.0).left_s()) == (5.0, 3.0)
    deadline.require(4.9, "Redis")
    with pytest.raises(OutOfTimeError, match=r"5\.0 s left for a call to Redis, which may last 5 s"):
        deadline.require(5.0, "Redis")
    now_s[0] = 20.0
    assert deadline.left_s() == 0.0
    with pytest.raises(TransientError):
        deadline.require(0.0, "Redis")
    assert NEVER.left_s() == NEVER.earlier(1e9).left_s() == math.inf


def test_a_call_lasts_as_long_as_all_attempts_of_its_sdk():
    """With the waits in between; the longer one of the two time-outs counts."""
    limits = {"connect_timeout": 2, "read_timeout": 10}
    assert call_s_of(client("kinesis", **limits, retries={"total_max_attempts": 1, "mode": "standard"})) == 10.0
    assert call_s_of(client("s3", **limits, retries={"total_max_attempts": 3, "mode": "standard"})) == 33.0


def test_no_request_to_s3_is_begun_that_may_end_too_late():
    """Whichever it is; with time it is made."""
    with mock_aws():
        s3 = client("s3", read_timeout=5, connect_timeout=5, retries={"total_max_attempts": 1})
        s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        store, now_s = S3Objects(s3, "kept"), [0.0]
        store.put("a", b"1")
        asked: list[str] = []
        s3.meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))
        store.until(Deadline(4.0, lambda: now_s[0]))
        for call in (
            lambda: store.put("b", b"2"),
            lambda: store.create("b", b"2"),
            lambda: store.get("a"),
            lambda: store.delete(["a"]),
            lambda: store.purge("a"),
            lambda: list(store.list("")),
            lambda: list(store.folders("")),
        ):
            with pytest.raises(OutOfTimeError, match="S3"):
                call()
        assert asked == []
        now_s[0] = -2.0
        assert store.get("a") == b"1"
        store.until(NEVER)
        assert [stored.name for stored in store.list("")] == ["a"]


KINESIS = client("kinesis", connect_timeout=CALL_S, read_timeout=CALL_S, retries={"total_max_attempts": 1})


class SlowStream:
    """A client of Kinesis whose calls take their time, up to the time-out, and accept some of what they are sent."""

    def __init__(self, calls: list[tuple[float, int]]) -> None:
        self.now_s = 0.0
        self.accepted: list[bytes] = []
        self._calls = calls
        self.meta = client(
            "kinesis", connect_timeout=CALL_S, read_timeout=CALL_S, retries={"total_max_attempts": 1}
        ).meta

    def put_records(self, **request: Any) -> dict[str, Any]:
        """Accept the first few records, or answer nothing in time."""
        took_s, accepts = self._calls.pop(0) if self._calls else (0.0, 500)
        self.now_s += took_s
        if took_s == CALL_S:
            raise ReadTimeoutError(endpoint_url="x")
        sent = [each["Data"] for each in request["Records"]]
        self.accepted += sent[:accepts]
        results: list[dict[str, str]] = [{"SequenceNumber": "1"} for _ in sent[:accepts]]
        results += [{"ErrorCode": "ProvisionedThroughputExceededException"} for _ in sent[accepts:]]
        return {"FailedRecordCount": len(sent[accepts:]), "Records": results}

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds


@given(
    calls=st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.9, CALL_S]), st.integers(0, 3)), max_size=8),
    left_s=st.floats(0, 8),
)
def test_a_publisher_ends_in_time_and_knows_what_was_accepted(calls, left_s):
    """Whatever the stream does: no attempt and no wait goes past the deadline, and nothing else counts as published."""
    stream = SlowStream(calls)
    publisher = FeedPublisher(stream, "golden", sleep=stream.sleep)
    publisher.until(Deadline(left_s, lambda: stream.now_s))
    messages = [(str(number), str(number).encode()) for number in range(5)]
    try:
        assert publisher.publish(messages) == []
        said = {data for _, data in messages}
    except RefusedMessagesError as error:
        said = {messages[place][1] for place in error.accepted}
    assert said == set(stream.accepted)
    assert stream.now_s <= left_s
