"""Who hears of a load: the warehouse through the golden feed, people and systems through SNS and EventBridge.

Everything is sent at least once. A notice has an id that is the same again, and a manifest a revision, so hearing it
twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.errors import translated
from mdm_stream.contracts.file_manifest import FileManifest
from mdm_stream.contracts.file_notice import DETAIL_TYPES, NOTICE_SOURCE, FileJobRequest, FileNotice, NoticeState
from mdm_stream.contracts.golden import QuarantinedEvent
from mdm_stream.errors import TransientError
from mdm_stream.feed.envelope import file_message, quarantine_message
from mdm_stream.feed.publisher import FeedPublisher

JOB_DETAIL_TYPE = "File Job Requested"
REASONS_TOLD_MAX = 20
"""Reasons and warnings in one notice; the manifest has all. SNS takes 256 KB."""


class Notifier:
    """Sends manifests and notices. What was not named hears nothing."""

    def __init__(
        self,
        *,
        golden: FeedPublisher | None = None,
        sns: Any = None,
        topic_arn: str = "",
        events: Any = None,
        bus: str = "",
    ) -> None:
        """Take the golden feed's publisher, and boto3 clients of SNS and EventBridge with where to send."""
        self._golden = golden
        self._sns, self._topic_arn = sns, topic_arn
        self._events, self._bus = events, bus

    def feed(self, manifest: FileManifest) -> None:
        """Put a manifest on the golden feed."""
        if self._golden is not None:
            self._golden.publish([file_message(manifest)])

    def report(self, rejected: Sequence[QuarantinedEvent]) -> None:
        """Report rejected rows that the quarantine has on the golden feed."""
        if self._golden is not None and rejected:
            self._golden.publish([quarantine_message(each) for each in rejected])

    def notice(self, manifest: FileManifest, state: NoticeState, attempt: int, address: str) -> None:
        """Tell how a load ended, or that it is held."""
        told = FileNotice(
            id=f"{manifest.load_id}/{attempt}/{state}",
            load_id=manifest.load_id,
            state=state,
            domain=manifest.domain,
            source=manifest.source,
            bucket=manifest.object.bucket,
            key=manifest.object.key,
            rows=manifest.rows,
            accepted=manifest.accepted,
            rejected=manifest.rejected,
            skipped=manifest.skipped,
            sent=manifest.sent,
            deleted=manifest.deleted,
            reasons=manifest.reasons[:REASONS_TOLD_MAX],
            warnings=sorted({warning.code for warning in manifest.warnings})[:REASONS_TOLD_MAX],
            manifest=address,
        )
        detail = told.model_dump_json()
        if self._topic_arn:
            self._publish(DETAIL_TYPES[state], detail, {"state": state, "source": manifest.source or "unknown"})
        self._put_event(DETAIL_TYPES[state], detail)

    def request_job(self, request: FileJobRequest) -> None:
        """Ask for a Spark job."""
        self._put_event(JOB_DETAIL_TYPE, request.model_dump_json())

    def _publish(self, subject: str, message: str, attributes: dict[str, str]) -> None:
        named = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        try:
            self._sns.publish(TopicArn=self._topic_arn, Subject=subject, Message=message, MessageAttributes=named)
        except (BotoCoreError, ClientError) as error:
            raise translated(error, "publish to the topic of files") from error

    def _put_event(self, detail_type: str, detail: str) -> None:
        if not self._bus:
            return
        entry = {"Source": NOTICE_SOURCE, "DetailType": detail_type, "Detail": detail, "EventBusName": self._bus}
        try:
            answer = self._events.put_events(Entries=[entry])
        except (BotoCoreError, ClientError) as error:
            raise translated(error, "put an event on the bus of files") from error
        if answer.get("FailedEntryCount"):
            code = str(answer["Entries"][0].get("ErrorCode", "Unknown"))
            raise TransientError(f"cannot put an event on the bus of files: {code}")


def message_of(load_id: str, attempt: int, step: str, chunk: int = 0) -> dict[str, object]:
    """Return the message of a step of a load, as the queue of chunks carries it."""
    return {"load": load_id, "attempt": attempt, "step": step, "chunk": chunk}


class ChunkQueue:
    """The SQS queue of chunks."""

    ENTRIES_MAX = 10
    """The most messages that one SendMessageBatch takes."""

    def __init__(self, client: Any, url: str) -> None:
        """Take a boto3 SQS client and the queue's URL."""
        self._client = client
        self._url = url

    def send(self, messages: list[dict[str, object]]) -> None:
        """Send messages; ``TransientError`` or ``TerminalError`` if one was not taken, and others may have been."""
        for start in range(0, len(messages), self.ENTRIES_MAX):
            entries = [
                {"Id": str(place), "MessageBody": orjson.dumps(message).decode()}
                for place, message in enumerate(messages[start : start + self.ENTRIES_MAX])
            ]
            try:
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            except (BotoCoreError, ClientError) as error:
                raise translated(error, "send to the queue of chunks") from error
            if answer.get("Failed"):
                code = str(answer["Failed"][0].get("Code", "Unknown"))
                raise TransientError(f"cannot send to the queue of chunks: {code}")
