"""Lua scripts on a Redis server, and its faults as our errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

import redis
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TryAgainError,
)

from mdm_stream.errors import RefusedCallError, TransientError
from mdm_stream.index.errors import DomainHeldError, EpochChangedError
from mdm_stream.index.redis.said import said_by_redis

_TRANSIENT = (
    redis.ConnectionError,
    AskError,  # and MovedError: the slot moves to another node
    BusyLoadingError,
    ClusterError,
    NoScriptError,  # lost once more while they were loaded again
    ReadOnlyError,
    RedisClusterException,
    TryAgainError,
)
_TRANSIENT_REPLIES = ("MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN", "LOADING", "BUSY ", "UNKILLABLE")
"""Beginnings of replies that say that the server cannot take the call now: a full disk, replicas that are away."""

EPOCH_REPLIES = ("MDMGONE", "MDMFENCED", "MDMDOUBT")
"""Beginnings of what our scripts reply when the epoch that they were called for is not there to be written any more."""
HELD_REPLY = "MDMHELD"

_PRELUDE = "fence"
"""What scripts have in common: Lua scripts of Redis cannot load one another."""


class Scripts:
    """Runs the scripts that lie beside this module, each loaded on first use. Works on one node and on a Cluster."""

    def __init__(self, client: redis.Redis | redis.RedisCluster) -> None:
        self.client = client
        self._shas: dict[str, str] = {}
        self._texts: dict[str, str] = {}

    def run(self, name: str, keys: list[str], *arguments: Any) -> Any:
        """Run one script. One round trip."""
        return self.attempt(lambda: self.client.evalsha(self.sha(name), len(keys), *keys, *arguments))

    def sha(self, name: str) -> str:
        """Return a script's SHA-1, loading it into the server on first use."""
        if name not in self._shas:
            sha: str | bytes = self.client.script_load(self._whole(name))
            self._shas[name] = sha.decode() if isinstance(sha, bytes) else sha
        return self._shas[name]

    def _whole(self, name: str) -> str:
        """Return a script with what all have in common, behind the line of its flags, if it has one."""
        flags, text = "", self.text(name)
        if text.startswith("#!"):
            flags, _, text = text.partition("\n")
        return f"{flags}\n{self.text(_PRELUDE)}{text}" if flags else self.text(_PRELUDE) + text

    def text(self, name: str) -> str:
        """Return a script's own text: of a short one that is sent whole, which saves the round trip of loading it."""
        if name not in self._texts:
            self._texts[name] = files("mdm_stream.index.redis").joinpath(f"{name}.lua").read_text(encoding="utf-8")
        return self._texts[name]

    def attempt(self, send: Callable[[], Any]) -> Any:
        """Make a call, with faults translated; load the scripts again if the server lost them (it was restarted)."""
        with translated():
            try:
                return send()
            except NoScriptError:
                self._shas.clear()
                return send()


@contextmanager
def translated() -> Iterator[None]:
    """Translate Redis faults: what may pass is transient, what cannot is terminal."""
    try:
        yield
    except OutOfMemoryError as error:
        raise TransientError(
            "Redis is full: it has come to its maxmemory and refused the write as a whole; raise maxmemory "
            "(see docs/reference/limits.md), and the next attempt goes through by itself"
        ) from error
    except redis.TimeoutError as error:
        raise TransientError(
            "Redis did not answer in time; a write may have been applied all the same, which the next attempt absorbs"
        ) from error
    except _TRANSIENT as error:
        raise TransientError(f"Redis did not take the call: {said_by_redis(error)}") from error
    except ResponseError as error:
        text = str(error)
        if text.startswith(EPOCH_REPLIES):
            raise EpochChangedError(text.partition(" ")[2]) from error
        if text.startswith(HELD_REPLY):
            raise DomainHeldError(text.partition(" ")[2]) from error
        if text.startswith(_TRANSIENT_REPLIES):
            raise TransientError(f"Redis cannot take the call for now: {said_by_redis(error)}") from error
        raise RefusedCallError(f"Redis refused the call: {said_by_redis(error)}") from error
    except RedisError as error:
        raise RefusedCallError(f"Redis refused the call: {said_by_redis(error)}") from error
