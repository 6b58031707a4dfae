"""Whether a server can hold an index: asked once by each client that is opened, in two round trips, and by ``doctor``.

What is asked for is what the index's promises rest on. A server that lacks it would lose records in silence (eviction),
or refuse the first script of a batch with a message that says nothing to an operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import redis
from redis.exceptions import NoPermissionError, ResponseError

from mdm_stream.index.errors import UnfitServerError
from mdm_stream.index.redis.said import said_by_redis

VERSION_MIN = (7, 0)
"""The oldest Redis that the scripts run on. Valkey says of itself which Redis it is compatible with."""

_PAGE = "docs/operate/cache.md"
_SECTIONS = ("server", "memory", "replication", "cluster")
_PROBE_KEY = "mdm:{probe}:key"
_SERVERLESS = f"an index needs a node-based ElastiCache, MemoryDB, Valkey or Redis, and no serverless cache: {_PAGE}"
_ASKED_OF_SCRIPTS = ("INFO in a script", "TIME in a script", "keys that a script does not declare")


def server_status(client: redis.Redis) -> Mapping[str, Any]:
    """Return what a server says of itself. ``UnfitServerError`` where it says nothing. One round trip."""
    try:
        status: Any = client.info(*_SECTIONS)
    except NoPermissionError as error:
        raise UnfitServerError(f"the user of the index has no right to INFO; give it the rights in {_PAGE}") from error
    except ResponseError as error:
        raise UnfitServerError(f"the server refuses INFO ({said_by_redis(error)}); {_SERVERLESS}") from error
    said: Mapping[str, Any] = status
    return said


def is_cluster(status: Mapping[str, Any]) -> bool:
    """Return whether a server that said this of itself is in cluster mode."""
    return bool(int(status.get("cluster_enabled", 0)))


def faults_of_server(status: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a server that said this of itself, each with what is to be done; nothing if it fits."""
    found = []
    version = tuple(int(part) for part in str(status.get("redis_version", "0")).split(".")[:2])
    if version < VERSION_MIN:
        found.append(f"it is compatible with Redis {'.'.join(map(str, version))}: use Redis 7.0, Valkey 7.2 or later")
    policy = str(status.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        found.append(
            f"its maxmemory-policy is {policy}, so it would drop records when it is full: set noeviction (on "
            "ElastiCache in the parameter group, whose default is another one)"
        )
    if not status.get("run_id") or not status.get("master_replid"):
        found.append(f"it does not say which process and history it is; {_SERVERLESS}")
    if not is_cluster(status) and status.get("role") == "slave":
        found.append("it is a replica: name the primary endpoint, not the reader endpoint; after a failover, wait")
    return found


def faults_of_scripts(client: redis.Redis | redis.RedisCluster) -> list[str]:
    """Return what a server refuses to scripts that an index needs. One round trip."""
    text = files("mdm_stream.index.redis").joinpath("probe.lua").read_text(encoding="utf-8")
    try:
        refusals = client.eval(text, 1, _PROBE_KEY)
    except ResponseError as error:
        return [f"it refuses scripts ({said_by_redis(error)}): give the user the rights in {_PAGE}, or: {_SERVERLESS}"]
    found = []
    for asked, refusal in zip(_ASKED_OF_SCRIPTS, refusals, strict=True):
        said = refusal.decode()
        if "NOPERM" in said or "ACL" in said or "permission" in said:
            found.append(f"its user has no right to {asked}: give it the rights in {_PAGE}")
        elif said:
            found.append(f"it refuses {asked} ({said}); {_SERVERLESS}")
    return found


def require_fit(faults: list[str]) -> None:
    """Raise ``UnfitServerError`` if there is anything that is wrong with a server."""
    if faults:
        raise UnfitServerError(f"this Redis cannot hold an index: {'; '.join(faults)}")
