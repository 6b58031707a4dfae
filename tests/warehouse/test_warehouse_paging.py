"""Pages of rows grow where rows are small and shrink where they are large, so that memory is bounded by bytes."""

from __future__ import annotations

import pytest
from feed_messages import upsert

from mdm_stream.warehouse import DuckDbWarehouse, paging
from mdm_stream.warehouse import warehouse as warehouse_module
from mdm_stream.warehouse.paging import FIRST_PAGE_ROWS, PAGE_BYTES, next_page_rows


@pytest.mark.parametrize(
    ("rows", "content_bytes", "expected"),
    [
        (100, 100 * 500, 800),
        (800, 800 * 500, 2_000),
        (100, 100 * 1024**2, 16),
        (16, 16 * 1024**2, 16),
        (1, 500 * 1024**2, 1),
        (1, 0, 8),
    ],
)
def test_the_next_page_is_as_large_as_the_last_one_allows(rows: int, content_bytes: int, expected: int) -> None:
    """Never more than the limit of rows, never less than one, and some sixteen megabytes between."""
    assert next_page_rows(rows, content_bytes, 2_000) == expected


def test_the_first_page_is_small() -> None:
    """Nothing is known of the rows then: a hundred golden records of a megabyte are bearable, thousands are not."""
    assert FIRST_PAGE_ROWS * 1024**2 < 8 * PAGE_BYTES


def test_every_golden_record_is_read_whatever_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of one row, where rows are large, end with the same records as one page of all."""
    warehouse = DuckDbWarehouse(":memory:")
    warehouse.apply([upsert(n, f"g{n:03d}", [f"crm/{n}"]) for n in range(1, 31)])
    monkeypatch.setattr(paging, "PAGE_BYTES", 1)
    monkeypatch.setattr(warehouse_module, "FIRST_PAGE_ROWS", 3)
    sizes: list[int] = []
    select = warehouse._select
    monkeypatch.setattr(
        warehouse, "_select", lambda sql, *given: [sizes.append(int(str(given[-1]))), select(sql, *given)][1]
    )
    assert [golden.golden_id for golden in warehouse.published("person")] == [f"g{n:03d}" for n in range(1, 31)]
    assert sizes[:3] == [3, 1, 1]
    warehouse.close()
