"""How far one epoch of an index has come: read from the index, and kept by the archive as the epoch's witness."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class EpochPosition:
    """An epoch, the stamp of its last commit (``clock``) and the sequence number of its last change on the golden feed.

    All three only grow, the epoch before all else. A position that the archive keeps is a *witness*: an index that is
    behind its witness has lost something that was done.
    """

    epoch: int
    clock: int
    sequence: int
