"""A store of objects whose process is killed before or after one of its changes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mdm_stream.errors import TransientError
from mdm_stream.objects.folder import FolderObjects


class StoreKilledError(TransientError):
    """The process was killed here."""


class KilledStore(FolderObjects):
    """A folder that is killed at the ``at``-th moment before or after a change, and at each one after that."""

    def __init__(self, path: Path, at: int) -> None:
        super().__init__(path)
        self._left = at

    def _tick(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise StoreKilledError("killed")

    def put(self, name: str, content: bytes) -> None:
        """Write, unless killed."""
        self._tick()
        super().put(name, content)
        self._tick()

    def create(self, name: str, content: bytes) -> bool:
        """Create, unless killed."""
        self._tick()
        created = super().create(name, content)
        self._tick()
        return created

    def delete(self, names: Iterable[str]) -> None:
        """Remove, unless killed."""
        self._tick()
        super().delete(names)
        self._tick()
