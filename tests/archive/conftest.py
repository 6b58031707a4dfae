"""The stores that the tests of the archive run on."""

from __future__ import annotations

from object_stores import bucket, store

__all__ = ["bucket", "store"]
