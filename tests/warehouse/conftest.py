"""Warehouses to apply golden feed messages to."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mdm_stream.warehouse import DuckDbWarehouse, SnowflakeWarehouse
from mdm_stream.warehouse.append import AppendLayout, Writer
from mdm_stream.warehouse.duckdb.append import DuckDbEventSession
from mdm_stream.warehouse.warehouse import SqlWarehouse


@pytest.fixture
def duckdb_warehouse() -> Iterator[DuckDbWarehouse]:
    """A warehouse in memory."""
    warehouse = DuckDbWarehouse(":memory:")
    yield warehouse
    warehouse.close()


@pytest.fixture(params=["duckdb", "snowflake"])
def each_warehouse(request: pytest.FixtureRequest) -> Any:
    """A warehouse of either kind."""
    if request.param == "duckdb":
        return request.getfixturevalue("duckdb_warehouse")
    return request.getfixturevalue("snowflake_warehouse")(f"each_{abs(hash(request.node.name)) % 10**9}")


@pytest.fixture
def append_duckdb_warehouse() -> Iterator[SqlWarehouse]:
    """A warehouse of the append kind in memory."""
    layout = AppendLayout()
    warehouse = SqlWarehouse(
        lambda: DuckDbEventSession(":memory:", read_only=False, lock_wait_ms=0), layout_of=lambda _: layout
    )
    yield warehouse
    warehouse.close()


@pytest.fixture
def snowflake_warehouse(snowflake_server: dict[str, Any]) -> Iterator[Callable[..., SnowflakeWarehouse]]:
    """Make a warehouse in a schema of the given name, with a database of its own in memory; of the merge kind."""
    opened: list[SnowflakeWarehouse] = []

    def make(schema: str, writer: Writer | None = "merge") -> SnowflakeWarehouse:
        arguments = {**snowflake_server, "database": "mdm", "schema": schema}
        warehouse = SnowflakeWarehouse(arguments, writer=writer)
        opened.append(warehouse)
        return warehouse

    yield make
    for warehouse in opened:
        warehouse.close()


@pytest.fixture(params=["merge-duckdb", "append-duckdb", "merge-snowflake", "append-snowflake"])
def warehouse(request: pytest.FixtureRequest) -> SqlWarehouse:
    """A warehouse of each kind on either database."""
    writer, database = request.param.split("-")
    if database == "duckdb":
        name = "duckdb_warehouse" if writer == "merge" else "append_duckdb_warehouse"
        found: SqlWarehouse = request.getfixturevalue(name)
        return found
    make: Callable[..., SnowflakeWarehouse] = request.getfixturevalue("snowflake_warehouse")
    return make(f"contract_{zlib.crc32(request.node.name.encode())}", writer)
