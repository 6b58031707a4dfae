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


@pytest.fixture(scope="session")
def snowflake_server() -> Iterator[dict[str, Any]]:
    """Connect arguments of a local server that speaks Snowflake's protocol."""
    fakesnow = pytest.importorskip("fakesnow", reason="fakesnow is not installed (extra: dev)")
    pytest.importorskip("snowflake.connector", reason="the Snowflake connector is not installed (extra: snowflake)")
    pytest.importorskip("uvicorn", reason="fakesnow's server extra is not installed (extra: dev)")
    with fakesnow.server() as connect_args:
        # A second is short for a shared machine: the first statement of a session loads the SQL parser.
        yield {**connect_args, "network_timeout": 30}


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
