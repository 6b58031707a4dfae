"""The journal of the local Kinesis API: what was accepted, one JSON object a line, in the order of acceptance.

Durability: a line is handed to the operating system before the request that it belongs to is answered, so every
answered request survives SIGKILL of the server; it is synced to disk once a second, so a power cut can cost the last
second (Redis' ``everysec``). Lines that the cut left torn at the end are dropped at the next start: nobody was told
that they were accepted. Anything else that cannot be read stops the start with an error, and nothing is overwritten.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from mdm_stream.errors import ConfigurationError
from mdm_stream.files import make_folder, private_opener

JournalEntry = dict[str, Any]
"""One line. ``op`` is ``create`` (stream, shards), ``delete`` (stream), ``put`` (stream, shard, sequence, key, data
as base64, hash_key, arrived_us) or ``last`` (stream, shard, sequence: numbers up to here were given away)."""

_SYNC_INTERVAL_S = 1.0


class Journal:
    """An append-only file. One writer a file: the caller holds a lock over ``append`` and ``rewrite``."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; reading it comes first: ``entries``, then ``append``."""
        make_folder(path.parent)
        self._path = path
        self._fd = private_opener(str(path), os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self._descriptor = threading.Lock()
        self._dirty = False
        self._closing = threading.Event()
        self._syncer = threading.Thread(target=self._sync_regularly, name="journal-sync", daemon=True)
        self._syncer.start()

    def entries(self) -> Iterator[JournalEntry]:
        """Yield every whole line; cut off a torn one at the end. ``ConfigurationError`` for any other damage."""
        offset = 0
        with self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                try:
                    entry = orjson.loads(line)
                except orjson.JSONDecodeError:
                    if file.read(1):
                        raise ConfigurationError(
                            f"{self._path} is damaged at byte {offset}: restore it from a copy, or delete its folder "
                            "to start with empty streams"
                        ) from None
                    break
                yield entry
                offset += len(line)
        os.ftruncate(self._fd, offset)

    def append(self, entries: Iterable[JournalEntry]) -> None:
        """Write entries as one block. On return they survive the death of this process. ``OSError`` if they do not."""
        _write_all(self._fd, _lines(entries))
        self._dirty = True

    def rewrite(self, entries: Iterable[JournalEntry]) -> None:
        """Replace the whole content, atomically: after a crash the file holds either the old or the new."""
        draft = self._path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        fd = private_opener(str(draft), os.O_RDWR | os.O_CREAT | os.O_APPEND)
        for entry in entries:
            _write_all(fd, _lines([entry]))
        os.fsync(fd)
        draft.replace(self._path)
        _sync_folder(self._path.parent)
        with self._descriptor:
            os.close(self._fd)
            self._fd = fd

    def sync(self) -> None:
        """Wait until what was appended is on disk."""
        with self._descriptor:
            os.fsync(self._fd)

    def close(self) -> None:
        """Sync and close. Idempotent."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._syncer.join()
        self.sync()
        os.close(self._fd)

    def _sync_regularly(self) -> None:
        while not self._closing.wait(_SYNC_INTERVAL_S):
            if self._dirty:
                self._dirty = False
                self.sync()


def _lines(entries: Iterable[JournalEntry]) -> bytes:
    return b"".join(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE) for entry in entries)


def _write_all(fd: int, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
