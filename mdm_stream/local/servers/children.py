"""Child processes that hear no Ctrl-C of the terminal, and that do not outlive their parent.

Each child leads a session of its own: the terminal's SIGINT reaches only the parent, which then stops its children
in the order that keeps work whole.
"""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mdm_stream.files import PRIVATE_UMASK, make_folder, open_private

_LAUNCHER = Path(__file__).with_name("launch.py")
_LOG_TAIL_BYTES_MAX = 2_000
_KILL_WAIT_S = 5.0


def spawn(
    argv: Sequence[str],
    *,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    keep_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a command with its output appended to ``log`` (discarded without one), and return its process.

    The process id is the command's own. ``environment`` is the whole environment (by default the parent's);
    ``keep_fds`` are file descriptors that the child inherits, such as a lock that must be held as long as it lives.
    A program that does not exist shows as exit code 127 and a line in the log. Whatever the child writes is readable
    by its user alone.
    """
    # Linux ties the death signal to the thread that forked, not to the process, so that a child started from a
    # short-lived thread would die with it. One thread that lives as long as the process starts all of them.
    return _spawning_thread(os.getpid()).submit(_fork, argv, log, environment, keep_fds).result()


def stop_process(process: subprocess.Popen[bytes], timeout_s: float) -> int:
    """Ask a child to stop (SIGTERM), kill it after ``timeout_s``, and return its exit code. Idempotent."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_KILL_WAIT_S)
    return int(process.returncode)


def log_tail(log: Path) -> str:
    """Return the last lines of a log for an error message, or an empty text."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _LOG_TAIL_BYTES_MAX))
            return file.read().decode("utf-8", "replace").strip()
    except OSError:
        return ""


@functools.cache
def _spawning_thread(pid: int) -> ThreadPoolExecutor:
    """One thread a process; keyed by pid, because a forked copy of this process has lost its threads."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"spawn-{pid}")


def _fork(
    argv: Sequence[str], log: Path | None, environment: Mapping[str, str] | None, keep_fds: Sequence[int]
) -> subprocess.Popen[bytes]:
    with contextlib.ExitStack() as files:
        output: int = subprocess.DEVNULL
        if log is not None:
            make_folder(log.parent)
            output = files.enter_context(open_private(log, "ab")).fileno()
        return subprocess.Popen(  # noqa: S603 - every command is built by this package
            [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            pass_fds=tuple(keep_fds),
            start_new_session=True,
            umask=PRIVATE_UMASK,
        )
