"""What a Snowflake schema holds, as far as options depend on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mdm_stream.errors import ConfigurationError
from mdm_stream.warehouse.session import Session
from mdm_stream.warehouse.snowflake.options.option import Kind

SELECT_TABLES = """
SELECT LOWER(table_name), table_type FROM information_schema.tables WHERE table_schema = CURRENT_SCHEMA()
"""
SELECT_COLUMNS = """
SELECT LOWER(table_name), LOWER(column_name), UPPER(data_type) FROM information_schema.columns
WHERE table_schema = CURRENT_SCHEMA() ORDER BY table_name, ordinal_position
"""
SELECT_PLACE = "SELECT CURRENT_DATABASE(), CURRENT_SCHEMA(), CURRENT_ROLE()"

OWN_TABLES = frozenset({"schema_version", "fold_version", "applied_option", "domain_reader"})
"""Tables about the schema itself: no option concerns them."""

_JSON_TYPES = frozenset({"VARIANT", "OBJECT", "JSON"})


@dataclass(frozen=True, slots=True)
class Catalog:
    """The tables that hold rows, each with its columns and their types, and what the schema is."""

    kind: Kind
    tables: Mapping[str, Mapping[str, str]]
    schema: str
    role: str

    def alter(self, table: str) -> str:
        """Return what follows ALTER for a table."""
        return "DYNAMIC TABLE" if self.kind == "dynamic" and table != "golden_event" else "TABLE"

    def with_domain(self) -> list[str]:
        """Return the tables whose rows are of a domain."""
        return [table for table, columns in self.tables.items() if "domain" in columns]

    def json_columns(self) -> list[tuple[str, str]]:
        """Return table and name of each JSON column."""
        return [
            (table, column)
            for table, columns in self.tables.items()
            for column, kind in columns.items()
            if kind in _JSON_TYPES
        ]


def read_catalog(session: Session) -> Catalog:
    """Return what the schema holds; ``ConfigurationError`` where it was not migrated yet, or is no Snowflake's."""
    if session.dialect.name != "snowflake":
        raise ConfigurationError(
            "options are Snowflake's: set MDM_WAREHOUSE_KIND=snowflake and where to log in; a DuckDB file has none"
        )
    types = dict(session.execute(SELECT_TABLES, step="list the tables"))
    if not {"golden_record", "golden_event"} & types.keys():
        raise ConfigurationError("the schema has no tables yet: run mdm-stream warehouse migrate first")
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in session.execute(SELECT_COLUMNS, step="list the columns"):
        if types.get(table, "VIEW") != "VIEW" and table not in OWN_TABLES and not table.startswith("staged_"):
            tables.setdefault(table, {})[column] = kind
    database, schema, role = session.execute(SELECT_PLACE, step="read the session's place")[0]
    return Catalog(_kind(types), tables, f"{_quoted(database)}.{_quoted(schema)}", str(role or ""))


def _kind(types: Mapping[str, str]) -> Kind:
    if "golden_event" not in types:
        return "merge"
    return "views" if types.get("golden_record", "VIEW") == "VIEW" else "dynamic"


def _quoted(name: object) -> str:
    return '"' + str(name).replace('"', '""') + '"'
