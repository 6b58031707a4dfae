"""The tables that a batch is written to: their names in the world, their columns, and how many rows they get."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from mdm_stream.warehouse.append.events import EVENT_COLUMNS
from mdm_stream.warehouse.applied import Applied
from mdm_stream.warehouse.dialect import DUCKDB, SNOWFLAKE, Dialect
from mdm_stream.warehouse.dictionary import COLUMNS, description_of
from mdm_stream.warehouse.migrations import load_migrations
from mdm_stream.warehouse.settings import WarehouseSettings

_TABLE = re.compile(r"CREATE \$table IF NOT EXISTS (\w+) \((.*)\) \$table_options", re.DOTALL)
_COLUMN = re.compile(r"^\s+(\w+)\s+\$(\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TableNames:
    """The namespace of the tables, what stands before a table's name, and the database's words for types.

    Names are those of OpenLineage's naming: ``snowflake://organization-account`` and ``DATABASE.SCHEMA.TABLE`` in
    capitals, as Snowflake stores them; a DuckDB file has its path, and ``main.table``.
    """

    namespace: str
    prefix: str
    dialect: Dialect

    @classmethod
    def of(cls, settings: WarehouseSettings) -> Self:
        """Return the names in the warehouse of ``settings``."""
        snowflake = settings.snowflake
        if snowflake is None:
            return cls(f"duckdb://{Path(settings.duckdb_path).absolute()}", "main", DUCKDB)
        place = f"{snowflake.database}.{snowflake.schema_name}".upper()
        return cls(f"snowflake://{snowflake.account}", place, SNOWFLAKE)

    def name_of(self, table: str) -> str:
        """Return the name of a table within the namespace."""
        return f"{self.prefix}.{table.upper() if self.dialect.name == 'snowflake' else table}"

    def columns_of(self, table: str) -> list[tuple[str, str, str]]:
        """Return name, type and description of each column of a table, in order."""
        kinds = EVENT_COLUMNS if table == "golden_event" else _declared()[table]
        known = [(name, str(getattr(self.dialect, kind))) for name, kind in kinds]
        return [(name, kind, _description(table, name)) for name, kind in known]


def rows_written(applied: Applied, *, appends: bool) -> dict[str, int]:
    """Return how many rows of a batch went to which table; those without are left out.

    A change that a table knows already counts too: how many rows it changed depends on what was delivered before.
    """
    if appends:
        said = applied.changes + applied.erasures + applied.evidence
        rows = {"golden_event": said + applied.reports + applied.files}
    else:
        rows = {
            "golden_record": applied.changes,
            "golden_history": applied.changes + applied.erasures,
            "evidence_history": applied.evidence,
            "erased_record": applied.erasures,
            "quarantined_event": applied.reports,
            "file_loads": applied.files,
        }
    return {table: count for table, count in rows.items() if count}


@cache
def _declared() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for migration in load_migrations():
        for statement in migration.statements:
            if match := _TABLE.match(statement):
                found[match[1]] = _COLUMN.findall(match[2])
    return found


def _description(table: str, column: str) -> str:
    return COLUMNS.get(column, "") if table == "golden_event" else description_of(table, column)
