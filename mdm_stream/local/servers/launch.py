"""Become a command that does not outlive the process that started it.

``python -I -S launch.py PARENT_PID PROGRAM [ARGUMENT...]`` asks the kernel for a SIGTERM when the parent dies
(Linux only; elsewhere the parent's own clean-up is all there is), then turns into PROGRAM under the same process id.
Doing this in a fresh interpreter instead of ``preexec_fn`` keeps it safe in a parent that has threads.
The file imports nothing of the package, so that it starts in milliseconds and needs no search path.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From linux/prctl.h. The request survives ``execve``."""

EXIT_NOT_STARTED = 127
"""What a shell returns for a program that it cannot run."""


def main(argv: list[str]) -> int:
    """Return only if the command could not be started."""
    parent_pid, command = int(argv[1]), argv[2:]
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        # The parent may have died before the request was made; nobody would tell us then.
        if os.getppid() != parent_pid:
            return EXIT_NOT_STARTED
    try:
        os.execvp(command[0], command)  # noqa: S606 - the caller chose the command; there is no shell
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error.strerror}\n")
    return EXIT_NOT_STARTED


if __name__ == "__main__":
    sys.exit(main(sys.argv))
