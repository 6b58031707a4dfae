"""Damaged Parquet by the hundred: ``python forked_readers.py FILES SEED`` prints how many were rows or which fault.

Each is read by the code of the process that reads, in a copy of this one: a Python for each would take minutes.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
from collections import Counter

from file_damage import damaged_files

from mdm_stream.parquet import child, process
from mdm_stream.parquet.frames import READY, ParquetFault

LIMITS = process.ParquetLimits(1_000_000, 100_000, 64 * 1024 * 1024, 20.0)


class Forked:
    """A copy of this process that reads, with what a ``Popen`` has of it."""

    def __init__(self, file, limits) -> None:
        theirs, ours = os.pipe()
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(file.fileno(), 0)
            child._write_nothing_else()
            child.bound_memory(limits.memory_bytes_max)
            child._send(ours, READY)
            with open(0, "rb", closefd=False) as own:
                child._read(own, ours, child.ChildLimits(*limits_of(limits)))
            os._exit(0)
        os.close(ours)
        self.stdout = os.fdopen(theirs, "rb", buffering=0)

    def kill(self) -> None:
        """End it."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float) -> int:
        """Wait for its end."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode


def limits_of(limits: process.ParquetLimits) -> tuple[int, int, int]:
    """Return the limits as the reader has them."""
    return limits.page_bytes_max, limits.row_bytes_max, limits.memory_bytes_max


def main() -> None:
    """Read them all."""
    from pyarrow import parquet  # noqa: F401, PLC0415 - loaded before memory is bounded

    process._started = Forked
    found: Counter[str] = Counter()
    for content in damaged_files(random.Random(int(sys.argv[2])), int(sys.argv[1])):
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.seek(0)
            try:
                reading = process.ParquetProcess(file, LIMITS)
                for _ in reading.batches():
                    pass
                found["rows"] += 1
            except ParquetFault as fault:
                found["died" if "ended the process" in fault.message else fault.code] += 1
    sys.stdout.write(f"{dict(found)}\n")


if __name__ == "__main__":
    main()
