"""From the outbox to the golden feed: publish, then acknowledge. A crash in between publishes again, never loses."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.errors import error_code
from mdm_stream.errors import TerminalError, TransientError
from mdm_stream.feed.envelope import change_message
from mdm_stream.index.port import Outbox, Position

Message = tuple[str, bytes]
"""A partition key and the bytes of one feed message."""

RECORDS_PER_CALL_MAX = 500
BYTES_PER_CALL_MAX = 5 * 1024 * 1024
"""PutRecords takes 500 records and 5 MiB, partition keys included."""

ATTEMPTS_MAX = 8
UNANSWERED_MAX = 3
"""A call that Kinesis refuses costs little, one that it does not answer costs the whole time-out: a batch that meets a
hanging Kinesis must end before the function's own time is up."""

BACKOFF_MS_BASE = 25
BACKOFF_MS_MAX = 2_000
_TERMINAL_CODES = frozenset(
    {"ResourceNotFoundException", "InvalidArgumentException", "AccessDeniedException", "ValidationException"}
)


class RefusedMessagesError(TransientError):
    """Kinesis did not accept some messages; ``accepted`` are the positions of those that it did, in order."""

    def __init__(self, message: str, accepted: Sequence[int]) -> None:
        super().__init__(message)
        self.accepted = accepted


class FeedPublisher:
    """Puts messages on the feed's Kinesis stream, synchronously.

    Entries that Kinesis refuses are sent again with full jitter; the order between messages may change by that, which
    readers of the feed allow for. A fault that outlives its attempts is a ``TransientError``. The client should not try
    again by itself: attempts would be multiplied.
    """

    def __init__(self, client: Any, stream: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._stream = stream
        self._sleep = sleep

    def publish(self, messages: Sequence[Message]) -> None:
        """Put all messages; when this returns, Kinesis has accepted every one.

        ``RefusedMessagesError`` (transient) says which it has accepted, if not all.
        """
        done: list[int] = []
        for chunk in _chunks(messages):
            waiting, cause, unanswered = chunk, "", 0
            for attempt in range(ATTEMPTS_MAX):
                try:
                    waiting, cause = self._put(messages, waiting)
                except BotoCoreError as error:
                    cause, unanswered = error_code(error), unanswered + 1
                if not waiting or unanswered == UNANSWERED_MAX:
                    break
                ceiling_ms = min(BACKOFF_MS_MAX, BACKOFF_MS_BASE * 2**attempt)
                self._sleep(random.random() * ceiling_ms / 1000)  # noqa: S311 - jitter, no secret
            done += sorted(set(chunk) - set(waiting))
            if waiting:
                raise RefusedMessagesError(
                    f"Kinesis stream {self._stream} did not accept {len(waiting):,} messages ({cause}); the batch "
                    "comes again, and what was committed waits in the outbox",
                    done,
                )

    def _put(self, messages: Sequence[Message], positions: list[int]) -> tuple[list[int], str]:
        """Send some messages once; return the positions of those not accepted, and the code of one refusal."""
        try:
            reply = self._client.put_records(
                StreamName=self._stream,
                Records=[{"PartitionKey": key, "Data": data} for key, data in (messages[i] for i in positions)],
            )
        except ClientError as error:
            code = error_code(error)
            if code in _TERMINAL_CODES:
                raise TerminalError(f"Kinesis stream {self._stream} cannot be written: {code}") from error
            return positions, code
        if not reply["FailedRecordCount"]:
            return [], ""
        answers = zip(positions, (result.get("ErrorCode") for result in reply["Records"]), strict=True)
        refused = [(position, code) for position, code in answers if code]
        return [position for position, _ in refused], refused[0][1]


def publish_outbox(
    outbox: Outbox, publisher: FeedPublisher, limit: int = RECORDS_PER_CALL_MAX, *, through: Position | None = None
) -> list[int]:
    """Publish everything in the outbox; return the commit times (microseconds) of the changes published.

    With ``through``, nothing that came after that position is published. Several may do so at once: a change may then
    be published twice.
    """
    committed_at_us: list[int] = []
    while entries := outbox.read(limit):
        if through is not None:
            last = (through.epoch, through.sequence)
            entries = [entry for entry in entries if (entry.epoch, entry.sequence) <= last]
            if not entries:
                break
        try:
            publisher.publish([change_message(entry) for entry in entries])
        except RefusedMessagesError as error:
            # What was accepted is not sent again: a stream that takes a little at a time is come to the end of, too.
            outbox.acknowledge([entries[position] for position in error.accepted])
            raise
        outbox.acknowledge(entries)
        committed_at_us += [entry.committed_at_us for entry in entries]
    return committed_at_us


def _chunks(messages: Sequence[Message]) -> list[list[int]]:
    """Cut messages into calls that PutRecords takes; return their positions."""
    chunks: list[list[int]] = []
    size = BYTES_PER_CALL_MAX + 1
    for position, (key, data) in enumerate(messages):
        weight = len(data) + len(key.encode())
        if size + weight > BYTES_PER_CALL_MAX or len(chunks[-1]) >= RECORDS_PER_CALL_MAX:
            chunks.append([])
            size = 0
        chunks[-1].append(position)
        size += weight
    return chunks
