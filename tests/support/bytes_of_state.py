"""Every byte under a stack's state folder, and every text that is packed in them: for finding what should be gone."""

from __future__ import annotations

import base64
import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq

_GZIP = b"\x1f\x8b"
SCANS_MAX = 10
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{24,}={0,2}")


def places_with(state: Path, needles: Sequence[str]) -> dict[str, set[str]]:
    """Return, for each needle that is anywhere, the top folders (or the files, without an ending) that it is in.

    A file that its server removes meanwhile may have gone into one that was read before: then all is read again.
    """
    for _ in range(SCANS_MAX):
        with suppress(FileNotFoundError):
            return _scan(state, needles)
    raise AssertionError("files came and went during every scan")


def _scan(state: Path, needles: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in sorted(path for path in state.rglob("*") if path.is_file()):
        for content in unpacked(path):
            for needle in needles:
                if needle.encode() in content:
                    found.setdefault(needle, set()).add(path.relative_to(state).parts[0].partition(".")[0])
    return found


def unpacked(path: Path) -> Iterator[bytes]:
    """Yield a file as it is, unzipped, by its rows, and what is in it as base64, twice over, unzipped too."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:  # put under its name, or replaced, since it was listed
        return
    yield content
    if path.suffix == ".gz":
        content = gzip.decompress(content)
        yield content
    elif path.suffix == ".parquet":
        for row in pq.read_table(path).to_pylist():
            yield b" ".join(value if isinstance(value, bytes) else str(value).encode() for value in row.values())
    if not path.name.startswith("warehouse"):
        yield from _inside(content, depth=2)


def _inside(content: bytes, depth: int) -> Iterator[bytes]:
    for packed in _BASE64.findall(content) if depth else ():
        text = packed.rstrip(b"=")
        decoded = base64.b64decode(text + b"=" * (-len(text) % 4) if len(text) % 4 != 1 else text[:-1])
        yield decoded
        if decoded.startswith(_GZIP):
            with suppress(zlib.error):
                yield zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(decoded)  # as far as it goes
        yield from _inside(decoded, depth - 1)
