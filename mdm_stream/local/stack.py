"""The whole stack on one machine: Redis, AWS APIs, streams, and consumers in processes of their own.

Everything lives under one state folder and survives a restart, SIGKILL of every process included:
``redis/`` and ``kinesis/`` (data), ``checkpoints/``, ``status/`` (counters), ``logs/`` and ``lock``. The folder is its
user's alone, and so is the stack: Redis listens in the folder, and the API asks for keys that only its processes have.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from mdm_stream.aws.loopback import loopback_environment
from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.files import claim_folder
from mdm_stream.local.event_source.checkpoints import SHARD_END, read_positions
from mdm_stream.local.event_source.mapping import EventSource
from mdm_stream.local.event_source.queue import QueueSource
from mdm_stream.local.housekeeping import Housekeeping
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.servers.processes import ChildSpec, Supervisor
from mdm_stream.local.servers.redis import Program, RedisServer
from mdm_stream.local.state_lock import StateLock

CHANGES_STREAM = "mdm-changes"
STEWARD_STREAM = "mdm-steward"
GOLDEN_STREAM = "mdm-golden"

_LOG = logging.getLogger(__name__)
_IDLE_POLL_INTERVAL_S = 0.1


@dataclass(frozen=True, slots=True)
class ConsumerSpec:
    """One consumer process: a Lambda handler (``package.module:function``) and the stream that calls it.

    ``environment`` is added to the local AWS environment that every consumer gets. See ``EventSource`` and
    ``PollerOptions`` for the rest.
    """

    name: str
    handler: str
    stream: str
    event_source: EventSource = field(default_factory=EventSource)
    environment: Mapping[str, str] = field(default_factory=dict)
    concurrency: int = 1
    poll_interval_s: float = 0.1
    tick_s: float | None = None


@dataclass(frozen=True, slots=True)
class QueueConsumerSpec:
    """A Lambda handler that a queue calls, in ``processes`` of its own: no more than its maximum concurrency.

    The queue's visibility timeout should be longer than ``function_timeout_s``. ``environment`` as a ``ConsumerSpec``.
    """

    name: str
    handler: str
    queue_url: str
    source: QueueSource = field(default_factory=QueueSource)
    environment: Mapping[str, str] = field(default_factory=dict)
    processes: int = 2
    function_timeout_s: float = 60.0

    @property
    def names(self) -> list[str]:
        """The names of its processes."""
        return [f"{self.name}-{n}" for n in range(1, min(self.processes, self.source.maximum_concurrency) + 1)]


@dataclass(frozen=True, slots=True)
class StackOptions:
    """``streams`` maps each stream to its shards. ``keep_records`` is how many records of a shard are kept when all
    consumers are past them; a stream without consumers is never trimmed.
    """

    streams: Mapping[str, int] = field(default_factory=lambda: {CHANGES_STREAM: 2, STEWARD_STREAM: 1, GOLDEN_STREAM: 1})
    redis_program: Program = "auto"
    keep_records: int = 100_000
    trim_interval_s: float = 60.0
    lock_wait_s: float = 30.0


class LocalStack:
    """A running stack: ``with LocalStack(folder) as stack: stack.start_consumer(...)``. Only one a state folder.

    ``start`` and ``stop`` are idempotent, and a stopped stack may be started again. Consumers start with
    ``start_consumer``, after the servers, so that their environment can name the addresses.
    """

    def __init__(self, state_dir: Path, options: StackOptions | None = None) -> None:
        self._named_dir = state_dir
        self.state_dir = state_dir.resolve()
        self.options = options or StackOptions()
        self._parts: ExitStack | None = None
        self._consumers: dict[str, ConsumerSpec] = {}

    def start(self) -> Self:
        """Start the servers and make the streams.

        ``ConfigurationError`` if another stack holds the folder or another user can reach it, ``TransientError`` if a
        server does not start.
        """
        if self._parts is not None:
            return self
        self._make_state_dir()
        logs = self.state_dir / "logs"
        with ExitStack() as parts:
            lock = parts.enter_context(StateLock(self.state_dir / "lock", self.options.lock_wait_s))
            # Every process inherits the lock, so that no new stack opens the data while an old server still writes.
            fds = (lock.fd,)
            self.redis = parts.enter_context(
                RedisServer(
                    self.state_dir / "redis",
                    program=self.options.redis_program,
                    log=logs / "redis.log",
                    keep_fds=fds,
                )
            )
            self.kinesis = parts.enter_context(
                KinesisServer(self.state_dir / "kinesis", log=logs / "kinesis.log", keep_fds=fds)
            )
            self._client = self.kinesis.client("kinesis")
            self._make_streams()
            self._supervisor = parts.enter_context(Supervisor(logs, keep_fds=fds))
            parts.enter_context(Housekeeping(self.trim, self.options.trim_interval_s))
            self._parts = parts.pop_all()
        return self

    def stop(self) -> None:
        """Stop consumers, then Kinesis, then Redis; what does not stop in time is killed. State stays."""
        if self._parts is not None:
            parts, self._parts = self._parts, None
            self._consumers.clear()
            parts.close()

    def start_consumer(self, spec: ConsumerSpec) -> None:
        """Start a consumer process; it is started again whenever it crashes."""
        if spec.stream not in self.options.streams:
            raise ConfigurationError(f"there is no stream {spec.stream!r} for the consumer {spec.name!r}")
        command = [
            sys.executable, "-P", "-m", "mdm_stream.local.consumer",
            "--handler", spec.handler,
            "--stream", spec.stream,
            "--endpoint", self.kinesis.endpoint_url,
            "--checkpoints", str(self._checkpoint_file(spec)),
            "--event-source", spec.event_source.to_json(),
            "--function-name", spec.name,
            "--concurrency", str(spec.concurrency),
            "--poll-interval", str(spec.poll_interval_s),
            "--status", str(self.state_dir / "status" / f"{spec.name}.json"),
            *(() if spec.tick_s is None else ("--tick", str(spec.tick_s))),
        ]  # fmt: skip
        self._supervisor.start(ChildSpec(spec.name, command, self._environment(spec.name, spec.environment)))
        self._consumers[spec.name] = spec

    def start_server(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start another process that is kept alive as a consumer is; what it asks of AWS meets this stack."""
        inherited = loopback_environment(self.kinesis.endpoint_url, self.kinesis.keys, os.environ)
        self._supervisor.start(ChildSpec(name, command, inherited | dict(environment)))

    def start_queue_consumer(self, spec: QueueConsumerSpec) -> None:
        """Start the processes of a queue's consumer; each is started again whenever it crashes."""
        for name in spec.names:
            command = [
                sys.executable, "-P", "-m", "mdm_stream.local.queue_consumer",
                "--handler", spec.handler,
                "--queue", spec.queue_url,
                "--endpoint", self.kinesis.endpoint_url,
                "--event-source", spec.source.to_json(),
                "--function-name", spec.name,
                "--function-timeout", str(spec.function_timeout_s),
                "--status", str(self.state_dir / "status" / f"{name}.json"),
            ]  # fmt: skip
            self._supervisor.start(ChildSpec(name, command, self._environment(spec.name, spec.environment)))

    def replace_consumer(self, spec: ConsumerSpec) -> None:
        """Stop a consumer and start another one in its place, as a deployment does: it goes on at the checkpoints."""
        self._supervisor.end(spec.name)
        self.start_consumer(spec)

    def consumer(self, name: str) -> ConsumerSpec:
        """Return what a consumer was started as."""
        return self._consumers[name]

    def consumer_pid(self, name: str) -> int:
        """Return the process id that a consumer has now."""
        return self._supervisor.pid(name)

    def consumer_restarts(self, name: str) -> int:
        """Return how often a consumer has been started again."""
        return self._supervisor.restarts(name)

    def consumer_status(self, name: str) -> dict[str, Any]:
        """Return a consumer's counters (see ``poller.Counters``), at most a second old; nothing before the first."""
        try:
            status: dict[str, Any] = orjson.loads((self.state_dir / "status" / f"{name}.json").read_bytes())
        except FileNotFoundError:
            return {}
        return status

    def wait_idle(self, timeout_s: float) -> None:
        """Wait until every consumer has done all records of its stream, in the order in which they were started.

        A consumer that writes to the stream of a later one has written all of it before its own records count as
        done, so one pass in that order is enough. ``TransientError`` on time-out, ``TerminalError`` if a consumer
        or server has ended for good.
        """
        deadline_s = time.monotonic() + timeout_s
        for spec in list(self._consumers.values()):
            while not self._has_done_all(spec):
                self.check()
                if time.monotonic() > deadline_s:
                    raise TransientError(f"{spec.name} has not come to the end of {spec.stream} in {timeout_s:g} s")
                time.sleep(_IDLE_POLL_INTERVAL_S)

    def check(self) -> None:
        """Raise if a server has died or a consumer cannot go on."""
        for name, server in (("Redis", self.redis), ("the Kinesis API", self.kinesis)):
            if not server.running:
                raise TransientError(f"{name} has stopped: see {self.state_dir / 'logs'}, and start the stack again")
        self._supervisor.check()

    def trim(self) -> int:
        """Forget records that every consumer of their stream has done and ``keep_records`` newer ones cover."""
        dropped = 0
        for stream in self.options.streams:
            consumers = [spec for spec in self._consumers.values() if spec.stream == stream]
            if consumers:
                positions = [read_positions(self._checkpoint_file(spec), stream) for spec in consumers]
                through = {
                    shard_id: str(min(int(each[shard_id]) for each in positions))
                    for shard_id in positions[0]
                    if all(each.get(shard_id, SHARD_END) != SHARD_END for each in positions)
                }
                dropped += self.kinesis.trim(stream, through, self.options.keep_records)
        return dropped

    def _environment(self, name: str, added: Mapping[str, str]) -> dict[str, str]:
        inherited = loopback_environment(self.kinesis.endpoint_url, self.kinesis.keys, os.environ)
        return inherited | {"AWS_LAMBDA_FUNCTION_NAME": name} | dict(added)

    def _make_state_dir(self) -> None:
        """Make the state folder, for its owner alone: all that was ever published is in it."""
        try:
            self.state_dir, was_open = claim_folder(self._named_dir)
        except PermissionError as error:
            raise ConfigurationError(
                f"the state folder {self._named_dir} is refused: {error.strerror}; choose another one with --state"
            ) from error
        except OSError as error:
            raise ConfigurationError(
                f"cannot make the state folder {self._named_dir}: {error.strerror}; choose another one with --state"
            ) from error
        if was_open:
            _LOG.warning("the state folder %s was open to other users; it and all in it is closed now", self.state_dir)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _make_streams(self) -> None:
        known = _stream_names(self._client)
        for stream, shards in self.options.streams.items():
            if stream in known:
                continue
            self._client.create_stream(StreamName=stream, ShardCount=shards)
            # A new stream counts from 1 again. Positions of one that was lost would pass its first records over.
            for leftover in (self.state_dir / "checkpoints").glob(f"*@{stream}.json"):
                leftover.unlink()

    def _checkpoint_file(self, spec: ConsumerSpec) -> Path:
        return self.state_dir / "checkpoints" / f"{spec.name}@{spec.stream}.json"

    def _has_done_all(self, spec: ConsumerSpec) -> bool:
        """Whether nothing lies behind the checkpoint in any shard."""
        try:
            positions = read_positions(self._checkpoint_file(spec), spec.stream)
            for shard in self._client.list_shards(StreamName=spec.stream)["Shards"]:
                position = positions.get(shard["ShardId"])
                if position != SHARD_END and self._holds_more(spec, shard["ShardId"], position):
                    return False
        except (ClientError, BotoCoreError) as error:
            raise TransientError(f"the streams cannot be read: {type(error).__name__}") from error
        return True

    def _holds_more(self, spec: ConsumerSpec, shard_id: str, position: str | None) -> bool:
        place: dict[str, str] = {"ShardIteratorType": "TRIM_HORIZON"}
        if position is not None:
            place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": position}
        iterator = self._client.get_shard_iterator(StreamName=spec.stream, ShardId=shard_id, **place)["ShardIterator"]
        return bool(self._client.get_records(ShardIterator=iterator, Limit=1)["Records"])


def _stream_names(client: Any) -> set[str]:
    found: list[str] = []
    request: dict[str, Any] = {}
    while True:
        page = client.list_streams(**request)
        found += page["StreamNames"]
        if not page["HasMoreStreams"]:
            return set(found)
        request["ExclusiveStartStreamName"] = found[-1]
