"""The bytes of a file, cut anywhere, to its physical lines with their line ends, in linear time."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

from mdm_stream.decode.files.csv_dialect import CsvDialect
from mdm_stream.errors import ConfigurationError

LINE_BYTES_MAX = 64 * 1024 * 1024
"""A longer line is no event file's: reading on would fill the memory."""


class LineTooLongError(ConfigurationError):
    """A line that is no row: its end is further away than any row is long."""


def iter_lines(pieces: Iterable[bytes], dialect: CsvDialect, line_bytes_max: int = LINE_BYTES_MAX) -> Iterator[bytes]:
    """Yield the lines of a file whose bytes are ``pieces``; ``LineTooLongError`` for one that is far too long."""
    end = dialect.end_bytes
    rest: list[bytes] = []
    rest_bytes = number = 0
    for piece in pieces:
        data = piece
        if rest:
            if not _ends_in(rest_bytes, rest[-1], piece, end):
                rest.append(piece)
                rest_bytes += len(piece)
                _check(rest_bytes, number + 1, line_bytes_max)
                continue
            data = b"".join((*rest, piece))
        lines = _split(data, end)
        number += len(lines) - 1
        yield from lines[:-1]
        rest, rest_bytes = ([lines[-1]] if lines[-1] else []), len(lines[-1])
        _check(rest_bytes, number + 1, line_bytes_max)
    if rest:
        yield b"".join(rest)


def _ends_in(before_bytes: int, before: bytes, piece: bytes, end: bytes) -> bool:
    """Tell whether a line that has so many bytes already ends in a piece, or across its beginning."""
    odd = before_bytes % len(end)
    return (odd > 0 and before[-1:] + piece[:1] == end) or _find(piece, end, 0, odd) >= 0


def _find(data: bytes, end: bytes, at: int, odd: int) -> int:
    """Return where a line end is, -1 if there is none: not the half of one character and the first of the next."""
    at = data.find(end, at)
    while at >= 0 and (at + odd) % len(end):
        at = data.find(end, at + 1)
    return at


def lines_in(record: bytes, end: bytes) -> int:
    """Return how many lines a record is made of."""
    if len(end) == 1:
        return record.count(end) + (not record.endswith(end))
    lines = _split(record, end)
    return len(lines) - (not lines[-1])


def _split(data: bytes, end: bytes) -> list[bytes]:
    """Return the lines of some bytes; the last item is what stands after the last line end, and may be empty."""
    if end == b"\n":
        lines = io.BytesIO(data).readlines()
        return lines if lines and not lines[-1].endswith(end) else [*lines, b""]
    if len(end) == 1:
        *whole, last = data.split(end)
        return [*(line + end for line in whole), last]
    lines, start = [], 0
    while (at := _find(data, end, start, 0)) >= 0:
        lines.append(data[start : at + len(end)])
        start = at + len(end)
    return [*lines, data[start:]]


def _check(line_bytes: int, number: int, line_bytes_max: int) -> None:
    if line_bytes > line_bytes_max:
        raise LineTooLongError(f"line {number:,} has more than {line_bytes_max:,} bytes; it is no row")
