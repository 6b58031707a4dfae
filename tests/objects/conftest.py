"""The stores that the tests of stores run on."""

from __future__ import annotations

from object_stores import bucket, store

__all__ = ["bucket", "store"]
