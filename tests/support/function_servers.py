"""What a Lambda function is connected to in a test, and the function itself at its cold start, in this process."""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mdm_stream.aws.loopback import loopback_environment
from mdm_stream.local.kinesis.server import KinesisServer
from mdm_stream.local.servers.redis import RedisServer


@dataclass(slots=True)
class FunctionServers:
    """A real Redis at a socket of ``folder``, where it comes back after a restart, and a real API of Kinesis and S3."""

    folder: Path
    redis: RedisServer
    kinesis: KinesisServer
    _patch: pytest.MonkeyPatch
    _started: set[str] = field(default_factory=set)

    def start(self, module: str, settings: Mapping[str, str]) -> Any:
        """Return the module of a handler, imported anew with these settings; an earlier one answers no more."""
        common = {
            "MDM_RULES": "person",
            "MDM_REDIS_URL": f"unix://{self.folder}/redis.sock",
            "MDM_KINESIS_ENDPOINT_URL": self.kinesis.endpoint_url,
            "MDM_QUARANTINE_URL": (self.folder / "quarantine").as_uri(),
        }
        loopback = loopback_environment(self.kinesis.endpoint_url, self.kinesis.keys, {})
        for name, value in {**loopback, **common, **settings}.items():
            self._patch.setenv(name, value)
        self.forget(module)
        self._started.add(module)
        return importlib.import_module(module)

    def forget(self, *modules: str) -> None:
        """Have modules imported anew next time: these, or all that were started."""
        for module in modules or self._started:
            sys.modules.pop(module, None)


@contextmanager
def function_servers(stream: str) -> Iterator[FunctionServers]:
    """Start the servers, with a stream of one shard."""
    with (
        tempfile.TemporaryDirectory(prefix="mdm-e2e-") as short,  # a socket's path has 100 characters at most
        RedisServer(Path(short) / "redis", socket_path=Path(short) / "redis.sock") as redis_server,
        KinesisServer() as kinesis,
        pytest.MonkeyPatch.context() as patch,
    ):
        kinesis.client().create_stream(StreamName=stream, ShardCount=1)
        servers = FunctionServers(Path(short), redis_server, kinesis, patch)
        yield servers
        servers.forget()
