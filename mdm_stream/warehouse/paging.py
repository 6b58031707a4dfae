"""How many rows the next page of a table takes: many where they are small, few where golden records are large."""

from __future__ import annotations

FIRST_PAGE_ROWS = 100
PAGE_BYTES = 16 * 1024**2
"""Content of a page that is aimed at. A row may hold a golden record of any size, and pages of thousands of these would
be gigabytes; the first page is small, and each next one is as large as the one before it allows."""

_GROWTH_MAX = 8


def next_page_rows(rows: int, content_bytes: int, rows_max: int) -> int:
    """Return the size of the next page, after one of ``rows`` rows with so many bytes; at most ``rows_max``."""
    fitting = rows * PAGE_BYTES // max(1, content_bytes)
    return max(1, min(fitting, rows * _GROWTH_MAX, rows_max))
