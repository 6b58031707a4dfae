"""Events onto the stream, in order for each record, and where each of them lies."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.errors import error_code, is_terminal_code
from mdm_stream.aws.put_records import KeyedMessage, StreamPlace, place_records, requests_of
from mdm_stream.aws.retry import full_jitter
from producers.events_api.problems import ProblemError

BACKOFF_BASE_S, BACKOFF_MAX_S = 0.05, 0.4
"""A caller waits meanwhile, and can itself come again."""
_THROTTLED = frozenset({
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "ThrottlingException",
    "KMSThrottlingException",
})  # fmt: skip


Outcome = StreamPlace | ProblemError


@dataclass(slots=True)
class _Waiting:
    """Messages of one thread, and what became of them. ``ready`` is set when that is known, or when it is to lead."""

    messages: Sequence[KeyedMessage]
    ready: threading.Event = field(default_factory=threading.Event)
    outcomes: list[Outcome] | None = None
    fault: BaseException | None = None


class StreamWriter:
    """Puts events on one stream. Thread safe, as its client is.

    Of several threads one writes at a time, for all that wait: the busier the API, the more events share a request.
    Events of one key go one after the other: a request may be taken in part, and an event must not overtake the one
    before it. What follows an event that the stream did not take is not sent.
    """

    def __init__(
        self,
        client: Any,
        stream: str,
        attempts_max: int,
        *,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Take a Kinesis client that does not try again by itself, and how often an event is tried."""
        self._client = client
        self._stream = stream
        self._attempts_max = attempts_max
        self._sleep = sleep
        self._draw = draw
        self._lock = threading.Lock()
        self._queue: deque[_Waiting] = deque()
        self._writing = False

    def write(self, messages: Sequence[KeyedMessage]) -> list[Outcome]:
        """Send messages; return for each where it lies, or why it does not: throttled, or unavailable."""
        own = _Waiting(messages)
        with self._lock:
            self._queue.append(own)
            leads, self._writing = not self._writing, True
        if not leads:
            own.ready.wait()
        if own.outcomes is None and own.fault is None:
            self._lead()
        if own.fault is not None:
            raise own.fault
        return own.outcomes or []

    def _lead(self) -> None:
        """Write for this thread and all that wait, then let the next one that has come meanwhile lead."""
        with self._lock:
            group = list(self._queue)
            self._queue.clear()
        try:
            outcomes = iter(self._written([message for each in group for message in each.messages]))
            for each in group:
                each.outcomes = list(islice(outcomes, len(each.messages)))
        except BaseException as fault:  # noqa: BLE001 - it is every thread's that waits
            for each in group:
                each.outcomes, each.fault = None, fault
        with self._lock:
            following = self._queue[0] if self._queue else None
            self._writing = following is not None
        for each in (*group, *([following] if following else [])):
            each.ready.set()

    def _written(self, messages: Sequence[KeyedMessage]) -> list[Outcome]:
        done: dict[int, Outcome] = {}
        codes: dict[int, str] = {}
        attempts = dict.fromkeys(range(len(messages)), 0)
        failures = 0
        while waiting := self._next(messages, done):
            failed = False
            for request in requests_of([messages[place] for place in waiting]):
                places = [waiting[number] for number in request]
                for place, answer in zip(places, self._send([messages[p] for p in places]), strict=True):
                    attempts[place] += 1
                    if isinstance(answer, StreamPlace):
                        done[place] = answer
                        continue
                    failed, codes[place] = True, answer
                    if is_terminal_code(answer) or attempts[place] >= self._attempts_max:
                        done[place] = _problem(answer)
            if failed and len(done) < len(messages):
                self._sleep(full_jitter(failures, BACKOFF_BASE_S, BACKOFF_MAX_S, self._draw))
                failures += 1
        return [done[place] for place in range(len(messages))]

    def _next(self, messages: Sequence[KeyedMessage], done: dict[int, Outcome]) -> list[int]:
        """Return the first message of each key that is not done; what follows one that failed is done with it."""
        first: dict[str, int] = {}
        failed: dict[str, ProblemError] = {}
        for place, (key, _) in enumerate(messages):
            outcome = done.get(place)
            if isinstance(outcome, ProblemError):
                failed.setdefault(key, outcome)
            elif outcome is None and key in failed:
                done[place] = failed[key]
            elif outcome is None:
                first.setdefault(key, place)
        return list(first.values())

    def _send(self, messages: Sequence[KeyedMessage]) -> Sequence[StreamPlace | str]:
        try:
            return place_records(self._client, self._stream, messages)
        except (BotoCoreError, ClientError) as error:
            return [error_code(error)] * len(messages)


def _problem(code: str) -> ProblemError:
    if code in _THROTTLED:
        return ProblemError("throttled", "the change stream takes no more events at present; send this one again later")
    return ProblemError("unavailable", f"the change stream did not take the event ({code}); send it again later")
