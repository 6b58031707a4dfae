"""The script for a real account runs here as far as fakesnow goes: without dynamic tables and Time Travel."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).parents[3] / "examples" / "snowflake_account.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("snowflake_account", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_but_what_fakesnow_lacks(
    script: ModuleType, snowflake_server: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each check holds, what was left out is said, and no schema stays."""
    check = script.Check({**snowflake_server, "database": "mdm"}, (script.DYNAMIC_TABLES, script.TIME_TRAVEL))
    assert check.run() == 0
    said = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("ok ") for line in said) == 8
    assert [line.split()[-1] for line in said if line.startswith("left out")] == ["time-travel"] * 2 + [
        "dynamic-tables"
    ]
    assert said[-1] == "0 failed; 6 schemas dropped"


def test_a_table_that_differs_fails(
    script: ModuleType, snowflake_server: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were one message lost on the way, the run would end with failures, and drop what it made all the same."""
    real = script.SnowflakeWarehouse.apply
    monkeypatch.setattr(script.SnowflakeWarehouse, "apply", lambda self, batch: real(self, batch[1:]))
    monkeypatch.setattr(script.Check, "_erasure", lambda *_: None)
    check = script.Check({**snowflake_server, "database": "mdm"}, (script.DYNAMIC_TABLES, script.TIME_TRAVEL))
    assert check.run() > 0


def test_what_is_left_out_here_is_sql_of_snowflake(script: ModuleType) -> None:
    """The statements that no local server runs parse in sqlglot's dialect."""
    sqlglot = pytest.importorskip("sqlglot", reason="sqlglot comes with fakesnow (extra: dev)")
    sent: list[str] = []

    class Noting:
        def query(self, sql: str) -> list[tuple[Any, ...]]:
            sent.append(sql)
            return [(1,)]

    moment = script.datetime(2026, 3, 1, 12)
    for table in ("golden_event", "golden_history"):
        script.Check({}, ())._time_travel(Noting(), table, moment)
    for sql in sent:
        assert sqlglot.parse_one(sql, read="snowflake").key == "select"
        assert re.search(r"FROM golden_\w+ AT \(TIMESTAMP => '2026-03-01T12:00:00'::TIMESTAMP_TZ\) WHERE CONTAINS", sql)
    assert len(sent) == 2
