"""Pages of components so small that the components of a schedule have several."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from mdm_stream.index.redis import pages


@contextmanager
def small_pages() -> Iterator[None]:
    """Store components above two members in pages, of two members on average, for as long as this lasts."""
    with patch.object(pages, "INLINE_MEMBERS_MAX", 2), patch.object(pages, "PAGE_MEMBERS", 2):
        yield
