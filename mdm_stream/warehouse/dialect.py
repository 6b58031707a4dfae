"""Where the two SQL dialects differ in the text of shared statements: four type names, and how objects are made.

How rows reach the staging table differs too; that is in each session's ``stage``.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template


@dataclass(frozen=True, slots=True)
class Dialect:
    """The names of the column types of one database. Timestamps are UTC and carry no offset.

    ``table`` and ``table_options`` stand around the columns of a new table: ``CREATE $table IF NOT EXISTS name (...)
    $table_options``; ``view_options`` behind the name of a view that is replaced.
    """

    name: str
    text: str
    integer: str
    timestamp: str
    json: str
    table: str = "TABLE"
    table_options: str = ""
    view_options: str = ""

    def render(self, sql: str, **more: str) -> str:
        """Return ``sql`` with each placeholder (``$text``, ``$table``, ...) replaced by this dialect's words, or by
        those of ``more``.
        """
        return Template(sql).substitute(
            text=self.text,
            integer=self.integer,
            timestamp=self.timestamp,
            json=self.json,
            table=self.table,
            table_options=self.table_options,
            view_options=self.view_options,
            **more,
        )


def snowflake_dialect(retention_days: int) -> Dialect:
    """Return Snowflake's, whose tables have so many days of Time Travel and no Fail-safe.

    Texts compare by their bytes, whatever collation the schema has; readers keep their grants on a replaced view.
    """
    return Dialect(
        name="snowflake",
        text="VARCHAR",
        integer="NUMBER(19, 0)",
        timestamp="TIMESTAMP_NTZ",
        json="VARIANT",
        table="TRANSIENT TABLE",
        table_options=f"DATA_RETENTION_TIME_IN_DAYS = {retention_days} DEFAULT_DDL_COLLATION = ''",
        view_options="COPY GRANTS",
    )


DUCKDB = Dialect(name="duckdb", text="VARCHAR", integer="BIGINT", timestamp="TIMESTAMP", json="JSON")
SNOWFLAKE = snowflake_dialect(1)
