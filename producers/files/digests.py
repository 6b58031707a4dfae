"""Digests of rows, references and values in sorted arrays: 16 bytes each, where a Python set has some 150."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from producers.files.chunks import ROW_DIGEST_BYTES

_PAIR = np.dtype([("high", ">u8"), ("low", ">u8")])
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Halves = np.ndarray[Any, np.dtype[np.uint64]]


def digest_of_text(text: str) -> bytes:
    """Return the digest of a reference or a value."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=ROW_DIGEST_BYTES).digest()


def sorted_digests(digests: Iterable[bytes], *, distinct: bool = True) -> bytes:
    """Return digests one behind the other, sorted; ``distinct`` drops what is there twice."""
    return b"".join(sorted(set(digests) if distinct else digests))


class Digests:
    """The digests of many chunks: which texts are among them, and how many are there twice."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        """Take digests of some chunks."""
        joined = bytearray()
        for part in parts:
            joined += part
        high, low = _halves(joined)
        order = np.lexsort((low, high))
        self._high, self._low = high[order], low[order]

    def __len__(self) -> int:
        """Return how many there are, each time that one is there counted."""
        return len(self._high)

    def __contains__(self, text: object) -> bool:
        """Tell whether the digest of a text is among them."""
        if not isinstance(text, str):
            return False
        high, low = (half[0] for half in _halves(digest_of_text(text)))
        first, behind = np.searchsorted(self._high, high, "left"), np.searchsorted(self._high, high, "right")
        return bool((self._low[first:behind] == low).any())

    @property
    def repeated(self) -> int:
        """How many are there beyond the first of their kind."""
        return int(np.count_nonzero((self._high[1:] == self._high[:-1]) & (self._low[1:] == self._low[:-1])))


def repeated_rows(digests: bytes | bytearray) -> Flags:
    """Return, for each row of which the digest is given, whether an equal one comes later."""
    high, low = _halves(digests)
    order = np.lexsort((low, high))
    equal = (high[order[1:]] == high[order[:-1]]) & (low[order[1:]] == low[order[:-1]])
    found = np.zeros(len(order), dtype=np.bool_)
    found[order[:-1][equal]] = True
    return found


def _halves(digests: bytes | bytearray) -> tuple[Halves, Halves]:
    pairs = np.frombuffer(digests, dtype=_PAIR)
    return pairs["high"].astype(np.uint64), pairs["low"].astype(np.uint64)
