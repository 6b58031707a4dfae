"""Rules that gain, lose and retype an attribute: no value is lost in the views; going back to older code is refused."""

from __future__ import annotations

import dataclasses
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from local_snowflake import local_snowflake
from show import Show

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from feed_messages import contents, upsert  # noqa: E402

from mdm_stream.core.ruleset import Attribute, Ruleset  # noqa: E402
from mdm_stream.errors import ConfigurationError, TerminalError  # noqa: E402
from mdm_stream.rules.load import load_ruleset  # noqa: E402
from mdm_stream.warehouse import DuckDbWarehouse, SnowflakeWarehouse  # noqa: E402
from mdm_stream.warehouse.append import VIEWS  # noqa: E402
from mdm_stream.warehouse.domain_views import domain_views  # noqa: E402
from mdm_stream.warehouse.warehouse import SqlWarehouse  # noqa: E402

RECORDS = 200
BORN, HEIGHT, CITY = Attribute("born", "date"), Attribute("height", "number"), Attribute("city", "text")
STEPS: tuple[tuple[str, tuple[Attribute, ...], dict[str, type]], ...] = (
    ("as they begin", (BORN, HEIGHT), {"born": date, "height": Decimal}),
    ("an attribute added", (BORN, HEIGHT, CITY), {"born": date, "height": Decimal, "city": str}),
    ("one retyped", (Attribute("born", "text"), HEIGHT, CITY), {"born": str, "height": Decimal, "city": str}),
    ("one removed", (Attribute("born", "text"), CITY), {"born": str, "city": str}),
    ("all back", (BORN, HEIGHT, CITY), {"born": date, "height": Decimal, "city": str}),
)
LATER = (99, "from_the_future")


def figures(show: Show, scratch: Path) -> None:
    """Take a warehouse of each kind through the steps, and then open it with code that is older than it."""
    _change(show, "DuckDB", DuckDbWarehouse(scratch / "warehouse.duckdb"))
    _refuse(show, "DuckDB", DuckDbWarehouse(scratch / "warehouse.duckdb"), LATER)
    with local_snowflake() as arguments:
        for writer, later in (("merge", LATER), ("append", (1999, "from_the_future"))):
            for work in (_change, _refuse):
                warehouse = SnowflakeWarehouse({**arguments, "schema": f"rules_change_{writer}"}, writer=writer,
                                               fold=VIEWS)  # type: ignore[arg-type]  # fmt: skip
                name = f"fakesnow, {writer}"
                if work is _change:
                    _change(show, name, warehouse)
                else:
                    _refuse(show, name, warehouse, later)


def _change(show: Show, name: str, warehouse: SqlWarehouse) -> None:
    said = [
        {"born": f"19{n % 80 + 10}-07-14", "height": f"1.{n % 90 + 10}", "city": f"Köln {n}"} for n in range(RECORDS)
    ]
    warehouse.apply([upsert(n + 1, f"g{n:04d}", [f"crm/{n}"], domain="thing", values=said[n]) for n in range(RECORDS)])
    before = contents(warehouse)
    lost = seen = 0
    for _, attributes, types in STEPS:
        _make(warehouse, dataclasses.replace(load_ruleset("person"), domain="thing", attributes=attributes))
        for view in ("thing_golden", "thing_golden_as_of"):
            rows = warehouse.query(f"SELECT {', '.join(types)} FROM {view} ORDER BY golden_id")
            for row, values in zip(rows, said, strict=True):
                seen += len(types)
                lost += sum(not _is_it(value, kind, values[column])
                            for value, (column, kind) in zip(row, types.items(), strict=True))  # fmt: skip
    show.figure(f"{name}: of {seen:,} values in typed views while rules change in {len(STEPS) - 1} ways, lost or of "
                "another type", lost, floor="0", holds=not lost and seen > 0)  # fmt: skip
    changed = contents(warehouse) != before
    show.figure(f"{name}: tables that a change of rules touched", int(changed), floor="0", holds=not changed)
    warehouse.close()


def _said(number: int) -> dict[str, str]:
    return {"born": f"19{number % 80 + 10}-07-14", "height": f"1.{number % 90 + 10}", "city": f"Köln {number}"}


def _make(warehouse: SqlWarehouse, rules: Ruleset) -> None:
    for view in domain_views(warehouse.dialect(), rules):
        for statement in view.statements:
            warehouse.query(statement)


def _is_it(value: Any, kind: type, said: str) -> bool:
    if not isinstance(value, kind):
        return False
    return value == Decimal(said) if kind is Decimal else str(value) == said


def _refuse(show: Show, name: str, warehouse: SqlWarehouse, later: tuple[int, str]) -> None:
    """Note a migration of later code in the schema; say whether this code then refuses it with what would be lost."""
    warehouse.query(f"INSERT INTO schema_version VALUES ({later[0]}, '{later[1]}')")
    warehouse.close()
    refused = ""
    try:
        warehouse.apply([upsert(9_999, "g", ["crm/1"], domain="thing")])
    except (ConfigurationError, TerminalError) as error:
        refused = str(error)
    holds = f"would lose what these have added: {later[0]:04d}_{later[1]}" in refused
    show.figure(
        f"{name}: older code", refused or "is accepted", floor="is refused, with what would be lost", holds=holds
    )
