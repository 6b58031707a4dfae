"""The hash of a record's reference: an order of records that is as if drawn by lot, and the same everywhere. Pure."""

from __future__ import annotations

from hashlib import blake2b

from mdm_stream.core.memo import remembered

_HASH_BYTES = 8


@remembered(maxsize=65_536)
def reference_hash(ref: str) -> int:
    """Return the hash of a reference (BLAKE2b-64)."""
    return int.from_bytes(blake2b(ref.encode(), digest_size=_HASH_BYTES).digest(), "big")
