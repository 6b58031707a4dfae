"""Warehouses to apply golden feed messages to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mdm_stream.warehouse import DuckDbWarehouse, SnowflakeWarehouse


@pytest.fixture
def duckdb_warehouse() -> Iterator[DuckDbWarehouse]:
    """A warehouse in memory."""
    warehouse = DuckDbWarehouse(":memory:")
    yield warehouse
    warehouse.close()


@pytest.fixture
def snowflake_warehouse(snowflake_server: dict[str, Any]) -> Iterator[Callable[[str], SnowflakeWarehouse]]:
    """Make a warehouse in a schema of the given name, with a database of its own in memory."""
    opened: list[SnowflakeWarehouse] = []

    def make(schema: str) -> SnowflakeWarehouse:
        warehouse = SnowflakeWarehouse({**snowflake_server, "database": "mdm", "schema": schema})
        opened.append(warehouse)
        return warehouse

    yield make
    for warehouse in opened:
        warehouse.close()
