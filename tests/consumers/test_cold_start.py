"""What importing a handler loads: nothing that its first batch can do without."""

from __future__ import annotations

import pytest
from function_packages import ROOT, bare_import, function_environment

HANDLERS = {
    "consumers.resolve.handler.handler": {"pyarrow", "snowflake"},
    "consumers.warehouse.handler.handler": {"numpy", "phonenumbers", "rapidfuzz", "redis", "snowflake"},
    "producers.events_api.handler.handler": {"pyarrow", "snowflake"},
    "producers.files.gatekeeper_handler.handler": {"snowflake"},
}
"""What none of them loads is beside it."""
NEVER = {"aws_xray_sdk", "pydantic_settings", "moto", "pandas", "duckdb", "uvicorn", "rich", "click", "openlineage"}


@pytest.mark.one_redis
@pytest.mark.parametrize("handler", HANDLERS)
def test_importing_a_handler_loads_nothing_heavy(handler, redis_server, tmp_path):
    """X-Ray's SDK above all: it is loaded where an invocation is traced."""
    found = set(bare_import(ROOT, handler, function_environment(redis_server.url, tmp_path), site=True)["loaded"])
    assert found & (NEVER | HANDLERS[handler]) == set()
