"""Every call to Redis and Kinesis may go wrong, at a call that the schedule names: before, after, halfway, or late.

The Redis behind the calls is a real one, and so are the commands that reach it. Kinesis is stood in for by a list on
the same Redis behind the one call that the publisher makes: the real API costs milliseconds a call, which thousands of
schedules cannot afford. The end-to-end tests have that.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import redis
from botocore.exceptions import ClientError, ReadTimeoutError
from torture.lockstep import Baton, FreeRun, Killed

KINDS = (
    "refuse",  # an error; nothing took effect
    "lose reply",  # a time-out; it did take effect
    "late",  # a time-out; it takes effect some calls later, when the worker may long have tried again
    "cut",  # an error after the first commands of a pipeline; or a put of which some records are refused
    "delay",  # nothing but time: the others go on for some turns
    "forget scripts",  # the server lost its script cache, as by a restart; the call is made
    "full",  # Redis is at its memory limit, Kinesis at its throughput: nothing took effect
    "kill before",  # the worker dies, and nothing took effect
    "kill after",  # the worker dies, and it did take effect
    "kill within",  # the worker dies, and a first part took effect
)
"""What can happen at a call."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens ``gap`` calls after the previous fault; ``size`` says how late, long or far into it."""

    gap: int
    kind: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One call in three forms: all of it, some of it (``size`` says how much), and the error that a fault shows as.

    A part may have a reply of its own, which says what was refused; ``None`` if its caller sees an error.
    """

    whole: Callable[[], Any]
    part: Callable[[int], Any]
    error: Callable[[str], Exception]


@dataclass(slots=True)
class Weather:
    """Decides what each call of all workers meets. One call at a time goes through it, in the baton's order.

    ``calls`` counts them, ``met`` the faults by kind. With ``dying`` a kill is a real one: of this process. ``look`` is
    called after each.
    """

    faults: Sequence[Fault]
    baton: Baton | FreeRun
    client: redis.Redis
    dying: bool = False
    look: Callable[[], None] = lambda: None
    calls: int = 0
    met: Counter[str] = field(default_factory=Counter)
    _coming: Iterator[Fault] = field(init=False)
    _next: Fault | None = field(init=False)
    _gap: int = field(init=False, default=0)
    _late: list[tuple[int, Callable[[], Any]]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        """Look out for the first fault."""
        self._coming = iter(self.faults)
        self._next = next(self._coming, None)

    def pass_through(self, worker: int, call: Call) -> Any:
        """Make a worker's call when its turn has come, or whatever the schedule has in its place."""
        self.baton.take(worker)
        self.calls += 1
        self.let_late_ones_through(self.calls)
        try:
            return self._meet(worker, call, self._due())
        finally:
            self.look()

    def let_late_ones_through(self, now: int | None = None) -> None:
        """Let calls take effect whose caller has given up on them: those due by call number ``now``, or all."""
        due = [effect for at, effect in self._late if now is None or at <= now]
        self._late = [(at, effect) for at, effect in self._late if now is not None and at > now]
        for effect in due:
            with contextlib.suppress(redis.RedisError):  # nobody is left to be told
                effect()

    def _meet(self, worker: int, call: Call, fault: Fault | None) -> Any:
        if fault is None:
            return call.whole()
        self.met[fault.kind] += 1
        if fault.kind == "delay":
            for _ in range(fault.size):
                self.baton.take(worker)
            return call.whole()
        if fault.kind == "forget scripts":
            self.client.script_flush()
            return call.whole()
        return self._broken(call, fault)

    def _due(self) -> Fault | None:
        fault = self._next
        if fault is None or self._gap < fault.gap:
            self._gap += 1
            return None
        self._next, self._gap = next(self._coming, None), 0
        return fault

    def _broken(self, call: Call, fault: Fault) -> Any:
        if fault.kind in ("lose reply", "kill after"):
            call.whole()
        elif fault.kind in ("cut", "kill within"):
            reply = call.part(fault.size)
            if fault.kind == "cut" and reply is not None:
                return reply
        elif fault.kind == "late":
            self._late.append((self.calls + fault.size, call.whole))
        if not fault.kind.startswith("kill"):
            raise call.error(fault.kind)
        if self.dying:
            os.kill(os.getpid(), signal.SIGKILL)
        raise Killed


class FaultyRedis:
    """One worker's Redis client: the real one behind the weather."""

    def __init__(self, client: redis.Redis, weather: Weather, worker: int, seed: int) -> None:
        self._client = client
        self._weather = weather
        self._worker = worker
        self._randomness = random.Random(seed)

    def pipeline(self, **options: bool) -> FaultyPipeline:
        """Return a pipeline that meets the weather when it is sent."""
        return FaultyPipeline(self._client.pipeline(**options), self._pass_through)

    def srandmember(self, key: str, number: int) -> list[bytes]:
        """Draw members of a set with the schedule's dice in place of the server's, so that it can be repeated."""

        def draw() -> list[bytes]:
            members: list[bytes] = sorted(self._client.smembers(key))  # type: ignore[arg-type, type-var]
            return self._randomness.sample(members, min(number, len(members)))

        result: list[bytes] = self._pass_through(draw, lambda _: None)
        return result

    def __getattr__(self, name: str) -> Callable[..., Any]:
        command = getattr(self._client, name)
        return lambda *words, **options: self._pass_through(lambda: command(*words, **options), lambda _: None)

    def _pass_through(self, whole: Callable[[], Any], part: Callable[[int], Any]) -> Any:
        return self._weather.pass_through(self._worker, Call(whole, part, _redis_error))


class FaultyPipeline:
    """A pipeline that is one call when it is sent, and may be cut after any of its commands."""

    def __init__(self, pipe: Any, pass_through: Callable[[Callable[[], Any], Callable[[int], Any]], Any]) -> None:
        self._pipe = pipe
        self._pass_through = pass_through

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipe, name)

    def execute(self, **options: bool) -> Any:
        """Send it all, or not."""

        def part(size: int) -> None:
            stack = self._pipe.command_stack
            self._pipe.command_stack = stack[: size % (len(stack) + 1)]
            self._pipe.execute(raise_on_error=False)

        return self._pass_through(lambda: self._pipe.execute(**options), part)


def _redis_error(kind: str) -> Exception:
    if kind in ("lose reply", "late"):
        return redis.TimeoutError(kind)
    if kind == "full":
        return redis.exceptions.OutOfMemoryError(kind)
    return redis.ConnectionError(kind)


_THROTTLED = "ProvisionedThroughputExceededException"

FEED_KEY = "feed"
"""Where the stand-in of the golden feed keeps what it accepted: a list of ``[partition key, message]``."""


class FaultyKinesis:
    """One worker's Kinesis client: ``put_records`` behind the weather, and a Redis list behind that."""

    def __init__(self, client: redis.Redis, weather: Weather, worker: int) -> None:
        self._client = client
        self._weather = weather
        self._worker = worker

    def put_records(self, *, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Take all records, none, or some and refuse the rest, as PutRecords does."""

        def put(records: list[dict[str, Any]]) -> None:
            entries = [orjson.dumps([record["PartitionKey"], record["Data"].decode()]) for record in records]
            if entries:
                self._client.rpush(FEED_KEY, *entries)

        def whole() -> dict[str, Any]:
            put(Records)
            return {"FailedRecordCount": 0, "Records": [{"SequenceNumber": "0"} for _ in Records]}

        def part(size: int) -> dict[str, Any]:
            taken = range(len(Records))[size % 2 :: 2]
            put([Records[i] for i in taken])
            results = [
                {"SequenceNumber": "0"} if i in taken else {"ErrorCode": _THROTTLED} for i in range(len(Records))
            ]
            return {"FailedRecordCount": len(Records) - len(taken), "Records": results}

        return self._weather.pass_through(self._worker, Call(whole, part, _kinesis_error))  # type: ignore[no-any-return]


def _kinesis_error(kind: str) -> Exception:
    if kind in ("lose reply", "late"):
        return ReadTimeoutError(endpoint_url="kinesis")
    return ClientError({"Error": {"Code": _THROTTLED, "Message": kind}}, "PutRecords")
