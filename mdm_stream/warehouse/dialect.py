"""Where the two SQL dialects differ in the text of shared statements: four type names, and nothing else.

How rows reach the staging table differs too; that is in each session's ``stage``.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template


@dataclass(frozen=True, slots=True)
class Dialect:
    """The names of the column types of one database. Timestamps are UTC and carry no offset."""

    name: str
    text: str
    integer: str
    timestamp: str
    json: str

    def render(self, sql: str) -> str:
        """Return ``sql`` with ``$text``, ``$integer``, ``$timestamp`` and ``$json`` replaced."""
        return Template(sql).substitute(text=self.text, integer=self.integer, timestamp=self.timestamp, json=self.json)


DUCKDB = Dialect(name="duckdb", text="VARCHAR", integer="BIGINT", timestamp="TIMESTAMP", json="JSON")
SNOWFLAKE = Dialect(
    name="snowflake", text="VARCHAR", integer="NUMBER(19, 0)", timestamp="TIMESTAMP_NTZ", json="VARIANT"
)
