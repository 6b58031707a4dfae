"""The process that reads Parquet: a file on standard input, frames on standard output.

``python -m mdm_stream.parquet.child PARENT_PID PAGE_BYTES_MAX ROW_BYTES_MAX MEMORY_BYTES_MAX``

The library is written in C++, and what it does with a damaged file may end the process, take all memory or never end.
So the process ends with its parent, may take so much memory beyond what the library itself takes, writes no file (a
core dump would hold values), and says nothing but frames: what the library prints goes nowhere.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from mdm_stream.core.csv_form import COLUMNS_MAX
from mdm_stream.parquet.frames import (
    END,
    FAULT,
    FRAME_BYTES,
    HEAD,
    NO_LIBRARY,
    NO_PARENT,
    READY,
    ROWS,
    SCHEMA,
    Cell,
    ParquetFault,
    damaged,
)
from mdm_stream.parquet.pages import batch_rows

_READ_AHEAD_BYTES = 65_536
_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG, from linux/prctl.h."""


class ChildLimits(NamedTuple):
    """What reading may cost: a page decompressed, a row as JSON, and memory beyond that of the idle library."""

    page_bytes_max: int
    row_bytes_max: int
    memory_bytes_max: int


def main(argv: list[str]) -> int:
    """Read the file on standard input; return the exit code."""
    parent_pid, limits = int(argv[1]), ChildLimits(*map(int, argv[2:5]))
    if not _ends_with(parent_pid):
        return NO_PARENT
    out = os.dup(1)
    _write_nothing_else()
    sys.modules["numpy"] = None  # type: ignore[assignment]  # the library does without where it finds none
    try:
        import pyarrow as pa  # noqa: PLC0415 - its lack is told
        import pyarrow.parquet  # noqa: PLC0415 - loaded before memory is bounded

        from mdm_stream.parquet import values  # noqa: PLC0415, F401 - the same
    except ModuleNotFoundError:
        return NO_LIBRARY
    finally:
        del sys.modules["numpy"]
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    bound_memory(limits.memory_bytes_max)
    try:
        _send(out, READY)
        with open(0, "rb", closefd=False) as file:
            _read(file, out, limits)
    except BrokenPipeError:
        return NO_PARENT
    return 0


def bound_memory(more_bytes: int) -> None:
    """Let the process take so many bytes more than it has; beyond that an allocation fails. Linux only."""
    with suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + more_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _ends_with(parent_pid: int) -> bool:
    """Let the kernel end the process when the thread that started it ends; tell whether the parent is there."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
        with suppress(OSError):  # where memory runs out all the same, this process is the one to end
            Path("/proc/self/oom_score_adj").write_text("1000")
    return os.getppid() == parent_pid


def _write_nothing_else() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    for each in (1, 2):
        os.dup2(nothing, each)
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(limit, (0, 0))


def _send(out: int, kind: bytes, content: bytes = b"") -> None:
    rest = memoryview(HEAD.pack(kind, len(content)) + content)
    while rest:
        rest = rest[os.write(out, rest) :]


def _read(file: IO[bytes], out: int, limits: ChildLimits) -> None:
    """Send what a file holds, and why it cannot be read if so."""
    try:
        for kind, content in _frames(file, limits):
            _send(out, kind, content)
    except ParquetFault as fault:
        _send(out, FAULT, orjson.dumps([fault.code, fault.message]))
    except BrokenPipeError:
        raise
    except MemoryError:
        said = f"takes more than {limits.memory_bytes_max:,} bytes of memory to read; write it with smaller pages"
        _send(out, FAULT, orjson.dumps(["giant_part", said]))
    except Exception:  # noqa: BLE001 - whatever the library makes of damaged bytes
        found = damaged()
        _send(out, FAULT, orjson.dumps([found.code, found.message]))


def _frames(file: IO[bytes], limits: ChildLimits) -> Iterator[tuple[bytes, bytes]]:
    from pyarrow import parquet  # noqa: PLC0415 - in this process alone

    from mdm_stream.parquet.values import reader_of_type  # noqa: PLC0415 - the same

    found = parquet.ParquetFile(file, pre_buffer=False)
    rows = _batch_rows(found, file, limits)
    file.seek(0)
    source = parquet.ParquetFile(file, pre_buffer=False, buffer_size=_READ_AHEAD_BYTES)
    fields = [(field.name, reader_of_type(field.type)) for field in source.schema_arrow]
    schema = orjson.dumps([[name, reader is not None] for name, reader in fields])
    if len(schema) > limits.row_bytes_max:
        raise ParquetFault("giant_line", f"has a header of more than {limits.row_bytes_max:,} bytes")
    yield SCHEMA, schema
    readers = {name: reader for name, reader in fields if reader is not None}
    if readers:
        for batch in source.iter_batches(batch_size=rows, columns=list(readers), use_threads=False):
            columns = [list(reader(batch.column(name))) for name, reader in readers.items()]
            for content in row_frames(columns, limits.row_bytes_max):
                yield ROWS, content
    yield END, b""


def _batch_rows(found: Any, file: IO[bytes], limits: ChildLimits) -> int:
    metadata = found.metadata
    if metadata.num_columns > COLUMNS_MAX or len(found.schema_arrow) > COLUMNS_MAX:
        raise ParquetFault("too_many_columns", f"has more than {COLUMNS_MAX:,} columns")
    groups = range(metadata.num_row_groups)
    columns = ([metadata.row_group(group).column(place) for group in groups] for place in range(len(metadata.schema)))
    return batch_rows(file, columns, limits.page_bytes_max)


def row_frames(columns: list[list[Cell]], row_bytes_max: int) -> Iterator[bytes]:
    """Yield the contents of frames with rows, of about ``FRAME_BYTES`` each; one of a single row may have more.

    ``ParquetFault`` for a row of more than ``row_bytes_max`` bytes.
    """
    rows, chars = len(columns[0]), sum(map(_chars, columns))
    if rows == 0:
        return
    if rows == 1 or chars <= FRAME_BYTES:
        content = orjson.dumps(columns, default=list) if chars <= row_bytes_max else b""
        if content and len(content) <= (row_bytes_max if rows == 1 else max(row_bytes_max, FRAME_BYTES)):
            yield content
            return
        if rows == 1:
            raise ParquetFault("giant_line", f"has a row of more than {row_bytes_max:,} bytes")
    parts = min(rows, max(2, -(-chars // FRAME_BYTES)))
    for part in range(parts):
        begin, end = rows * part // parts, rows * (part + 1) // parts
        yield from row_frames([column[begin:end] for column in columns], row_bytes_max)


def _chars(column: list[Cell]) -> int:
    if all(type(cell) is str for cell in column):
        return sum(map(len, column))
    return sum(len(cell if isinstance(cell, str) else cell.written) for cell in column)


if __name__ == "__main__":
    os._exit(main(sys.argv))
