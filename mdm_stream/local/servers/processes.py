"""A small supervisor: starts child processes, starts them again when they crash, and stops them all.

Consumers may be restarted at any moment, because delivery is at least once.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from mdm_stream.errors import TerminalError
from mdm_stream.local.servers.children import log_tail, spawn, stop_process

_LOG = logging.getLogger(__name__)

_WATCH_INTERVAL_S = 0.05
_RESTART_WAIT_S = 0.2
_RESTART_WAIT_S_MAX = 5.0
_RESTART_DOUBLINGS_MAX = 10
_HEALTHY_S = 30.0
"""A child that has lived so long has recovered: its next crash is a first one again."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One process to keep alive. A child that ends with one of ``final_exit_codes`` is not started again."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] | None = None
    final_exit_codes: frozenset[int] = frozenset({0, 2})
    stop_timeout_s: float = 25.0


@dataclass(slots=True)
class _Child:
    spec: ChildSpec
    log: Path
    process: subprocess.Popen[bytes]
    started_s: float
    restarts: int = 0
    crashes_in_a_row: int = 0
    restart_at_s: float | None = None
    ended: bool = field(default=False)


class Supervisor:
    """Children by name, each logging to ``log_folder/NAME.log``. Use it as a context manager, or call ``stop``."""

    def __init__(self, log_folder: Path, *, keep_fds: Sequence[int] = ()) -> None:
        """``keep_fds`` are inherited by every child, such as a lock held as long as one of them lives."""
        self._log_folder = log_folder
        self._keep_fds = tuple(keep_fds)
        self._children: dict[str, _Child] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._watcher.start()

    def start(self, spec: ChildSpec) -> None:
        """Start a child and keep it alive. ``ValueError`` if the name is taken."""
        log = self._log_folder / f"{spec.name}.log"
        with self._lock:
            if spec.name in self._children:
                raise ValueError(f"a child named {spec.name!r} is there already")
            self._children[spec.name] = _Child(spec, log, self._spawn(spec, log), time.monotonic())

    def end(self, name: str) -> None:
        """Stop a child and forget it, so that another one may take its name; kill it if it does not stop in time."""
        with self._lock:
            child = self._children.pop(name)
        stop_process(child.process, child.spec.stop_timeout_s)

    def pid(self, name: str) -> int:
        """Return the process id that a child has now."""
        with self._lock:
            return self._children[name].process.pid

    def restarts(self, name: str) -> int:
        """Return how often a child has been started again."""
        with self._lock:
            return self._children[name].restarts

    def check(self) -> None:
        """Raise ``TerminalError`` if a child has ended for good, with the end of its log."""
        with self._lock:
            ended = [child for child in self._children.values() if child.ended]
        if ended:
            child = ended[0]
            raise TerminalError(
                f"{child.spec.name} ended with exit code {child.process.returncode} and cannot go on; "
                f"see {child.log}, which ends with:\n{log_tail(child.log)}"
            )

    def stop(self) -> None:
        """Stop all children, the last started first; kill what does not stop in its time. Idempotent."""
        self._stopping.set()
        if self._watcher is not threading.current_thread():
            self._watcher.join()
        with self._lock:
            for child in reversed(self._children.values()):
                stop_process(child.process, child.spec.stop_timeout_s)
                child.ended = False
            self._children.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self, spec: ChildSpec, log: Path) -> subprocess.Popen[bytes]:
        return spawn(spec.argv, log=log, environment=spec.environment, keep_fds=self._keep_fds)

    def _watch(self) -> None:
        while not self._stopping.wait(_WATCH_INTERVAL_S):
            with self._lock:
                for child in self._children.values():
                    self._look_after(child, time.monotonic())

    def _look_after(self, child: _Child, now_s: float) -> None:
        if child.ended or child.process.poll() is None:
            return
        if child.restart_at_s is None:
            self._note_exit(child, now_s)
        elif now_s >= child.restart_at_s:
            child.process = self._spawn(child.spec, child.log)
            child.started_s, child.restart_at_s = now_s, None
            child.restarts += 1

    def _note_exit(self, child: _Child, now_s: float) -> None:
        code = child.process.returncode
        if code in child.spec.final_exit_codes:
            child.ended = True
            _LOG.error("%s ended with exit code %d and is not started again; see %s", child.spec.name, code, child.log)
            return
        if now_s - child.started_s > _HEALTHY_S:
            child.crashes_in_a_row = 0
        wait_s = min(_RESTART_WAIT_S_MAX, _RESTART_WAIT_S * 2**child.crashes_in_a_row)
        child.crashes_in_a_row = min(child.crashes_in_a_row + 1, _RESTART_DOUBLINGS_MAX)
        child.restart_at_s = now_s + wait_s
        _LOG.warning(
            "%s ended with exit code %d; starting it again in %.1f s (log: %s)",
            child.spec.name, code, wait_s, child.log,
        )  # fmt: skip
