"""A map that may be larger than memory: exact, whatever its bound, in time linear in what is added.

Values of one key are merged. Once the entries in memory weigh more than the bound, all of them go to files, divided by
a digest of their keys, and in the end each file is read as a map of its own, which is divided again if it is too large.
The files have no names: what they hold is gone with the process, also if it is killed.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import blake2b
from typing import IO, Any, Generic, Self, TypeVar

from mdm_stream.errors import TerminalError

Entry = TypeVar("Entry")

PARTS = 64
"""Files of one map: what is 64 times as large as the bound is written once, 4,096 times as large twice."""

_BITS = 6
_LEVELS_MAX = 10
"""A digest of 64 bits says ten times where an entry goes."""

assert 2**_BITS == PARTS


class SpilledMap(Generic[Entry]):
    """Merges entries by their keys. ``merge`` must commute and associate; it may change and return its first argument.

    ``weigh`` estimates the bytes that an entry takes in memory, of which there are no more than ``bytes_max`` but for
    the last one added.
    """

    def __init__(
        self,
        merge: Callable[[Entry, Entry], Entry],
        weigh: Callable[[str, Entry], int],
        bytes_max: int,
        *,
        level: int = 0,
    ) -> None:
        self._merge = merge
        self._weigh = weigh
        self._bytes_max = bytes_max
        self._level = level
        self._entries: dict[str, Entry] = {}
        self._bytes = 0
        self._files: list[IO[bytes]] = []
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give memory and disk back."""
        self._entries = {}
        self._opened.close()

    @property
    def held(self) -> int:
        """How many entries are in memory now."""
        return len(self._entries)

    def add(self, key: str, entry: Entry) -> None:
        """Merge an entry into that of its key. ``TerminalError`` if the disk does not take what memory cannot."""
        before = self._entries.get(key)
        if before is not None:
            self._bytes -= self._weigh(key, before)
            entry = self._merge(before, entry)
        self._entries[key] = entry
        self._bytes += self._weigh(key, entry)
        if self._bytes > self._bytes_max and self._level < _LEVELS_MAX:
            self._spill()

    def items(self) -> Iterator[tuple[str, Entry]]:
        """Yield every key with its merged entry, once: the map is empty afterwards."""
        if not self._files:
            entries, self._entries = self._entries, {}
            yield from entries.items()
            return
        self._spill()
        for file in self._files:
            part: SpilledMap[Entry] = SpilledMap(self._merge, self._weigh, self._bytes_max, level=self._level + 1)
            with part:
                for spilled in _read(file):
                    for key, entry in spilled:
                        part.add(key, entry)
                file.close()
                yield from part.items()

    def _spill(self) -> None:
        divided: list[list[tuple[str, Entry]]] = [[] for _ in range(PARTS)]
        for key, entry in self._entries.items():
            divided[_part_of(key, self._level)].append((key, entry))
        self._entries, self._bytes = {}, 0
        try:
            if not self._files:
                files = [tempfile.TemporaryFile() for _ in range(PARTS)]  # noqa: SIM115 - closed with the map
                self._files = [self._opened.enter_context(file) for file in files]
            for file, entries in zip(self._files, divided, strict=True):
                if entries:
                    pickle.dump(entries, file, pickle.HIGHEST_PROTOCOL)
                    file.flush()
        except OSError as error:
            raise TerminalError(
                f"the folder for temporary files does not take what memory cannot hold ({error.strerror}); "
                "name one with more room in TMPDIR"
            ) from error


def _part_of(key: str, level: int) -> int:
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (_BITS * level) & (PARTS - 1)


def _read(file: IO[bytes]) -> Iterator[list[tuple[str, Any]]]:
    file.seek(0)
    while True:
        try:
            entries = pickle.load(file)  # noqa: S301 - written above, and by nothing else
        except EOFError:
            return
        yield entries
