"""A lock file: one stack a state folder, held until the last of its processes is gone."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from mdm_stream.errors import ConfigurationError
from mdm_stream.files import private_opener

_RETRY_INTERVAL_S = 0.1


class StateLock:
    """An exclusive ``flock``. The kernel drops it when every process that inherited ``fd`` has ended, however."""

    def __init__(self, path: Path, wait_s: float) -> None:
        """Wait up to ``wait_s`` for processes of a killed stack to end."""
        self.fd = -1
        self._path = path
        self._wait_s = wait_s

    def __enter__(self) -> Self:
        try:
            self.fd = private_opener(str(self._path), os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise ConfigurationError(
                f"cannot write to the state folder {self._path.parent}: {error.strerror}; choose another one"
            ) from error
        deadline_s = time.monotonic() + self._wait_s
        while True:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = os.pread(self.fd, 32, 0).decode("ascii", "replace").strip()
                if time.monotonic() > deadline_s or _is_alive(holder):
                    os.close(self.fd)
                    raise ConfigurationError(
                        f"{self._path.parent} is in use by a stack that process {holder or 'unknown'} started: "
                        "stop it, or choose another state folder"
                    ) from None
                time.sleep(_RETRY_INTERVAL_S)
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.fd)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
