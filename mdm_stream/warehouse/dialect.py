"""Where the two SQL dialects differ in the text of shared statements: types, how objects are made, how JSON is read.

Shared statements write these, and nothing else of either database:

``$text``, ``$integer``, ``$timestamp``, ``$json``, ``$number``
    names of column types. ``$empty_object`` is a JSON object without members.
``CREATE $table IF NOT EXISTS name (...) $table_options``, ``CREATE OR REPLACE VIEW name $view_options AS``
    what stands around the columns of a new table, and behind the name of a view that is replaced.
``$each(VALUE) AS k``
    in FROM, after the row that VALUE is of: the items of a JSON array, or the members of a JSON object, with ``k.key``
    and ``k.value``; ``$position(k)`` is that of an item, from 0.
``$text_of(VALUE, name)``, ``$scalar(VALUE)``
    the text of a member of a JSON object, of a JSON value; NULL where there is none.
``$member(OBJECT, KEY)``, ``$item(ARRAY, k)``, ``$is_list(VALUE)``
    a member by an expression and the item at the position of ``k``, as JSON; whether a JSON value is an array.

How rows reach the staging table differs too; that is in each session's ``stage``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Template

_CALL = re.compile(r"\$(each|position|text_of|scalar|member|item|is_list)\(([^()]*)\)")


@dataclass(frozen=True, slots=True)
class Dialect:
    """The words of one database. Timestamps are UTC and carry no offset.

    ``calls`` are those that take arguments, as templates in which these are ``{0}`` and ``{1}``.
    """

    name: str
    text: str
    integer: str
    timestamp: str
    json: str
    number: str
    calls: Mapping[str, str] = field(repr=False)
    empty_object: str
    table: str = "TABLE"
    table_options: str = ""
    view_options: str = ""

    def render(self, sql: str, **more: str) -> str:
        """Return ``sql`` with what begins with ``$`` replaced by this dialect's words, or by those of ``more``.

        Raises ``KeyError`` where it is unknown.
        """
        return Template(_CALL.sub(self._called, sql)).substitute(
            text=self.text,
            integer=self.integer,
            timestamp=self.timestamp,
            json=self.json,
            number=self.number,
            empty_object=self.empty_object,
            table=self.table,
            table_options=self.table_options,
            view_options=self.view_options,
            **more,
        )

    def _called(self, match: re.Match[str]) -> str:
        arguments = [argument.strip() for argument in match[2].rsplit(",", 1)]
        return self.calls[match[1]].format(*arguments).replace("$", "$$")  # a dollar that is left is the template's


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
        number="DOUBLE",
        calls={
            "each": "LATERAL FLATTEN(INPUT => {0})",
            "position": "{0}.index",
            "text_of": "{0}['{1}']::VARCHAR",
            "scalar": "{0}::VARCHAR",
            "member": "GET({0}, {1})",
            "item": "GET({0}, {1}.index)",
            "is_list": "IS_ARRAY({0})",
        },
        empty_object="PARSE_JSON('{}')",
        table="TRANSIENT TABLE",
        table_options=f"DATA_RETENTION_TIME_IN_DAYS = {retention_days} DEFAULT_DDL_COLLATION = ''",
        view_options="COPY GRANTS",
    )


DUCKDB = Dialect(
    name="duckdb",
    text="VARCHAR",
    integer="BIGINT",
    timestamp="TIMESTAMP",
    json="JSON",
    number="DOUBLE",
    calls={
        "each": "json_each({0})",
        "position": "CAST({0}.key AS BIGINT)",
        "text_of": "({0} ->> '$.{1}')",
        "scalar": "({0} ->> '$')",
        "member": "({0} -> {1})",
        "item": "({0} -> CAST({1}.key AS INTEGER))",
        "is_list": "(json_type({0}) = 'ARRAY')",
    },
    empty_object="CAST('{}' AS JSON)",
)
SNOWFLAKE = snowflake_dialect(1)
