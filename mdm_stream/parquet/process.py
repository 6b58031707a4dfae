"""The process that reads Parquet, as the one that started it sees it: what it says is looked at, and none of it lasts.

Whatever becomes of that process (a crash, no memory, no end) is a fault of the file, and no harm to this one. It is
no other user, though: it is kept from accidents and from secrets of the environment, not from the machine.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, cast

import orjson

from mdm_stream.core.csv_form import COLUMNS_MAX
from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.parquet.frames import (
    BAD_CELLS,
    END,
    FAULT,
    FAULT_CODES,
    FRAME_BYTES,
    HEAD,
    MESSAGE_CHARS_MAX,
    NO_LIBRARY,
    READY,
    ROWS,
    ROWS_MAX,
    SCHEMA,
    BadCell,
    Cell,
    FaultCode,
    ParquetFault,
    damaged,
)

CHILD = "mdm_stream.parquet.child"
"""The module that is run. A test may name another one."""
ENVIRONMENT = ("LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE")
"""What the process gets of the environment: none of it is a secret."""
START_TIMEOUT_S = 60.0
"""Time in which it has to be there; a Lambda function of 256 MB has a seventh of a core."""
_FIXED = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # the others reserve address space, which is what is bounded
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "65536",  # large buffers go back at once; the bound would else grow with the largest
    "MALLOC_TRIM_THRESHOLD_": "131072",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_PIECE_BYTES = 1_048_576
_KILL_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class ParquetLimits:
    """The limits of one reading.

    ``page_bytes_max``: a page, decompressed. ``row_bytes_max``: a row in JSON. ``memory_bytes_max``: what the process
    may take beyond what the library takes when it is idle. ``timeout_s``: how long this process waits for that one,
    all in all.
    """

    page_bytes_max: int
    row_bytes_max: int
    memory_bytes_max: int
    timeout_s: float


class ParquetProcess:
    """Reads one file in a process that ends with its last row, with this object, and with the thread that made it."""

    def __init__(self, file: IO[bytes], limits: ParquetLimits) -> None:
        """Start it, and read the columns. ``file`` has to be one of the machine's, and may be closed afterwards.

        ``ParquetFault`` if they cannot be read; ``TransientError`` if no process could be started, and
        ``ConfigurationError`` if there is no library.
        """
        self._limits = limits
        self._left_s = START_TIMEOUT_S
        try:
            self._process = _started(file, limits)
        except OSError as error:
            raise TransientError(f"no process could be started to read Parquet: {error.strerror}") from error
        self.end = weakref.finalize(self, _end, self._process)
        """Ends the process; may be called again."""
        try:
            self._wait_until_ready()
            self._left_s = limits.timeout_s
            self.columns = _columns_of(self._frame((SCHEMA,))[1])
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def batches(self) -> Iterator[list[list[Cell]]]:
        """Yield the rows, some at a time, as columns of cells: those of ``columns`` that can be read. Once."""
        width = sum(1 for _, is_readable in self.columns if is_readable)
        try:
            while True:
                kind, content = self._frame((ROWS, END))
                if kind == END:
                    return
                yield _cells_of(content, width)
        finally:
            self.end()

    def _wait_until_ready(self) -> None:
        try:
            self._frame((READY,))
        except ParquetFault as fault:
            self.end()
            code = self._process.returncode
            if code == NO_LIBRARY:
                raise ConfigurationError("a file is Parquet: install mdm-stream[files] to read it") from fault
            said = f"the process that reads Parquet did not start within {START_TIMEOUT_S:g} s"
            raise TransientError(f"{said}, or ended with {code} before it read anything") from fault

    def _frame(self, wanted: tuple[bytes, ...]) -> tuple[bytes, bytes]:
        """Return the next frame, which has to be of one of the kinds; raise the fault that it says."""
        kind, size = HEAD.unpack(self._bytes(HEAD.size))
        if kind not in (*wanted, FAULT) or size > max(self._limits.row_bytes_max, FRAME_BYTES):
            raise damaged()
        content = self._bytes(size)
        if kind == FAULT:
            raise _fault_of(content)
        return kind, content

    def _bytes(self, size: int) -> bytes:
        pipe = self._process.stdout
        assert pipe is not None
        waiting = select.poll()
        waiting.register(pipe.fileno(), select.POLLIN | select.POLLHUP)
        found = bytearray()
        while len(found) < size:
            began_s = time.monotonic()
            is_there = waiting.poll(max(0.0, self._left_s) * 1_000)
            self._left_s -= time.monotonic() - began_s
            if not is_there:
                said = f"is damaged, or takes more than {self._limits.timeout_s:g} s to read; send it again, or as CSV"
                raise ParquetFault("broken_file", said)
            piece = os.read(pipe.fileno(), min(size - len(found), _PIECE_BYTES))
            if not piece:
                raise self._died()
            found += piece
        return bytes(found)

    def _died(self) -> ParquetFault:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_WAIT_S)
        code = self._process.returncode or 0
        how = signal.Signals(-code).name if -code in set(signal.Signals) else f"exit code {code}"
        said = f"is damaged, or has pages that are too large: reading it ended the process that read it ({how})"
        return ParquetFault("broken_file", f"{said}; send it again, or as CSV")


def _started(file: IO[bytes], limits: ParquetLimits) -> subprocess.Popen[bytes]:
    numbers = (os.getpid(), limits.page_bytes_max, limits.row_bytes_max, limits.memory_bytes_max)
    return subprocess.Popen(  # noqa: S603 - a module of this package
        [sys.executable, "-P", "-s", "-m", CHILD, *map(str, numbers)],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(os.environ),
        bufsize=0,
        start_new_session=True,
    )


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    kept = {name: own[name] for name in ENVIRONMENT if name in own}
    return {**kept, **_FIXED, "PYTHONPATH": os.pathsep.join(os.path.abspath(each) for each in sys.path if each)}  # noqa: PTH100


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    if process.stdout is not None:
        process.stdout.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_KILL_WAIT_S)


def _json_of(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except ValueError as error:
        raise damaged() from error


def _fault_of(content: bytes) -> ParquetFault:
    found = _json_of(content)
    if not (isinstance(found, list) and len(found) == 2 and all(isinstance(each, str) for each in found)):
        return damaged()
    code, message = found
    is_sound = code in FAULT_CODES and len(message) <= MESSAGE_CHARS_MAX and message.isascii() and message.isprintable()
    return ParquetFault(cast("FaultCode", code), message) if is_sound else damaged()


def _columns_of(content: bytes) -> tuple[tuple[str, bool], ...]:
    found = _json_of(content)
    if not isinstance(found, list) or len(found) > COLUMNS_MAX:
        raise damaged()
    for each in found:
        if not (isinstance(each, list) and len(each) == 2 and type(each[0]) is str and type(each[1]) is bool):
            raise damaged()
    return tuple((name, is_readable) for name, is_readable in found)


def _cells_of(content: bytes, width: int) -> list[list[Cell]]:
    found = _json_of(content)
    if not (isinstance(found, list) and len(found) == width and all(type(each) is list for each in found)):
        raise damaged()
    rows = len(found[0])
    if not 0 < rows <= ROWS_MAX or any(len(column) != rows for column in found):
        raise damaged()
    return [column if set(map(type, column)) == {str} else [_cell_of(each) for each in column] for column in found]


def _cell_of(found: Any) -> Cell:
    if type(found) is str:
        return found
    if type(found) is list and list(map(type, found)) == [str, str] and found[0] in BAD_CELLS:
        return BadCell(*found)
    raise damaged()
