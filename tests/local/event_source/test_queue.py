"""The poller of a queue against the local SQS API: each promise of Lambda's event source mapping, one test."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from mdm_stream.aws.loopback import loopback_environment
from mdm_stream.errors import ConfigurationError
from mdm_stream.local.event_source.mapping import PAYLOAD_BYTES_MAX
from mdm_stream.local.event_source.queue import QueuePoller, QueueSource, failed_messages, sqs_event
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.servers.children import spawn, stop_process

SUPPORT = Path(__file__).resolve().parents[2] / "support"
VISIBILITY_S = 1
WAIT_S = 20.0


@pytest.fixture(scope="module")
def server():
    """The local APIs."""
    with KinesisServer() as running:
        yield running


@pytest.fixture
def sqs(server):
    """A client of the queues."""
    return server.client("sqs")


@pytest.fixture
def queue(sqs):
    """A queue whose messages go to a dead-letter queue after two receipts: its URL, and that of the other."""
    name = uuid.uuid4().hex
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    attributes = {"VisibilityTimeout": str(VISIBILITY_S), "RedrivePolicy": policy}
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"], dead


def send(sqs, url, *bodies):
    """Put messages in a queue."""
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body)


def waiting(sqs, url) -> int:
    """How many messages a queue holds, visible or not: a message between the two counts is in neither, so ask twice."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    asked = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] for _ in range(2)]
    return max(sum(map(int, each.values())) for each in asked)


def until(condition):
    """Wait for a condition, and fail if it does not come about."""
    deadline_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come about in time"
        time.sleep(0.02)


def poll(sqs, url, handler, condition, slots=None, **settings) -> QueuePoller:
    """Run a poller until a condition holds; return it, stopped."""
    poller = QueuePoller(sqs, url, handler, QueueSource(**settings), function_name="workers", slots=slots)
    thread = threading.Thread(target=poller.run)
    thread.start()
    try:
        until(condition)
    finally:
        poller.stop()
        thread.join(WAIT_S)
    assert not thread.is_alive()
    return poller


def bodies(event) -> list[str]:
    """The bodies of an event's messages."""
    return [item["body"] for item in event["Records"]]


def test_event_has_the_shape_of_lambda_and_done_messages_are_deleted(sqs, queue):
    """The fields are those of Lambda's sample event; a batch that succeeded leaves nothing in the queue."""
    url, dead = queue
    seen = []
    sqs.send_message(QueueUrl=url, MessageBody="a", MessageAttributes={"k": {"DataType": "String", "StringValue": "v"}})

    def handler(event, context):
        seen.append((event, context))

    poller = poll(sqs, url, handler, lambda: seen and not waiting(sqs, url))
    event, context = seen[0]
    record = event["Records"][0]
    assert set(record) == {"messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfBody",
                           "eventSource", "eventSourceARN", "awsRegion"}  # fmt: skip
    assert {"ApproximateReceiveCount", "SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} <= set(
        record["attributes"]
    )
    assert record["messageAttributes"]["k"] == {"stringValue": "v", "dataType": "String"}
    assert (record["eventSource"], record["eventSourceARN"].rpartition(":")[2]) == ("aws:sqs", url.rpartition("/")[2])
    assert context.function_name == "workers"
    json.dumps(event)
    assert (poller.counters().messages, poller.counters().failed_messages, waiting(sqs, dead)) == (1, 0, 0)


def test_batch_size_bounds_an_invocation(sqs, queue):
    """Seven messages in batches of three at the most."""
    url, _ = queue
    sizes = []
    send(sqs, url, *"abcdefg")
    poll(sqs, url, lambda event, _: sizes.append(len(bodies(event))), lambda: not waiting(sqs, url), batch_size=3)
    assert sum(sizes) == 7
    assert max(sizes) == 3


def test_window_gathers_what_comes_meanwhile(sqs, queue):
    """Messages that come within the window go in one batch, past the ten that one receipt gives."""
    url, _ = queue
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "30"})
    seen = []
    send(sqs, url, *(str(n) for n in range(14)))
    poll(sqs, url, lambda event, _: seen.append(bodies(event)), lambda: not waiting(sqs, url),
         slots=1, batch_size=20, window_s=1.0)  # fmt: skip
    assert [sorted(map(int, batch)) for batch in seen] == [list(range(14))]


def test_failed_batch_is_given_again_after_the_visibility_timeout(sqs, queue):
    """An exception fails the whole batch; no message of it is seen again before its timeout."""
    url, dead = queue
    seen = []
    send(sqs, url, "a", "b")

    def handler(event, _context):
        seen.extend((body, time.monotonic()) for body in bodies(event))
        if len(seen) <= 2:
            raise RuntimeError("fails once")

    poller = poll(sqs, url, handler, lambda: not waiting(sqs, url), batch_size=2)
    for name in "ab":
        first, second = (moment for body, moment in seen if body == name)
        assert second - first >= VISIBILITY_S * 0.9
    assert waiting(sqs, dead) == 0
    assert poller.counters().messages == 2
    assert poller.counters().failed_messages >= 2


def test_reported_messages_alone_are_given_again(sqs, queue):
    """With ReportBatchItemFailures the others are deleted at once, and the failed one counts a second receipt."""
    url, _ = queue
    counts: dict[str, list[str]] = {}
    send(sqs, url, "good", "bad", "fine")

    def handler(event, _context):
        failures = []
        for item in event["Records"]:
            counts.setdefault(item["body"], []).append(item["attributes"]["ApproximateReceiveCount"])
            if item["body"] == "bad" and len(counts["bad"]) == 1:
                failures.append({"itemIdentifier": item["messageId"]})
        return {"batchItemFailures": failures}

    poll(sqs, url, handler, lambda: not waiting(sqs, url))
    assert counts == {"good": ["1"], "fine": ["1"], "bad": ["1", "2"]}


def test_without_reports_a_returned_value_is_success(sqs, queue):
    """A mapping that does not ask for reports does not read them."""
    url, _ = queue
    seen = []
    send(sqs, url, "a")

    def handler(event, _context):
        seen.extend(bodies(event))
        return {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}

    poll(sqs, url, handler, lambda: seen and not waiting(sqs, url), report_batch_item_failures=False)
    assert seen == ["a"]


def test_message_goes_to_the_dead_letter_queue_after_its_last_receipt(sqs, queue):
    """A message that fails ``maxReceiveCount`` times is not lost and not tried for ever; others go on."""
    url, dead = queue
    seen = []
    send(sqs, url, "poison", "b", "c")

    def handler(event, _context):
        seen.extend(bodies(event))
        failed = [each["messageId"] for each in event["Records"] if each["body"] == "poison"]
        return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}

    poll(sqs, url, handler, lambda: waiting(sqs, dead) == 1 and not waiting(sqs, url))
    assert seen.count("poison") == 2
    assert (seen.count("b"), seen.count("c")) == (1, 1)
    assert sqs.receive_message(QueueUrl=dead)["Messages"][0]["Body"] == "poison"


def test_no_more_invocations_at_a_time_than_the_maximum_concurrency(sqs, queue):
    """Nine messages that each take a while, in batches of one: three at a time, and never four."""
    url, _ = queue
    lock, running, most = threading.Lock(), [0], [0]
    send(sqs, url, *"abcdefghi")

    def handler(_event, _context):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.15)
        with lock:
            running[0] -= 1

    poll(sqs, url, handler, lambda: not waiting(sqs, url), batch_size=1, maximum_concurrency=3)
    assert most[0] == 3


def test_invocation_carries_six_megabytes_at_the_most(sqs, queue):
    """Messages that do not fit go into the next batch, and none is lost."""
    url, _ = queue
    sizes = []
    send(sqs, url, *(letter * 900_000 for letter in "abcdefgh"))

    def handler(event, _context):
        sizes.append(len(json.dumps(event)))

    poll(sqs, url, handler, lambda: not waiting(sqs, url), batch_size=10)
    assert max(sizes) <= PAYLOAD_BYTES_MAX
    assert sum(size // 900_000 for size in sizes) == 8


@pytest.mark.parametrize(
    ("result", "failed"),
    [
        (None, ""),
        ({}, ""),
        ({"batchItemFailures": None}, ""),
        ({"batchItemFailures": []}, ""),
        ({"batchItemFailures": [{"itemIdentifier": "b"}]}, "b"),
        ({"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "a"}]}, "ab"),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, "abc"),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, "abc"),
        ({"batchItemFailures": [{"itemIdentifier": ["a"]}]}, "abc"),
        ({"batchItemFailures": [{"identifier": "a"}]}, "abc"),
        ({"batchItemFailures": [{"itemIdentifier": "another"}]}, "abc"),
        ({"batchItemFailures": "a"}, "abc"),
        ({"batchItemFailures": ["a"]}, "abc"),
        ("done", "abc"),
        ([], "abc"),
    ],
)
def test_answers_are_read_as_lambda_reads_them(result, failed):
    """Success, some messages, or a batch that fails whole because its answer cannot be read."""
    assert failed_messages(result, "abc", report_batch_item_failures=True) == set(failed)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 10_001, "window_s": 1}, "batch_size"),
        ({"batch_size": 11}, "window_s"),
        ({"window_s": 301}, "window_s"),
        ({"maximum_concurrency": 1}, "maximum_concurrency"),
        ({"maximum_concurrency": 1_001}, "maximum_concurrency"),
    ],
)
def test_settings_that_lambda_would_refuse_are_refused(settings, named):
    """The error names the setting; what is allowed survives its JSON."""
    with pytest.raises(ConfigurationError, match=named):
        QueueSource(**settings)
    source = QueueSource(batch_size=50, window_s=2)
    assert QueueSource.from_json(source.to_json()) == source
    with pytest.raises(ConfigurationError, match="colour"):
        QueueSource.from_json('{"colour": 1}')
    with pytest.raises(ConfigurationError, match="JSON object"):
        QueueSource.from_json("[1]")


def test_queue_that_is_not_there_is_a_fault_of_the_settings(sqs):
    """A restart mends no wrong address."""
    with pytest.raises(ConfigurationError, match="cannot be used"):
        QueuePoller(sqs, f"{sqs.meta.endpoint_url}/123456789012/none", print, QueueSource())


def test_messages_that_no_invocation_saw_are_visible_at_once_after_a_stop(sqs, queue):
    """A stop in a window gives back what was received: the next process need not wait for the timeout."""
    url, _ = queue
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "600"})
    send(sqs, url, "a")
    seen = []

    def received():
        names = ["ApproximateNumberOfMessagesNotVisible"]
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][names[0]] == "1"

    poll(sqs, url, lambda event, _: seen.append(event), received, batch_size=20, window_s=30.0)
    assert not seen
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "a"


def test_event_of_a_message_without_attributes_is_whole():
    """SQS leaves out what is empty."""
    event = sqs_event([{"MessageId": "1", "ReceiptHandle": "r", "Body": "b"}], "arn")
    assert event["Records"][0]["attributes"] == {}
    assert event["Records"][0]["messageAttributes"] == {}


def test_message_of_a_killed_process_is_delivered_again(server, sqs, queue, tmp_path):
    """SIGKILL in the middle of an invocation: another process gets the message, once its timeout is over."""
    url, _ = queue
    seen_file, log = tmp_path / "seen", tmp_path / "log"
    environment = loopback_environment(server.endpoint_url, server.keys, os.environ)
    environment |= {"SEEN_FILE": str(seen_file), "PYTHONPATH": str(SUPPORT)}
    status = tmp_path / "status.json"
    command = [sys.executable, "-P", "-m", "mdm_stream.local.queue_consumer", "--handler", "local_handlers:linger",
               "--queue", url, "--endpoint", server.endpoint_url, "--status", str(status)]  # fmt: skip
    send(sqs, url, "a")
    first = spawn(command, log=log, environment=environment)
    until(seen_file.exists)
    first.kill()
    second = spawn(command, log=log, environment=environment)
    try:
        until(lambda: not waiting(sqs, url))
        until(lambda: status.exists() and json.loads(status.read_bytes())["messages"] == 1)
    finally:
        code = stop_process(second, 10)
    assert seen_file.read_text().splitlines() == ["a 1", "a 2"]
    assert code == 0
