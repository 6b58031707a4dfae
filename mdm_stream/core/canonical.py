"""Canonical JSON and the digests made from it: equal values give equal bytes, on every machine."""

from __future__ import annotations

import hashlib

import orjson


def canonical_json(value: object) -> bytes:
    """Return JSON bytes with sorted keys, no spaces, UTF-8. Tuples are written as lists."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest_of(value: object) -> str:
    """Return 32 hex digits that identify a JSON value (BLAKE2b-128 of its canonical form)."""
    return hashlib.blake2b(canonical_json(value), digest_size=16).hexdigest()
