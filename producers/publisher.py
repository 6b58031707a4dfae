"""The publisher: puts change events on a Kinesis stream, batched, retried, in order for each partition key.

One background thread sends one PutRecords request at a time, and a request never holds two records of one key: Kinesis
may take some records of a request and refuse others, and a key's next event must not overtake the one before it. It
leaves only after that was taken, or given up and reported. Keys do not wait for each other. With aggregation a record
holds many events, and a slice of the keys stands for a key (see ``producers.kpl``).

Delivery is at least once: a request whose answer was lost is sent again. Events carry versions, so consumers drop what
they have seen.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.errors import error_code, translated
from mdm_stream.aws.retry import full_jitter
from mdm_stream.contracts.signature import SigningKey, signed
from mdm_stream.errors import TerminalError, TransientError
from producers.buffer import BufferedRecord, EventBuffer, Parcel
from producers.delivery import DeliveryFailure, EventTooLargeError, PublisherCounts, PublishError, PublisherSettings
from producers.partition_key import PARTITION_KEY_CHARS_MAX, partition_key_of

_LOGGER = logging.getLogger(__name__)
_THROTTLED = frozenset({"ProvisionedThroughputExceededException", "LimitExceededException", "ThrottlingException"})
_REFUSING = frozenset({"InvalidArgumentException", "ValidationException"})
"""What Kinesis answers to a whole request for the sake of one event in it."""
REFUSALS_MAX = 64
"""Refused requests that are spent on finding which events they are refused for; more are no matter of single events."""
_TIMED_OUT = "DeliveryTimeout"
_CLOSED = "Closed"


@dataclass(frozen=True, slots=True)
class _Answer:
    """A request's outcome: for each record None, or the code of its failure. ``hopeless``: codes no retry can mend."""

    codes: list[str | None]
    hopeless: frozenset[str] = frozenset()


class Publisher:
    """Sends events to one stream. Thread safe. Use it as a context manager, or call ``close``: else events are lost."""

    def __init__(
        self,
        client: Any,
        stream: str,
        *,
        settings: PublisherSettings | None = None,
        signing_key: SigningKey | None = None,
        on_failure: Callable[[DeliveryFailure], None] | None = None,
        jitter: random.Random | None = None,
    ) -> None:
        """Take a boto3 Kinesis client and the stream's name, and start the sender.

        ``on_failure`` is called from the sender's thread for each event that is given up, before ``flush`` or ``close``
        report it; it must not call the publisher. ``jitter`` draws the waits between retries. With ``signing_key``
        mappings are signed; bytes are sent as they are.
        """
        self._client = client
        self._stream = stream
        self._settings = settings or PublisherSettings()
        self._signing_key = signing_key
        self._on_failure = on_failure
        self._jitter = jitter or random.Random()  # noqa: S311  (spreads retries; nothing secret depends on it)
        self._changed = threading.Condition()
        # The condition guards everything from here on.
        self._buffer = EventBuffer(self._settings)
        self._flush_before = 0
        self._closing = False
        self._abandoned = False
        self._failures: list[DeliveryFailure] = []
        self._counts = PublisherCounts()
        self._sender = threading.Thread(target=self._run, name=f"publisher-{stream}", daemon=True)
        self._sender.start()

    def put(self, event: Mapping[str, Any] | bytes, partition_key: str | None = None) -> None:
        """Accept an event: bytes as they are, a mapping as JSON. Blocks while the buffer is full.

        Without ``partition_key`` a mapping is taken for a canonical event and its record's key used. Events of one key
        put by one thread reach the stream in that order. ``EventTooLargeError`` if the stream would refuse it,
        ``TransientError`` if the buffer stayed full for ``put_timeout_s``, ``PublishError`` if ``failures_max`` events
        were given up and not yet reported, ``ValueError`` after ``close``, or for an event that cannot be signed.
        """
        data = event if isinstance(event, bytes) else orjson.dumps(self._signed(event))
        key = _key_of(event, partition_key)
        size_bytes = self._buffer.size_of(key, data)
        if size_bytes > self._settings.record_bytes_max:
            raise EventTooLargeError(
                f"an event has {size_bytes:,} bytes with its partition key, and the stream takes "
                f"{self._settings.record_bytes_max:,}; send less, or a reference to where the rest is kept",
            )
        with self._changed:
            if not self._changed.wait_for(lambda: self._may_put(size_bytes), self._settings.put_timeout_s):
                raise TransientError(f"the publisher's buffer stayed full for {self._settings.put_timeout_s} s")
            if self._closing:
                raise ValueError("the publisher is closed")
            if len(self._failures) >= self._settings.failures_max:
                self._report()
            self._counts = replace(self._counts, accepted=self._counts.accepted + 1)
            if self._buffer.add(key, data, size_bytes, time.monotonic()):
                self._changed.notify_all()

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until every event put before this call was taken by the stream or given up.

        ``PublishError`` with every event given up since the last report; ``TransientError`` if ``timeout_s`` passed
        first (the events stay, and are sent on).
        """
        with self._changed:
            before = self._buffer.next_number
            self._flush_before = max(self._flush_before, before)
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: self._buffer.oldest_number >= before, timeout_s)
            self._report()
            if not done:
                raise TransientError(f"the publisher did not send everything within {timeout_s} s")

    def close(self, timeout_s: float | None = None) -> None:
        """Send what waits, then stop. ``PublishError`` as from ``flush``.

        What ``timeout_s`` leaves unsent is given up with code ``Closed``; a request under way is waited for. Closing
        again does nothing.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: not self._buffer, timeout_s):
                self._abandoned = True
                self._changed.notify_all()
        self._sender.join()
        with self._changed:
            self._report()

    @property
    def delivered_through(self) -> int:
        """How many of the events accepted first were all taken by the stream: what a source may forget.

        ``PublishError`` as from ``flush`` if one was given up, once; from then on the number says nothing.
        """
        with self._changed:
            self._report()
            return self._buffer.oldest_number

    @property
    def counts(self) -> PublisherCounts:
        """What happened so far."""
        with self._changed:
            return self._counts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except PublishError as undelivered:
            # An error of the caller's own must not be hidden by what follows from it.
            if error is None:
                raise
            error.add_note(str(undelivered))

    def _signed(self, event: Mapping[str, Any]) -> dict[str, Any]:
        if self._signing_key is None:
            return dict(event)
        return signed(orjson.loads(orjson.dumps(dict(event))), self._signing_key)  # what the consumer will read

    def _may_put(self, size_bytes: int) -> bool:
        """Tell whether ``put`` need not wait: there is room, or a reason to refuse."""
        refused = self._closing or len(self._failures) >= self._settings.failures_max
        return refused or self._buffer.has_room(size_bytes)

    def _report(self) -> None:
        if self._failures:
            failures, self._failures = tuple(self._failures), []
            raise PublishError(failures)

    def _run(self) -> None:
        """Send until closed and empty, or abandoned. However it ends: nobody waits for ever, what is left is told."""
        try:
            while True:
                with self._changed:
                    taken = self._next()
                if taken is None:
                    break
                batch, expired = taken
                answer = self._request(batch) if batch else _Answer([])
                self._settle(batch, answer, expired)
        finally:
            with self._changed:
                self._closing = True
                left = self._buffer.drain()
            self._give_up([_failure(entry, _CLOSED) for entry in left])
            with self._changed:
                self._changed.notify_all()

    def _next(self) -> tuple[list[Parcel], list[BufferedRecord]] | None:
        """Wait for a batch and return it, with the events that are too old to send; None when it is time to stop."""
        while True:
            if self._abandoned or (self._closing and not self._buffer):
                return None
            now_s = time.monotonic()
            at_once = self._closing or self._buffer.oldest_number < self._flush_before
            batch, expired = self._buffer.take(now_s, at_once=at_once)
            if batch or expired:
                return batch, expired
            self._changed.wait(self._buffer.wait_s(now_s))

    def _request(self, batch: list[Parcel]) -> _Answer:
        """Send a batch; called without the lock. A record that its request is refused for holds back none beside it."""
        codes: dict[int, str | None] = {}
        hopeless: frozenset[str] = frozenset()
        refusals, waiting = 0, [(0, len(batch))]
        while waiting:
            start, end = waiting.pop()
            answer = self._send(batch[start:end])
            if end - start > 1 and refusals < REFUSALS_MAX and answer.codes[0] in _REFUSING & answer.hopeless:
                refusals += 1
                middle = (start + end) // 2
                waiting += [(middle, end), (start, middle)]
                continue
            hopeless |= answer.hopeless
            codes.update(zip(range(start, end), answer.codes, strict=True))
        return _Answer([codes[place] for place in range(len(batch))], hopeless)

    def _send(self, batch: list[Parcel]) -> _Answer:
        """Send one request."""
        records = [parcel.record() for parcel in batch]
        try:
            answer = self._client.put_records(StreamName=self._stream, Records=records)
            codes = [record.get("ErrorCode") for record in answer["Records"]]
        except (BotoCoreError, ClientError) as error:
            code = error_code(error)
            terminal = isinstance(translated(error, "write to the stream"), TerminalError)
            return _Answer([code] * len(batch), frozenset({code}) if terminal else frozenset())
        except Exception as error:  # noqa: BLE001  (an unknown fault is retried within its bounds; the sender lives on)
            _LOGGER.warning("a request to stream %s failed: %s", self._stream, type(error).__name__)
            return _Answer([type(error).__name__] * len(batch))
        return _Answer(codes) if len(codes) == len(batch) else _Answer(["MalformedAnswer"] * len(batch))

    def _settle(self, batch: list[Parcel], answer: _Answer, expired: list[BufferedRecord]) -> None:
        """Book what became of each event: delivered, to be retried, or given up."""
        failures = [_failure(entry, entry.code or _TIMED_OUT) for entry in expired]
        settled: list[tuple[list[BufferedRecord], list[BufferedRecord]]] = [([entry], []) for entry in expired]
        throttled = 0
        for parcel, code in zip(batch, answer.codes, strict=True):
            throttled += len(parcel.entries) if code in _THROTTLED else 0
            done, again = [], []
            for entry in parcel.entries:
                entry.attempts += 1
                if code is None:
                    done.append(entry)
                elif code in answer.hopeless or entry.attempts >= self._settings.attempts_max:
                    done.append(entry)
                    failures.append(_failure(entry, code))
                else:
                    entry.code = code
                    again.append(entry)
            settled.append((done, again))
        self._give_up(failures)
        with self._changed:
            now_s = time.monotonic()
            for done, again in settled:
                self._buffer.settle(done, again, now_s, now_s + self._backoff_s(again[0].attempts) if again else now_s)
            counts = self._counts
            self._counts = replace(
                counts,
                delivered=counts.delivered + sum(len(done) for done, _ in settled) - len(failures),
                retried=counts.retried + sum(len(again) for _, again in settled),
                throttled=counts.throttled + throttled,
                requests=counts.requests + bool(batch),
            )
            self._changed.notify_all()

    def _backoff_s(self, attempts: int) -> float:
        settings = self._settings
        return full_jitter(attempts - 1, settings.backoff_base_s, settings.backoff_max_s, self._jitter.random)

    def _give_up(self, failures: list[DeliveryFailure]) -> None:
        """Tell the callback, then keep the failures for the next report."""
        if not failures:
            return
        if self._on_failure is not None:
            for failure in failures:
                try:
                    self._on_failure(failure)
                except Exception as error:  # noqa: BLE001  (the caller's own code; the report still follows)
                    _LOGGER.error("on_failure raised %s", type(error).__name__)  # noqa: TRY400  (its text may be personal)
        with self._changed:
            self._failures.extend(failures)
            self._counts = replace(self._counts, failed=self._counts.failed + len(failures))
            self._changed.notify_all()


def _failure(entry: BufferedRecord, code: str) -> DeliveryFailure:
    return DeliveryFailure(entry.key, entry.data, entry.attempts, code)


def _key_of(event: Mapping[str, Any] | bytes, partition_key: str | None) -> str:
    if partition_key is None:
        if isinstance(event, bytes):
            raise ValueError("bytes need a partition key")
        return partition_key_of(event)
    if not 1 <= len(partition_key) <= PARTITION_KEY_CHARS_MAX:
        raise ValueError(f"a partition key has 1 to {PARTITION_KEY_CHARS_MAX} characters")
    return partition_key
