"""Digests of rows, references and values in sorted arrays: 16 bytes each, where a Python set has some 150."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from producers.files.chunks import ROW_DIGEST_BYTES

COMPARED_ROWS = 65_536
"""Digests that are gathered at a time to be compared with their neighbours."""
_DIGEST = np.dtype(f"S{ROW_DIGEST_BYTES}")
"""Texts of one length: NumPy sorts and compares them by their bytes, in place."""
Flags = np.ndarray[Any, np.dtype[np.bool_]]


def digest_of_text(text: str) -> bytes:
    """Return the digest of a reference or a value."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=ROW_DIGEST_BYTES).digest()


def sorted_digests(digests: Iterable[bytes], *, distinct: bool = True) -> bytes:
    """Return digests one behind the other, sorted; ``distinct`` drops what is there twice."""
    return b"".join(sorted(set(digests) if distinct else digests))


class Digests:
    """The digests of many chunks: which texts are among them, and how many are there twice. In memory once."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        """Take digests of some chunks."""
        joined = bytearray()
        for part in parts:
            joined += part
        self._digests = np.frombuffer(joined, dtype=_DIGEST)
        self._digests.sort()

    def __len__(self) -> int:
        """Return how many there are, each time that one is there counted."""
        return len(self._digests)

    def __contains__(self, text: object) -> bool:
        """Tell whether the digest of a text is among them."""
        if not isinstance(text, str):
            return False
        wanted = np.frombuffer(digest_of_text(text), dtype=_DIGEST)
        (place,) = np.searchsorted(self._digests, wanted)
        return bool(place < len(self._digests) and self._digests[place] == wanted[0])

    @property
    def repeated(self) -> int:
        """How many are there beyond the first of their kind."""
        return int(np.count_nonzero(self._digests[1:] == self._digests[:-1]))


def repeated_rows(digests: bytes | bytearray) -> Flags:
    """Return, for each row of which the digest is given, whether an equal one comes later.

    Twelve bytes a row are in memory while they are sorted, beside the digests.
    """
    each = np.frombuffer(digests, dtype=_DIGEST)
    order = np.argsort(each, kind="stable")
    found = np.zeros(len(order), dtype=np.bool_)
    for begin in range(0, len(order) - 1, COMPARED_ROWS):
        part = order[begin : begin + COMPARED_ROWS + 1]
        gathered = each[part]
        found[part[:-1][gathered[1:] == gathered[:-1]]] = True
    return found
