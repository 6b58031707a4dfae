"""From the outbox to the golden feed: publish, then acknowledge. A crash in between publishes again, never loses.

A message that a stream's record cannot hold goes by claim check (see ``feed.claims``). One that Kinesis refuses for
itself is singled out, so that it holds back none of its neighbours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.deadline import NEVER, Deadline, OutOfTimeError, call_s_of
from mdm_stream.aws.errors import error_code, translated
from mdm_stream.aws.put_records import (
    RECORD_BYTES_MAX,
    RECORDS_PER_CALL_MAX,
    KeyedMessage,
    put_records,
    requests_of,
    weight_of,
)
from mdm_stream.aws.retry import full_jitter
from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.errors import MdmError, TerminalError, TransientError
from mdm_stream.feed.claims import ClaimStore
from mdm_stream.feed.envelope import change_message
from mdm_stream.index.port import Outbox, OutboxEntry

ISOLATING_CALLS_MAX = 128
"""Calls that are spent on finding the records for which Kinesis refuses a call: enough for a handful among 500. More
refusals than that are no matter of single records."""

GOLDEN_BYTES_WARN = 256 * 1024
LARGE_TOLD_MAX = 20
"""Large golden records that one report names."""

ATTEMPTS_MAX = 8
UNANSWERED_MAX = 3
"""A call that Kinesis refuses costs little, one that it does not answer costs the whole time-out: a batch that meets a
hanging Kinesis must end before the function's own time is up."""

BACKOFF_MS_BASE = 25
BACKOFF_MS_MAX = 2_000
_REFUSING_CODES = frozenset({"InvalidArgumentException", "ValidationException"})
"""What Kinesis answers to a whole call for the sake of one record in it."""


class RefusedMessagesError(TransientError):
    """Kinesis did not accept some messages yet; ``accepted`` are the positions of those that it did, in order."""

    def __init__(self, message: str, accepted: Sequence[int]) -> None:
        super().__init__(message)
        self.accepted = accepted


class UnpublishableError(TerminalError):
    """The stream, or the store of claim checks, takes nothing; ``accepted`` as in ``RefusedMessagesError``."""

    def __init__(self, message: str, accepted: Sequence[int]) -> None:
        super().__init__(message)
        self.accepted = accepted


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that Kinesis refuses for itself, in whatever form: its position, and AWS's code."""

    position: int
    code: str


@dataclass(frozen=True, slots=True)
class LargeGolden:
    """A golden record that has grown large: information for people, without its values."""

    golden_id: str
    members: int
    bytes: int


@dataclass(slots=True)
class PublishReport:
    """What ``publish_outbox`` did.

    ``refused`` names the changes (``domain/epoch/sequence: code``) that Kinesis refuses for themselves; they stay in
    the outbox, and are tried again with the next call. ``large`` are golden records past the size that is reported, at
    most ``LARGE_TOLD_MAX`` of them.
    """

    changes: int = 0
    refused: list[str] = field(default_factory=list)
    large: list[LargeGolden] = field(default_factory=list)


class FeedPublisher:
    """Puts messages on the feed's Kinesis stream, synchronously.

    Entries that Kinesis refuses are sent again with full jitter; the order between messages may change by that, which
    readers of the feed allow for. A fault that outlives its attempts is a ``TransientError``. The client should not try
    again by itself: attempts would be multiplied.
    """

    def __init__(
        self,
        client: Any,
        stream: str,
        *,
        claims: ClaimStore | None = None,
        record_bytes_max: int = RECORD_BYTES_MAX,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take a boto3 client of Kinesis and the stream's name.

        Golden changes larger than ``record_bytes_max`` with their partition key go by claim check, if there is a store
        of ``claims``.
        """
        self._client = client
        self._stream = stream
        self._claims = claims
        self._record_bytes_max = record_bytes_max
        self._sleep = sleep
        self._deadline = NEVER

    def until(self, deadline: Deadline) -> None:
        """Begin no call from now on that might not end by then, claim checks included, and wait for none."""
        self._deadline = deadline
        if self._claims is not None:
            self._claims.until(deadline)

    def call_s(self) -> float:
        """Return how long one call may last."""
        return call_s_of(self._client)

    def publish(self, messages: Sequence[KeyedMessage]) -> list[Refused]:
        """Put all messages; when this returns, Kinesis has accepted every one but those returned.

        Those it refuses for themselves, whatever they are sent with; they are no reason to send the others again.
        ``RefusedMessagesError`` (transient) and ``UnpublishableError`` say which it has accepted, if a fault came
        between.
        """
        return _Publishing(self._claims, self._record_bytes_max, self._put, self._wait, self._stream).run(messages)

    def _wait(self, attempt: int) -> None:
        wait_s = full_jitter(attempt, BACKOFF_MS_BASE, BACKOFF_MS_MAX) / 1000
        self._sleep(min(wait_s, self._deadline.left_s()))

    def _put(self, messages: Sequence[KeyedMessage]) -> list[str | None]:
        if self._deadline is not NEVER:
            self._deadline.require(self.call_s(), "Kinesis")
        return put_records(self._client, self._stream, messages)


class _Publishing:
    """One call of ``FeedPublisher.publish``: what was accepted, what is refused, and how often was tried."""

    def __init__(
        self,
        claims: ClaimStore | None,
        record_bytes_max: int,
        put: Callable[[Sequence[KeyedMessage]], list[str | None]],
        wait: Callable[[int], None],
        stream: str,
    ) -> None:
        self._claims = claims
        self._record_bytes_max = record_bytes_max
        self._put = put
        self._wait = wait
        self._stream = stream
        self._messages: list[KeyedMessage] = []
        self._checked_in: set[int] = set()
        self._accepted: set[int] = set()
        self._refused: dict[int, str] = {}
        self._isolating_calls = 0
        self._fault: MdmError | None = None
        self._stopped = False

    def run(self, messages: Sequence[KeyedMessage]) -> list[Refused]:
        self._messages = list(messages)
        too_large = [i for i, message in enumerate(messages) if weight_of(message) > self._record_bytes_max]
        kept_back = {i for i in too_large if self._claims is not None and not self._check_in(i)}
        for chunk in requests_of(self._messages, kept_back):
            self._send(chunk)
            if self._stopped:
                break
        if self._fault is not None:
            kind = RefusedMessagesError if isinstance(self._fault, TransientError) else UnpublishableError
            raise kind(str(self._fault), sorted(self._accepted)) from self._fault
        return [Refused(i, code) for i, code in sorted(self._refused.items()) if i not in self._accepted]

    def _check_in(self, position: int) -> bool:
        """Put a claim check in a message's place; False if the store did not take its data now."""
        key, data = self._messages[position]
        if self._claims is None or position in self._checked_in:
            return True
        try:
            claim = self._claims.check_in(data)
        except MdmError as error:
            self._fault = self._fault or error
            return False
        if claim is not None:
            self._checked_in.add(position)
            self._messages[position] = (key, claim)
        return True

    def _send(self, chunk: list[int]) -> None:
        """Put one chunk, with attempts; note what became of it."""
        waiting, cause, unanswered = chunk, "", 0
        for attempt in range(ATTEMPTS_MAX):
            try:
                waiting, code = self._try(waiting)
                cause = code or cause
            except OutOfTimeError as error:
                self._stop(error)
            except BotoCoreError as error:
                cause, unanswered = error_code(error), unanswered + 1
            if not waiting or unanswered == UNANSWERED_MAX or self._stopped:
                break
            self._wait(attempt)
        if waiting and not self._stopped:
            self._stop(
                RefusedMessagesError(
                    f"Kinesis stream {self._stream} did not accept {len(waiting):,} messages ({cause}); the event "
                    "source delivers the batch again, and committed changes stay in the outbox",
                    (),
                )
            )

    def _stop(self, fault: MdmError) -> None:
        self._fault, self._stopped = self._fault or fault, True

    def _try(self, positions: list[int]) -> tuple[list[int], str]:
        """Send some messages once; return the positions of those to send again, and the code of one refusal."""
        try:
            codes = self._put([self._messages[i] for i in positions])
        except ClientError as error:
            code = error_code(error)
            if code in _REFUSING_CODES:
                return self._isolate(positions, code)
            if isinstance(translated(error, "write to the stream"), TerminalError):
                self._stop(UnpublishableError(f"Kinesis stream {self._stream} cannot be written: {code}", ()))
            return positions, code
        again = [(position, code) for position, code in zip(positions, codes, strict=True) if code]
        self._accepted.update(set(positions) - {position for position, _ in again})
        return [position for position, _ in again], again[0][1] if again else ""

    def _isolate(self, positions: list[int], code: str) -> tuple[list[int], str]:
        """A call was refused as a whole: send its halves, down to the record that it is refused for."""
        self._isolating_calls += 1
        if self._isolating_calls > ISOLATING_CALLS_MAX:
            self._stop(UnpublishableError(f"Kinesis stream {self._stream} cannot be written: {code}", ()))
            return positions, code
        if len(positions) > 1:
            middle = len(positions) // 2
            first, code_of_first = self._try(positions[:middle])
            second, code_of_second = self._try(positions[middle:])
            return first + second, code_of_first or code_of_second
        [position] = positions
        fresh = self._claims is not None and position not in self._checked_in
        if fresh and not self._check_in(position):
            return [], ""  # raised at the end; its neighbours go first
        if fresh and position in self._checked_in:
            return self._try(positions)
        self._refused[position] = code
        return [], ""


def publish_outbox(
    outbox: Outbox,
    publisher: FeedPublisher,
    limit: int = RECORDS_PER_CALL_MAX,
    *,
    through: EpochPosition | None = None,
    large_bytes: int = GOLDEN_BYTES_WARN,
) -> PublishReport:
    """Publish everything in the outbox; return how much that was, and what people should know about it.

    With ``through``, nothing that came after that position is published. Several may do so at once: a change may then
    be published twice. What Kinesis refuses for itself stays in the outbox, and what lies behind it is published.
    """
    published = PublishReport()
    after: OutboxEntry | None = None
    while entries := outbox.read(limit, after=after):
        if through is not None:
            last = (through.epoch, through.sequence)
            entries = [entry for entry in entries if (entry.epoch, entry.sequence) <= last]
            if not entries:
                break
        try:
            refused = publisher.publish([change_message(entry) for entry in entries]) or []
        except (RefusedMessagesError, UnpublishableError) as error:
            # What was accepted is not sent again: a stream that takes a little at a time is come to the end of, too.
            outbox.acknowledge([entries[position] for position in error.accepted])
            raise
        stuck = {each.position: each.code for each in refused}
        done = [entry for position, entry in enumerate(entries) if position not in stuck]
        outbox.acknowledge(done)
        published.changes += len(done)
        published.refused += [f"{_place_of(entries[position])}: {code}" for position, code in stuck.items()]
        published.large += _large(done, large_bytes, LARGE_TOLD_MAX - len(published.large))
        after = entries[-1] if stuck or after is not None else None
    return published


def _large(entries: Sequence[OutboxEntry], large_bytes: int, count_max: int) -> Iterator[LargeGolden]:
    for entry in entries:
        if count_max > 0 and len(entry.content) > large_bytes:
            content = orjson.loads(entry.content)
            if "golden_id" not in content:
                continue
            count_max -= 1
            yield LargeGolden(content["golden_id"], len(content.get("members", ())), len(entry.content))


def _place_of(entry: OutboxEntry) -> str:
    return f"{orjson.loads(entry.content)['domain']}/{entry.epoch}/{entry.sequence}"
