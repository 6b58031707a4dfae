"""Where a consumer stands in each shard of its stream, kept in one small JSON file."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import orjson

from mdm_stream.errors import ConfigurationError
from mdm_stream.files import write_atomically

SHARD_END = "SHARD_END"
"""The position in a closed shard whose last record is done (KCL's word)."""

_FORMAT = 1


class Checkpoints:
    """Positions by shard id: the sequence number up to which every record is done, or ``SHARD_END``. Thread-safe.

    ``set`` is cheap and in memory; ``save`` writes the file if anything changed. A position that was not saved before
    a crash means that its records are delivered again, never that any is lost.
    """

    def __init__(self, path: Path, stream: str) -> None:
        """Load the file if there is one. ``ConfigurationError`` if it cannot be used for this stream."""
        self._path = path
        self._stream = stream
        self._lock = threading.Lock()
        self._positions = read_positions(path, stream)
        self._changed = False

    def get(self, shard_id: str) -> str | None:
        """Return a shard's position, or None if nothing of it is done."""
        with self._lock:
            return self._positions.get(shard_id)

    def set(self, shard_id: str, position: str) -> None:
        """Note a shard's new position."""
        with self._lock:
            if self._positions.get(shard_id) != position:
                self._positions[shard_id] = position
                self._changed = True

    def save(self) -> None:
        """Write what changed, atomically and durably: after a crash the file holds the old or the new positions."""
        with self._lock:
            if not self._changed:
                return
            content = {"format": _FORMAT, "stream": self._stream, "shards": self._positions}
            write_atomically(self._path, orjson.dumps(content, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2))
            self._changed = False

    def as_dict(self) -> Mapping[str, str]:
        """Return a copy of all positions."""
        with self._lock:
            return dict(self._positions)


def read_positions(path: Path, stream: str) -> dict[str, str]:
    """Return the positions in a file, nothing if there is none; ``ConfigurationError`` if it is not for ``stream``."""
    try:
        content = orjson.loads(path.read_bytes())
        if content["format"] != _FORMAT or content["stream"] != stream:
            raise ConfigurationError(
                f"{path} holds positions of another stream or format: give each stream its own file"
            )
        return {str(shard_id): str(position) for shard_id, position in content["shards"].items()}
    except FileNotFoundError:
        return {}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"{path} is not a checkpoint file: delete it to read the stream from its start again, which is harmless"
        ) from error
