"""A partition of positions 0..n-1 that only ever gets coarser (union-find with path halving)."""

from __future__ import annotations


class Partition:
    """Starts with every position on its own; the least position of a part is its root."""

    __slots__ = ("_parent",)

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, position: int) -> int:
        """Return the least position of the part that a position is in."""
        parent = self._parent
        while parent[position] != position:
            parent[position] = parent[parent[position]]
            position = parent[position]
        return position

    def join(self, a: int, b: int) -> None:
        """Make one part of the parts of two positions."""
        first, second = self.root(a), self.root(b)
        self._parent[max(first, second)] = min(first, second)
