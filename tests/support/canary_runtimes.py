"""Both runtimes as the canary meets them: a function of Lambda and a shard's process of the KCL, each in its process.

Whatever such a process writes (its log, its metrics, what it answers, the segments of its traces) is looked through
after every path, so that a find says by which path the value came.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from canary_faults import FAULT_FILE, RUNTIME, faults_of
from canary_process import KCL, TRACE
from canary_values import Search
from multilang_daemon import DaemonDouble
from otlp_receiver import OtlpReceiver

PROCESS = Path(__file__).with_name("canary_process.py")
FAULT_S = 0.25
"""How long a fault lasts that a process of the KCL outlives."""
STOP_S = 20
_DATAGRAM_BYTES_MAX = 65_535


class TraceDaemon:
    """Takes segments as the daemon of X-Ray does, over UDP on loopback."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self._socket.getsockname())
        self._taken: list[bytes] = []
        self.segments = 0
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def take(self) -> bytes:
        """Return what has come since the last time."""
        time.sleep(0.005)
        taken, self._taken = self._taken, []
        self.segments += len(taken)
        return b"\n".join(taken)

    def close(self) -> None:
        """Take nothing more."""
        self._socket.close()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                self._taken.append(self._socket.recv(_DATAGRAM_BYTES_MAX))


@dataclass(slots=True)
class Runtime:
    """What every process has: a name, its environment, files for its log and for the fault of the moment."""

    name: str
    folder: Path
    environment: Mapping[str, str]
    search: Search
    traces: TraceDaemon
    spans: OtlpReceiver
    paths: list[str] = field(default_factory=list)
    _read_bytes: int = 0

    @property
    def log(self) -> Path:
        """Where stdout and stderr go."""
        return self.folder / f"{self.name}.log"

    @property
    def faults(self) -> Sequence[str]:
        """The names of the faults that it can meet."""
        return sorted(faults_of(self.name))

    def all_settings(self) -> dict[str, str]:
        """Return its environment."""
        self.fail("")
        own = {FAULT_FILE: str(self._fault_file), RUNTIME: self.name, "AWS_XRAY_DAEMON_ADDRESS": self.traces.address}
        lambdas = {} if self.name == KCL else {"LAMBDA_TASK_ROOT": str(self.folder), "_X_AMZN_TRACE_ID": TRACE}
        own |= {"OTEL_EXPORTER_OTLP_ENDPOINT": self.spans.endpoint, "MDM_DEPLOYMENT": "canary"}
        settings = {**self.environment, **own, **lambdas, "POWERTOOLS_LOG_LEVEL": "DEBUG"}
        settings.pop("POWERTOOLS_TRACE_DISABLED", None)
        return settings

    def fail(self, fault: str) -> None:
        """Have a fault happen from now on, or none."""
        self._fault_file.write_text(fault, "utf-8")

    def gone(self, path: str, answer: bytes = b"") -> None:
        """Note a path, and look through all that was written since the last one."""
        self.paths.append(path)
        with self.log.open("rb") as log:
            log.seek(self._read_bytes)
            written = log.read()
        self._read_bytes += len(written)
        self.search.look(f"{self.name}: log and metrics", path, written)
        self.search.look(f"{self.name}: traces", path, self.traces.take())
        self.search.look(f"{self.name}: spans", path, self.spans.take())
        self.search.look(f"{self.name}: answers and errors", path, answer)

    @property
    def _fault_file(self) -> Path:
        return self.folder / f"{self.name}.fault"


@dataclass(slots=True)
class Function(Runtime):
    """A function of Lambda."""

    module: str = ""
    _process: subprocess.Popen[str] | None = None
    errors: int = 0

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(PROCESS), self.module],
                env=self.all_settings(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_S)
        process.stdout.close()
        self.gone("end of the process")

    def call(self, path: str, event: Mapping[str, Any], *, fault: str = "", left_s: float = 60.0) -> dict[str, Any]:
        """Invoke the function, perhaps with a fault, and return what came of it: ``answer``, or ``error``."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        self.fail(fault)
        process.stdin.write(json.dumps({"event": event, "left_s": left_s}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        self.fail("")
        self.gone(path, line.encode())
        if not line:
            raise AssertionError(f"{self.name} ended: {self.log.read_text('utf-8')[-3_000:]}")
        told: dict[str, Any] = json.loads(line)
        self.errors += "error" in told
        return told


@dataclass(slots=True)
class ShardRuntime(Runtime):
    """A shard's process of the KCL, which is started again when it has ended."""

    daemon: DaemonDouble | None = None
    ends: int = 0

    def __enter__(self) -> Self:
        self.daemon = DaemonDouble(self.all_settings(), self.log, (sys.executable, str(PROCESS), KCL))
        self.daemon.start()
        return self

    def __exit__(self, *_: object) -> None:
        daemon = self.daemon
        assert daemon is not None
        daemon.close()
        said = repr([daemon.checkpoints, daemon.strays]).encode()
        self.gone("end of the process", said)

    def hand(self, path: str, records: Sequence[Mapping[str, Any]], *, fault: str = "", lasts: bool = False) -> None:
        """Hand records over while something fails: for a moment, or until the process ends."""
        daemon = self.daemon
        assert daemon is not None
        self.fail(fault)
        mended = threading.Timer(FAULT_S, self.fail, [""])
        if fault and not lasts:
            mended.start()
        alive = daemon.process_records(records)
        mended.cancel()
        self.fail("")
        self._look_at_health(path)
        if alive:
            self.gone(path)
            return
        self.ends += 1
        daemon.ended()
        self.gone(path)
        daemon.start()

    def act(self, action: str, **more: Any) -> None:
        """Have the daemon ask for something else than records."""
        assert self.daemon is not None
        self.daemon.act(action, **more)
        self.gone(action)

    def _look_at_health(self, path: str) -> None:
        for file in Path(self.environment["MDM_KCL_HEALTH_FOLDER"]).rglob("*"):
            self.search.look(f"{self.name}: health files", path, str(file).encode() + b"\n" + file.read_bytes())
