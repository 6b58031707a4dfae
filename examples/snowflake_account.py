"""Whether a real Snowflake account keeps what the tests show on a local server, and what no local server can show.

    python examples/snowflake_account.py [--leave-out dynamic-tables,time-travel]

It logs in by the MDM_WAREHOUSE_SNOWFLAKE_... variables (docs/reference/warehouse.md), as a role that may create
schemas in the database; MDM_WAREHOUSE_SNOWFLAKE_SCHEMA is left alone. It makes schemas whose names begin with
MDM_CHECK_, and drops them at the end. A feed is applied by either writer in its order, and to another schema shuffled
and twice by two sessions; the tables must be those of DuckDB. Then dynamic tables are refreshed and compared, and a
record is erased: its value is in no table, and Time Travel still reads it until the date that the receipt names.
A line a check; the exit code is 1 where one fails. It takes some minutes and a few cents of an X-Small.
"""

from __future__ import annotations

import json
import os
import random
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

import click

from mdm_stream.cli.output import say
from mdm_stream.contracts.golden import FeedEnvelope, parse_envelope
from mdm_stream.warehouse import DuckDbWarehouse, SnowflakeWarehouse
from mdm_stream.warehouse.append import VIEWS, FoldSettings, Writer
from mdm_stream.warehouse.settings import SnowflakeSettings
from mdm_stream.warehouse.warehouse import SqlWarehouse

DYNAMIC_TABLES, TIME_TRAVEL = "dynamic-tables", "time-travel"
"""What a local server has not, and may be left out."""
MESSAGES = 60
MARKER = "Wilhelmina"
ERASED = ("crm", "7")
LAG_S = 60
TABLES = {
    "golden_record": "domain, golden_id, epoch, sequence, status, golden_values, provenance, member_count",
    "crosswalk": "domain, source, record_id, golden_id, epoch, sequence",
    "golden_history": "domain, epoch, sequence, golden_id, status, payload, committed_at",
    "contribution": "domain, source, record_id, golden_id",
    "erased_record": "domain, source, record_id, golden_id, epoch, sequence",
}

Rows = dict[str, list[str]]


def feed() -> list[FeedEnvelope]:
    """Return golden records of two sources that change and retire, and at the end an erasure."""
    return [*(_change(sequence) for sequence in range(1, MESSAGES)), _message("erase", MESSAGES, "g7", {
        "source": ERASED[0], "record_id": ERASED[1],
    })]  # fmt: skip


def _change(sequence: int) -> FeedEnvelope:
    number = sequence % 10
    members = [{"source": source, "record_id": str(number)} for source in ("crm", "erp")]
    origins = [{**key, "version": sequence, "event_time": "2026-03-01T11:00:00Z", "strategy": "most_recent"}
               for key in members]  # fmt: skip
    op = "retire" if sequence % 9 == 0 else "upsert"
    said = {"name": MARKER if number == int(ERASED[1]) else f"name {sequence}", "city": f"Köln {sequence}"}
    content = {"members": members, "values": said, "provenance": {"name": origins[:1], "city": origins[1:]}}
    return _message(
        op, sequence, f"g{number}", {"rules_version": 1, **(content if op == "upsert" else {"members": []})}
    )


def _message(op: str, sequence: int, golden_id: str, content: Mapping[str, object]) -> FeedEnvelope:
    at = f"2026-03-01T12:{sequence % 60:02d}:00.000000Z"
    kind = {"upsert": "mdm.golden.upserted", "retire": "mdm.golden.retired", "erase": "mdm.record.erased"}[op]
    data = {"domain": "person", "epoch": 1, "sequence": sequence, "op": op, "golden_id": golden_id, "committed_at": at}
    envelope = {"specversion": "1.0", "id": f"person/1/{sequence}", "source": "mdm-stream/person", "type": kind,
                "subject": golden_id, "time": at, "datacontenttype": "application/json"}  # fmt: skip
    return parse_envelope(json.dumps({**envelope, "data": {**data, **content}}).encode())


def rows_of(warehouse: SqlWarehouse, prefix: str = "") -> Rows:
    """Return the rows of each table, sorted, without when they were written."""
    found = {name: warehouse.query(f"SELECT {columns} FROM {prefix}{name}") for name, columns in TABLES.items()}  # noqa: S608 - names above
    return {name: sorted(str([_plain(value) for value in row]) for row in rows) for name, rows in found.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "["):
        return json.dumps(json.loads(value), sort_keys=True)
    return (
        str(value) if isinstance(value, datetime) or value is None else value if isinstance(value, str) else int(value)
    )


class Check:
    """One run against one account: where to log in, and what was found."""

    def __init__(self, arguments: Mapping[str, Any], leave_out: Collection[str]) -> None:
        """Take the connector's arguments, with a database and without a schema."""
        self._arguments = {name: value for name, value in arguments.items() if name != "schema"}
        self._leave_out = leave_out
        self._prefix = f"MDM_CHECK_{secrets.token_hex(4).upper()}"
        self._made: list[str] = []
        self.failed = 0

    def run(self) -> int:
        """Run all checks and drop what was made; return how many failed."""
        with closing(DuckDbWarehouse(":memory:")) as local:
            local.apply(feed())
            expected = rows_of(local)
        try:
            for writer in ("append", "merge"):
                self._orders(writer, expected)  # type: ignore[arg-type]
                self._erasure(writer)  # type: ignore[arg-type]
            self._unless(DYNAMIC_TABLES, self._dynamic_tables)
        finally:
            for schema in self._made:
                self._execute(f"DROP SCHEMA IF EXISTS {schema}")
        say(f"{self.failed} failed; {len(self._made)} schemas dropped")
        return self.failed

    def _orders(self, writer: Writer, expected: Rows) -> None:
        messages = feed()
        shuffled = random.Random(1).sample([*messages, *messages], 2 * len(messages))  # noqa: S311 - an order
        for name, batches in (("in its order", [messages]), ("shuffled, twice", _batches(shuffled, 25))):
            schema = self._schema()
            with closing(self._open(schema, writer)) as one, closing(self._open(schema, writer)) as other:
                for number, batch in enumerate(batches):
                    (one, other)[number % 2].apply(batch)
                found = rows_of(one)
            wrong = [table for table in TABLES if found[table] != expected[table]]
            self._say(f"{writer}, the feed {name}: tables that differ from DuckDB's", wrong or "none", not wrong)

    def _erasure(self, writer: Writer) -> None:
        *messages, erasure = feed()
        with closing(self._open(self._schema(), writer)) as warehouse:
            warehouse.apply(messages)
            [(before,)] = warehouse.query("SELECT CURRENT_TIMESTAMP()")
            there = warehouse.search([MARKER])
            warehouse.apply([erasure])
            left = warehouse.search([MARKER])
            self._say(f"{writer}, tables with the value before and after its erasure", f"{there}, {left}",
                      bool(there) and not left)  # fmt: skip
            told = warehouse.old_versions("person", ["/".join(ERASED)])
            dates = ", ".join(f"{each.table} until {each.until:%Y-%m-%d %H:%MZ}" for each in told)
            self._say(f"{writer}, old rows that the receipt names", dates or "none", bool(told))
            self._unless(TIME_TRAVEL, lambda: self._time_travel(warehouse, there[0], before))

    def _time_travel(self, warehouse: SqlWarehouse, table: str, before: datetime) -> None:
        column = "document" if table.lower() == "golden_event" else "payload"
        table = table if column == "document" else "golden_history"
        asked = f"SELECT COUNT(*) FROM {table} AT (TIMESTAMP => '{before.isoformat()}'::TIMESTAMP_TZ)"  # noqa: S608 - a table of ours
        [(rows,)] = warehouse.query(f"{asked} WHERE CONTAINS({column}::VARCHAR, '{MARKER}')")
        self._say(f"rows of {table} with the erased value that Time Travel reads", rows, rows > 0)

    def _dynamic_tables(self) -> None:
        fold = FoldSettings(LAG_S, self._arguments.get("warehouse"))
        with closing(self._open(self._schema(), "append", fold)) as warehouse:
            for batch in _batches(feed(), 20):
                warehouse.apply(batch)
                for table in TABLES:
                    warehouse.query(f"ALTER DYNAMIC TABLE {table} REFRESH")
            wrong = [table for table in TABLES if rows_of(warehouse)[table] != rows_of(warehouse, "fresh_")[table]]
            self._say("dynamic tables that differ from their SELECT after a refresh", wrong or "none", not wrong)
            shown = warehouse.query("SHOW DYNAMIC TABLES")
            modes = sum("INCREMENTAL" in row for row in shown)
            self._say(
                "dynamic tables that are refreshed incrementally", f"{modes} of {len(shown)}", modes == len(shown)
            )

    def _unless(self, name: str, work: Callable[[], None]) -> None:
        if name in self._leave_out:
            say(f"left out  {name}")
        else:
            work()

    def _say(self, what: str, found: object, holds: bool) -> None:
        say(f"{'ok' if holds else 'FAILED':9} {what}: {found}")
        self.failed += not holds

    def _schema(self) -> str:
        schema = f"{self._prefix}_{len(self._made)}"
        self._execute(f"CREATE TRANSIENT SCHEMA {schema}")
        self._made.append(schema)
        return schema

    def _open(self, schema: str, writer: Writer, fold: FoldSettings = VIEWS) -> SnowflakeWarehouse:
        return SnowflakeWarehouse({**self._arguments, "schema": schema}, writer=writer, fold=fold)

    def _execute(self, sql: str) -> None:
        import snowflake.connector  # noqa: PLC0415 - --help does without

        with closing(snowflake.connector.connect(**self._arguments)) as connection:
            connection.cursor().execute(sql)


def _batches(messages: Sequence[FeedEnvelope], size: int) -> list[Sequence[FeedEnvelope]]:
    return [messages[start : start + size] for start in range(0, len(messages), size)]


@click.command(help=__doc__)
@click.option("--leave-out", default="", metavar="NAMES", help=f"{DYNAMIC_TABLES} and {TIME_TRAVEL}, by commas.")
def main(*, leave_out: str) -> None:
    """Check the account of the environment."""
    settings = SnowflakeSettings.from_environment(os.environ)
    raise SystemExit(1 if Check(settings.connect_args(), leave_out.split(",")).run() else 0)


if __name__ == "__main__":
    main()
