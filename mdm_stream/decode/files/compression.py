"""Compressed files as they are read: gzip and zstd, of one part or several, expanded no further than limits allow.

Nothing a file says of its own size is believed. What comes out is counted as it comes, in pieces of bounded size.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, Protocol

from mdm_stream.decode.files.file_faults import unreadable
from mdm_stream.decode.files.read_limits import ReadLimits
from mdm_stream.errors import ConfigurationError

Compression = Literal["gzip", "zstd"]

PIECE_BYTES = 262_144
"""Bytes that come of one step."""
FED_BYTES = 32_768
"""Bytes that go into one: what a part leaves over is copied, and a file may be made of nothing but small parts."""
ZSTD_WINDOW_LOG_MAX = 25
"""A file that was compressed with a window of more than 2^25 bytes (32 MB) is refused: that much memory it costs."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = tuple(bytes((0x50 + each, 0x2A, 0x4D, 0x18)) for each in range(16))
_GZIP_WINDOW_BITS = 31


class _Expander(Protocol):
    """Expands one part (a gzip member, a zstd frame) in pieces."""

    @property
    def eof(self) -> bool:
        """Whether the part has ended."""

    @property
    def unused_data(self) -> bytes:
        """What stands behind its end."""

    def piece(self, data: bytes) -> bytes:
        """Return some of what ``data``, and what was held back of earlier data, expands to."""

    @property
    def holds_back(self) -> bool:
        """Whether more comes without further data."""


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_GZIP_WINDOW_BITS)

    def piece(self, data: bytes) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, PIECE_BYTES)

    @property
    def holds_back(self) -> bool:
        return bool(self._inner.unconsumed_tail)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


class _Zstd:
    def __init__(self, library: Any) -> None:
        limits = {library.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG_MAX}
        self._inner = library.ZstdDecompressor(options=limits)

    def piece(self, data: bytes) -> bytes:
        expanded: bytes = self._inner.decompress(data, PIECE_BYTES)
        return expanded

    @property
    def holds_back(self) -> bool:
        return not self._inner.eof and not self._inner.needs_input

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)


def compression_of(beginning: bytes) -> Compression | None:
    """Return how a file that begins so is compressed."""
    if beginning.startswith(_GZIP):
        return "gzip"
    return "zstd" if beginning.startswith((_ZSTD, *_SKIPPABLE)) else None


def decompressed(pieces: Iterable[bytes], compression: Compression, limits: ReadLimits) -> Iterator[bytes]:
    """Yield the bytes that a compressed file expands to; ``UnreadableFileError`` if it is damaged or a bomb.

    Behind the last part nothing may stand but zero bytes, as tapes and some tools leave them.
    """
    make, faults = _expanders(compression)
    taken = given = 0
    part: _Expander | None = None
    try:
        for piece in _fed(pieces):
            taken += len(piece)
            data = piece
            while data or (part is not None and part.holds_back):
                if part is None:
                    if not data.strip(b"\0"):
                        break
                    part = make()
                expanded = part.piece(data)
                data = b""
                if part.eof:
                    data, part = part.unused_data, None
                given += len(expanded)
                _check(given, taken, limits)
                if expanded:
                    yield expanded
    except faults as error:
        raise unreadable("broken_file", _said(compression, error)) from error
    if part is not None:
        raise unreadable("broken_file", f"is cut short: its {compression} data ends in the middle")


def _fed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for at in range(0, len(piece), FED_BYTES):
            yield piece[at : at + FED_BYTES]


def _expanders(compression: Compression) -> tuple[Callable[[], _Expander], type[Exception]]:
    if compression == "gzip":
        return _Gzip, zlib.error
    try:
        from backports import zstd  # noqa: PLC0415 - needed for files that are compressed so
    except ModuleNotFoundError as error:
        raise ConfigurationError("a file is compressed by zstd: install mdm-stream[files] to read it") from error
    return lambda: _Zstd(zstd), zstd.ZstdError


def _said(compression: Compression, error: Exception) -> str:
    if "memory" in str(error).lower() or "window" in str(error).lower():
        size = 1 << (ZSTD_WINDOW_LOG_MAX - 20)
        return f"was compressed with a window of more than {size} MB; compress it without --long and --ultra"
    return f"is damaged: its {compression} data cannot be expanded; send it again"


def _check(given: int, taken: int, limits: ReadLimits) -> None:
    if given > limits.decompressed_bytes_max:
        said = f"expands to more than {limits.decompressed_bytes_max:,} bytes; split it"
        raise unreadable("decompression_limit", said)
    if given > limits.ratio_bytes_min and given > taken * limits.decompressed_ratio_max:
        said = f"expands to more than {limits.decompressed_ratio_max} times its size; send it plain if it is right"
        raise unreadable("decompression_limit", said)
