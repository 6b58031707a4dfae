"""How much waits in an epoch on Redis: one script, whatever its size."""

from __future__ import annotations

from collections.abc import Sequence

import redis

from mdm_stream.index.port import IndexDepths
from mdm_stream.index.redis.epochs import epoch_prefix
from mdm_stream.index.redis.scripts import Scripts

SCRIPT = "depths"


def read_depths(client: redis.Redis | redis.RedisCluster, namespace: str, domain: str, epoch: int) -> IndexDepths:
    """Return how much waits in an epoch of whatever rules; nothing in one that is not there."""
    return depths_from(Scripts(client).run(SCRIPT, [f"{epoch_prefix(namespace, domain, epoch)}meta"]))


def depths_from(reply: Sequence[int]) -> IndexDepths:
    """Return what the script says."""
    outbox, outbox_us, reevaluation, review, review_us = reply
    return IndexDepths(outbox, outbox_us / 1_000_000, reevaluation, review, review_us / 1_000_000)
