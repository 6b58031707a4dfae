"""Canonical JSON and the digests made from it: equal values give equal bytes, on every machine."""

from __future__ import annotations

import hashlib

import orjson


def canonical_json(value: object) -> bytes:
    """Return JSON bytes with sorted keys, no spaces, UTF-8. Tuples are written as lists."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest_of(value: object, size_bytes: int = 16) -> str:
    """Return hex digits that identify a JSON value: the digest of its canonical form."""
    return digest_of_bytes(canonical_json(value), size_bytes)


def digest_of_bytes(content: bytes, size_bytes: int = 16) -> str:
    """Return hex digits, two a byte, that depend on the content alone (BLAKE2b of that size, so BLAKE2b-128)."""
    return hashlib.blake2b(content, digest_size=size_bytes).hexdigest()
