"""Partition keys: all changes of one record go to one shard, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

PARTITION_KEY_CHARS_MAX = 256
"""The limit of Kinesis, in Unicode characters."""
_DIGEST_CHARS = 32


def partition_key(domain: str, source: str, record_id: str) -> str:
    """Return ``domain/source/record_id``; if Kinesis would refuse its length, its beginning and a digest of it all."""
    return _shortened(f"{domain}/{source}/{record_id}")


def partition_key_of(event: Mapping[str, Any]) -> str:
    """Return the partition key of a canonical event; a verdict's is that of its pair, in either order.

    ``ValueError`` if the event lacks what its key is made from.
    """
    try:
        if event["op"] != "verdict":
            return partition_key(event["domain"], event["source"], event["record_id"])
        pair = sorted(f"{side['source']}/{side['record_id']}" for side in (event["a"], event["b"]))
        return _shortened("/".join((event["domain"], "verdict", *pair)))
    except (KeyError, TypeError) as error:
        raise ValueError("a canonical event has domain, source and record_id, or is a verdict on a and b") from error


def _shortened(key: str) -> str:
    if len(key) <= PARTITION_KEY_CHARS_MAX:
        return key
    digest = hashlib.blake2b(key.encode(), digest_size=_DIGEST_CHARS // 2).hexdigest()
    return f"{key[: PARTITION_KEY_CHARS_MAX - _DIGEST_CHARS - 1]}~{digest}"
