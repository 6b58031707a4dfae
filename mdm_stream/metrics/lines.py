"""Lines of logs that are metrics, added up: the logs of processes that go on writing, or what comes through a pipe."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mdm_stream.metrics.emf import samples_of
from mdm_stream.metrics.totals import MetricTotals

LINE_BYTES_MAX = 1024**2
"""A longer line is no line of metrics: CloudWatch takes a quarter of it."""
_READ_BYTES = 4 * 1024**2
"""Bytes of one log that one look reads."""
_JOIN_S = 5.0


def add_line(totals: MetricTotals, line: bytes) -> None:
    """Add what a line says; nothing where it is no line of metrics, or one that CloudWatch would drop."""
    if b'"_aws"' in line:
        with suppress(ValueError):
            totals.add(samples_of(line))


class LogFollower:
    """Follows the logs of a folder from where they end now."""

    def __init__(self, folder: Path, totals: MetricTotals) -> None:
        """Take the folder of the files ``*.log``, which may be absent yet."""
        self._folder = folder
        self._totals = totals
        self._read = {log: log.stat().st_size for log in folder.glob("*.log")}

    def look(self) -> None:
        """Add what was written since the last time; the rest of much with the next look."""
        for log in sorted(self._folder.glob("*.log")):
            with suppress(OSError), log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                begin = self._read.get(log, 0)
                begin = file.seek(begin if begin <= size else 0)  # one that is shorter now was begun anew
                found = file.read(_READ_BYTES)
                lines, newline, rest = found.rpartition(b"\n")
                for line in lines.split(b"\n") if newline else ():
                    add_line(self._totals, line)
                self._read[log] = begin + (len(found) if len(rest) > LINE_BYTES_MAX else len(found) - len(rest))


@contextmanager
def counted_pipe(totals: MetricTotals, log: BinaryIO) -> Iterator[int]:
    """Yield a file descriptor for the output of processes: all of it is passed on to ``log``, and metrics are added.

    A log that cannot be written any more stops no process: what is written there is lost.
    """
    reading, writing = os.pipe()
    pump = threading.Thread(target=_pump, args=(reading, log, totals), name="metrics", daemon=True)
    pump.start()
    try:
        yield writing
    finally:
        os.close(writing)
        pump.join(_JOIN_S)  # a process that outlives this one holds the pipe open


def _pump(reading: int, log: BinaryIO, totals: MetricTotals) -> None:
    with os.fdopen(reading, "rb") as lines:
        while line := lines.readline(LINE_BYTES_MAX):
            with suppress(OSError, ValueError):
                log.write(line)
                log.flush()
            add_line(totals, line)
