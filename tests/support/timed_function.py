"""A function of the resolve consumer whose time is short, warm or at its start, with what it is connected to.

The real handler on a real Redis, which is silent when its process is stopped: it accepts connections and calls, and
never answers.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from end_state import stream_records
from function_servers import function_servers

from mdm_stream.archive import Archive, open_archive
from mdm_stream.archive.rows import delivery_of
from mdm_stream.core.reference import resolve
from mdm_stream.decode import Decoder
from mdm_stream.local.event_source.mapping import FunctionContext, ShardRecord, kinesis_event
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.servers.redis import RedisServer
from mdm_stream.local.stack import GOLDEN_STREAM
from mdm_stream.rules import load_rulesets

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/mdm-changes"
MODULE = "consumers.resolve.handler"
REDIS_TIMEOUT_S, AWS_TIMEOUT_S = 0.3, 0.6
EVENTS = 20
ENDPOINT = "cache.example.org"


class TimedWorld:
    """A warm function, with what it is connected to."""

    def __init__(self, module: Any, redis: RedisServer, kinesis: KinesisServer, archive: Archive) -> None:
        self.module, self.redis, self.kinesis, self.archive = module, redis, kinesis, archive
        self.sent = 0

    def batch(self) -> dict[str, Any]:
        """An event of new records, some of which match."""
        records = []
        for _ in range(EVENTS):
            self.sent += 1
            raw = orjson.dumps(
                {
                    "domain": "person",
                    "source": "crm",
                    "record_id": str(self.sent),
                    "op": "upsert",
                    "version": 1,
                    "event_time": "2026-01-01T00:00:00Z",
                    "attributes": {"given_name": "Ann", "email": f"a{self.sent // 2}@example.org"},
                }
            )
            records.append(ShardRecord(str(self.sent).zfill(56), "key", raw, time.time()))
        return kinesis_event(records, "shardId-000000000000", ARN)

    def call(self, event: dict[str, Any], left_s: float) -> tuple[int | None, float]:
        """Invoke the function; return the place of the first record that it names, and how long it took."""
        began_s = time.monotonic()
        response = self.module.handler(event, FunctionContext("resolve", timeout_s=left_s))
        took_s = time.monotonic() - began_s
        named = [each["itemIdentifier"] for each in response["batchItemFailures"]]
        numbers = [each["kinesis"]["sequenceNumber"] for each in event.get("Records", [])]
        return (numbers.index(named[0]) if named else None), took_s

    @contextmanager
    def silent_stream(self) -> Iterator[None]:
        """Kinesis and S3 take what is sent to them, and answer nothing."""
        os.kill(self.kinesis.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.kinesis.pid, signal.SIGCONT)

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Redis takes what is sent to it, and answers nothing."""
        os.kill(self.redis.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.redis.pid, signal.SIGCONT)

    def disconnect(self) -> None:
        """Let the function connect anew."""
        self.module.resolver._domains["person"].index._client.opened().connection_pool.disconnect()

    def archived(self) -> set[str]:
        """The records of which the archive has a row."""
        return {ref for row in self.archive.read_new("person", set()) for ref in row.refs}

    def require_all(self) -> None:
        """Nothing is lost: archive, index and feed are those of everything that was sent."""
        assert self.archived() == {f"crm/{number}" for number in range(1, self.sent + 1)}
        rules = load_rulesets(["person"])["person"]
        decoder = Decoder({"person": rules})
        events = [event for row in self.archive.read_new("person", set()) for event in decoder.decode(delivery_of(row))]
        parts = self.module.resolver._domains["person"]
        assert parts.index.snapshot() == resolve(rules, events)
        assert parts.outbox.read(1) == []
        feed = [orjson.loads(each["Data"]) for each in stream_records(self.kinesis.client(), GOLDEN_STREAM)]
        sequences = {each["data"]["sequence"] for each in feed}
        assert sequences == set(range(1, max(sequences) + 1))


@contextmanager
def timed_functions() -> Iterator[Callable[..., TimedWorld]]:
    """Return what starts a function, in a namespace and with other settings where they are named.

    The servers are those of all; one that was started before answers no more.
    """
    with function_servers(GOLDEN_STREAM) as servers:
        s3 = servers.kinesis.client("s3")
        s3.create_bucket(Bucket="kept")

        def begin(namespace: str = "main", **more: str) -> TimedWorld:
            settings = {
                "MDM_REDIS_TIMEOUT_S": str(REDIS_TIMEOUT_S),
                "MDM_AWS_TIMEOUT_S": str(AWS_TIMEOUT_S),
                "MDM_GOLDEN_STREAM": GOLDEN_STREAM,
                "MDM_ARCHIVE_URL": (servers.folder / "archive" / namespace).as_uri(),
                "MDM_NAMESPACE": namespace,
                "MDM_CHANGES_STREAM": "mdm-changes",
            } | more
            archive = open_archive(settings["MDM_ARCHIVE_URL"], s3_client=s3)
            return TimedWorld(servers.start(MODULE, settings), servers.redis, servers.kinesis, archive)

        yield begin


@contextmanager
def deaf_addresses(count: int) -> Iterator[tuple[Sequence[str], int]]:
    """Return addresses of loopback, and a port, at which no connection is ever made: their queues are full."""
    with ExitStack() as stack:
        addresses, port = [f"127.0.0.{2 + number}" for number in range(count)], 0
        for address in addresses:
            listening = stack.enter_context(socket.socket())
            listening.bind((address, port))
            listening.listen(0)
            port = listening.getsockname()[1]
            for _ in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex((address, port))
        yield addresses, port


class Endpoint:
    """A name whose addresses are those that it was last given."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.addresses: list[tuple[str, int]] = []
        self._asked = socket.getaddrinfo
        patch.setattr(socket, "getaddrinfo", self._found)

    def _found(self, host: Any, port: Any, *more: Any, **named: Any) -> Any:
        if host != ENDPOINT:
            return self._asked(host, port, *more, **named)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", each) for each in self.addresses]


@contextmanager
def on_a_port(path: Path) -> Iterator[int]:
    """Return a port of 127.0.0.1 that leads to a server on a Unix socket."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def forward(source: socket.socket, target: socket.socket) -> None:
            try:
                while data := source.recv(65_536):
                    target.sendall(data)
            except OSError:
                pass
            finally:
                target.close()

        def accept() -> None:
            while True:
                try:
                    near, _ = listening.accept()
                except OSError:
                    return
                far = socket.socket(socket.AF_UNIX)
                far.connect(str(path))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=forward, args=pair, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listening.getsockname()[1]
