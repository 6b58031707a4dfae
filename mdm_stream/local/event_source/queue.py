"""Polls an SQS queue and calls a handler as Lambda's event source mapping for SQS does.

What Lambda leaves to the queue stays with it: a message whose invocation failed, or whose process was killed, is
visible again after the queue's visibility timeout, and after ``maxReceiveCount`` receipts it goes to the dead-letter
queue. Nothing here extends a timeout or makes a message visible early, save for messages that were never handed over.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.loopback import REGION
from mdm_stream.errors import ConfigurationError
from mdm_stream.local.event_source.faults import log_fault
from mdm_stream.local.event_source.mapping import PAYLOAD_BYTES_MAX, FunctionContext
from mdm_stream.local.event_source.poller import LambdaHandler

MESSAGES_PER_RECEIVE_MAX = 10
"""The most messages that one ReceiveMessage gives, and that one DeleteMessageBatch takes."""
MESSAGE_ENVELOPE_BYTES = 1_024
"""What one message of an event needs beside its body and its attributes, rounded up."""

_WAIT_S = 1
"""How long one ReceiveMessage waits for a message: stopping may take as long."""
_RETRY_S = 0.5
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class QueueSource:
    """How messages of a queue become invocations: names and limits are those of Lambda's event source mapping for SQS.

    A batch is closed by ``batch_size`` messages, by ``window_s`` after its first message came, or by 6 MB.
    ``maximum_concurrency`` bounds the invocations at a time. Without ``report_batch_item_failures`` a batch is done or
    fails as a whole.
    """

    batch_size: int = 10
    window_s: float = 0.0
    maximum_concurrency: int = 2
    report_batch_item_failures: bool = True

    def __post_init__(self) -> None:
        """Refuse what Lambda would refuse; ``ConfigurationError`` names the setting."""
        checks = {
            "batch_size: 1 to 10000": 1 <= self.batch_size <= 10_000,
            "window_s: 0 to 300": 0 <= self.window_s <= 300,
            "window_s: 1 at least where batch_size is above 10": (
                self.batch_size <= MESSAGES_PER_RECEIVE_MAX or self.window_s >= 1
            ),
            "maximum_concurrency: 2 to 1000": 2 <= self.maximum_concurrency <= 1_000,
        }
        if wrong := [text for text, holds in checks.items() if not holds]:
            raise ConfigurationError(f"event source setting out of range: {'; '.join(wrong)}")

    def to_json(self) -> str:
        """Return the settings as one JSON object."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read settings; those that are absent keep their defaults. ``ConfigurationError`` for anything else."""
        try:
            given = dict(orjson.loads(text))
            if unknown := given.keys() - {setting.name for setting in fields(cls)}:
                raise ConfigurationError(f"event source settings: there is none named {', '.join(sorted(unknown))}")
            return cls(**given)
        except (orjson.JSONDecodeError, TypeError, ValueError) as error:
            raise ConfigurationError("event source settings: a JSON object of settings is expected") from error


@dataclass(slots=True)
class QueueCounters:
    """What a poller has done since it began. ``failed_messages`` are those that their queue will give again."""

    messages: int = 0
    batches: int = 0
    failed_batches: int = 0
    partial_batches: int = 0
    failed_messages: int = 0
    read_errors: int = 0


class QueuePoller:
    """One event source mapping. ``run`` blocks until ``stop`` is called from another thread or a signal handler.

    ``slots`` are the invocations at a time in this process, at most the source's ``maximum_concurrency``: a handler
    written for Lambda may rely on being called by one thread at a time, so the local stack runs one slot a process.
    """

    def __init__(
        self,
        client: Any,
        queue_url: str,
        handler: LambdaHandler,
        source: QueueSource,
        *,
        function_name: str = "local",
        function_timeout_s: float = 60.0,
        slots: int | None = None,
    ) -> None:
        """Take a boto3 SQS client; ``queue_arn`` is asked of the queue, ``ConfigurationError`` if there is none."""
        self._client = client
        self._queue_url = queue_url
        self._queue_arn = _arn_of(client, queue_url)
        self._handler = handler
        self._source = source
        self._context: Callable[[], FunctionContext] = lambda: FunctionContext(function_name, function_timeout_s)
        self._slots = min(slots or source.maximum_concurrency, source.maximum_concurrency)
        self._stop_requested = False
        self._state = threading.Lock()
        self._counters = QueueCounters()
        self._fault: BaseException | None = None

    def run(self) -> None:
        """Poll until stopped; invocations under way finish first. Raises a fault of the poller itself."""
        threads = [threading.Thread(target=self._guarded, name=f"slot-{n}") for n in range(self._slots)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._fault is not None:
            raise self._fault

    def stop(self) -> None:
        """Ask ``run`` to return. Idempotent. It takes no lock, so that a signal handler may call it."""
        self._stop_requested = True

    def counters(self) -> QueueCounters:
        """Return a copy of the counters as they are now."""
        with self._state:
            return replace(self._counters)

    def _guarded(self) -> None:
        try:
            self._poll()
        except BaseException as error:  # noqa: BLE001 - raised again by run
            self._fault = self._fault or error
            self._stop_requested = True

    def _poll(self) -> None:
        left: list[dict[str, Any]] = []
        while not self._stop_requested:
            batch, left = self._collect(left)
            if batch and not self._stop_requested:
                self._run_batch(batch)
            elif batch:
                left = [*batch, *left]
        self._give_back(left)

    def _collect(self, begun: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return a batch, and messages that were received and did not fit in it."""
        received, closes_s = begun, time.monotonic() + self._source.window_s if begun else None
        while len(received) < self._source.batch_size and not self._stop_requested:
            if received and (closes_s is None or time.monotonic() >= closes_s):
                break
            wait_s = _WAIT_S if not received or (closes_s or 0.0) - time.monotonic() >= _WAIT_S else 0
            found = self._receive(self._source.batch_size - len(received), wait_s)
            if found and closes_s is None:
                closes_s = time.monotonic() + self._source.window_s
            received = [*received, *found]
            if sum(map(_event_bytes, received)) > PAYLOAD_BYTES_MAX:
                break
            if not found and wait_s == 0:
                time.sleep(min(0.05, max(0.0, (closes_s or 0.0) - time.monotonic())))
        return _fitting(received)

    def _receive(self, wanted: int, wait_s: int) -> list[dict[str, Any]]:
        try:
            answer = self._client.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=min(MESSAGES_PER_RECEIVE_MAX, wanted),
                WaitTimeSeconds=wait_s,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        except (BotoCoreError, ClientError) as error:
            _LOG.warning("the queue cannot be read: %s; trying again", type(error).__name__)
            with self._state:
                self._counters.read_errors += 1
            time.sleep(_RETRY_S)
            return []
        return list(answer.get("Messages", ()))

    def _run_batch(self, batch: Sequence[dict[str, Any]]) -> None:
        ids = [str(message["MessageId"]) for message in batch]
        try:
            result = self._handler(sqs_event(batch, self._queue_arn), self._context())
        except Exception as error:  # noqa: BLE001 - on Lambda any exception fails the batch, whatever it is
            log_fault(f"batch of {len(batch)} messages", error)
            failed = set(ids)
        else:
            failed = failed_messages(result, ids, self._source.report_batch_item_failures)
        self._delete([message for message in batch if message["MessageId"] not in failed])
        with self._state:
            self._counters.batches += 1
            self._counters.messages += len(ids) - len(failed)
            self._counters.failed_messages += len(failed)
            self._counters.failed_batches += len(failed) == len(ids)
            self._counters.partial_batches += 0 < len(failed) < len(ids)

    def _delete(self, done: Sequence[dict[str, Any]]) -> None:
        """Delete messages; one that cannot be deleted is delivered again, as on Lambda."""
        for start in range(0, len(done), MESSAGES_PER_RECEIVE_MAX):
            piece = done[start : start + MESSAGES_PER_RECEIVE_MAX]
            entries = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(piece)]
            try:
                answer = self._client.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)
            except (BotoCoreError, ClientError) as error:
                _LOG.warning("%d messages could not be deleted: %s", len(piece), type(error).__name__)
                continue
            if answer.get("Failed"):
                _LOG.warning("%d messages could not be deleted; they are delivered again", len(answer["Failed"]))

    def _give_back(self, messages: Sequence[dict[str, Any]]) -> None:
        """Make messages visible that no invocation has seen."""
        for message in messages:
            try:
                self._client.change_message_visibility(
                    QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
                )
            except (BotoCoreError, ClientError) as error:
                _LOG.warning("a message stays invisible until its timeout: %s", type(error).__name__)


def sqs_event(messages: Sequence[Mapping[str, Any]], queue_arn: str) -> dict[str, Any]:
    """Return the event of one batch: the shape that Lambda gives a function of an SQS event source."""
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": dict(message.get("Attributes", {})),
                "messageAttributes": {
                    name: {"stringValue": value.get("StringValue"), "dataType": value["DataType"]}
                    for name, value in message.get("MessageAttributes", {}).items()
                },
                "md5OfBody": message.get("MD5OfBody", ""),
                "eventSource": "aws:sqs",
                "eventSourceARN": queue_arn,
                "awsRegion": REGION,
            }
            for message in messages
        ]
    }


def failed_messages(result: object, ids: Sequence[str], report_batch_item_failures: bool) -> set[str]:
    """Return which messages of a batch an invocation that returned ``result`` has not done.

    Without reports a returned value means success. With them: nothing, an empty object and an empty or null list are
    success; an identifier that is null, empty, under another key or not of this batch, and any answer of another
    shape, fails the whole batch.
    """
    if not report_batch_item_failures or result is None:
        return set()
    known = set(ids)
    if not isinstance(result, dict):
        return known
    failures: Any = result.get("batchItemFailures")
    if failures is None or failures == []:
        return set()
    if not isinstance(failures, list):
        return known
    named: list[Any] = [each.get("itemIdentifier") if isinstance(each, dict) else None for each in failures]
    return set(named) if all(isinstance(each, str) and each in known for each in named) else known


def _fitting(received: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the messages that one invocation can carry, and the others; the first fits always."""
    size_bytes = 0
    for place, message in enumerate(received):
        size_bytes += _event_bytes(message)
        if place and size_bytes > PAYLOAD_BYTES_MAX:
            return received[:place], received[place:]
    return received, []


def _event_bytes(message: Mapping[str, Any]) -> int:
    """Return what a message adds to an event: its body is a text within JSON."""
    return len(orjson.dumps(message["Body"])) + MESSAGE_ENVELOPE_BYTES


def _arn_of(client: Any, queue_url: str) -> str:
    try:
        found = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    except (BotoCoreError, ClientError) as error:
        raise ConfigurationError(f"the queue {queue_url} cannot be used: {type(error).__name__}") from error
    return str(found["Attributes"]["QueueArn"])
