"""Golden records where analysts work: DuckDB embedded, Snowflake in the cloud, one SQL layer for both."""

from mdm_stream.warehouse.applied import Applied
from mdm_stream.warehouse.consumer import BatchOutcome, WarehouseConsumer
from mdm_stream.warehouse.faults import SessionLostError, WarehouseBusyError
from mdm_stream.warehouse.settings import WarehouseSettings, open_warehouse
from mdm_stream.warehouse.snowflake.warehouse import SnowflakeWarehouse
from mdm_stream.warehouse.warehouse import (
    MESSAGES_PER_APPLY_MAX,
    DuckDbWarehouse,
    Warehouse,
)

__all__ = [
    "MESSAGES_PER_APPLY_MAX",
    "Applied",
    "BatchOutcome",
    "DuckDbWarehouse",
    "SessionLostError",
    "SnowflakeWarehouse",
    "Warehouse",
    "WarehouseBusyError",
    "WarehouseConsumer",
    "WarehouseSettings",
    "open_warehouse",
]
