"""Reading an index: what stewards, erasure and rebuilds ask of it, whatever it is kept in.

Nothing that is read here is fenced: a reader sees the epoch that was live when it last looked, and may read between two
commits. Reads that must agree are compared by the caller, and done again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mdm_stream.core.epoch_position import EpochPosition
from mdm_stream.core.reference import Resolution
from mdm_stream.index.port import IndexReads

FIRST_PAGE = ""
"""The cursor of the first page."""

PAGE_ITEMS = 1000
"""Items that a page holds where nobody asks for fewer."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """Some items of the review queue by their pairs, and the cursor of the next page; ``None`` after the last one."""

    items: Mapping[Pair, Mapping[str, Any]]
    next_cursor: str | None


class IndexReader(IndexReads, Protocol):
    """All that can be read of one domain's index. Vendor faults come out as ``TransientError`` or ``TerminalError``."""

    def golden_of(self, refs: Sequence[str]) -> dict[str, str]:
        """Return the golden ids of the live ones of ``refs``."""
        ...

    def golden_record(self, golden_id: str) -> dict[str, Any] | None:
        """Return a golden record's content, or ``None`` if the id names no live one."""
        ...

    def reached(self) -> EpochPosition:
        """Return how far the index has come: what was read before this is on the feed by then, or in the outbox."""
        ...

    def review_page(self, cursor: str = FIRST_PAGE, size: int = PAGE_ITEMS) -> ReviewPage:
        """Return about ``size`` items of the review queue, in no order. Every item that is there from the first page
        to the last is in one of them, perhaps in two.
        """
        ...

    def scan_refs(self) -> Iterator[str]:
        """Yield the reference of every record ever seen, tombstones too, in no order, perhaps some of them twice.

        A scan of the whole domain, many round trips: for people's rare questions, never for a service.
        """
        ...

    def scan_crosswalk(self) -> dict[str, str]:
        """Return the whole crosswalk: exact only while nobody writes."""
        ...

    def scan_golden(self) -> Iterator[tuple[str, bytes]]:
        """Yield id and content of every golden record, in no order, perhaps some of them twice."""
        ...

    def snapshot(self) -> Resolution:
        """Return the whole state of the domain, of the live epoch: exact only while nobody writes."""
        ...

    def held_because(self) -> str | None:
        """Return why writing to the domain is held back, ``None`` if it is not."""
        ...


def review_items(reader: IndexReader, size: int = PAGE_ITEMS) -> Iterator[tuple[Pair, Mapping[str, Any]]]:
    """Yield pair and content of every item of the review queue, in no order, perhaps some of them twice."""
    cursor: str | None = FIRST_PAGE
    while cursor is not None:
        page = reader.review_page(cursor, size)
        yield from page.items.items()
        cursor = page.next_cursor
