"""``mdm-stream sql``: a question to the local warehouse, answered from its read copy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from mdm_stream.cli.output import print_csv, print_json, print_json_line, print_table, say
from mdm_stream.cli.warehouse_options import say_age, warehouse_file, warehouse_options

TABLE_ROWS = 1_000
"""Rows that a table on a terminal shows at most, unless --limit says otherwise."""


@click.command()
@click.argument("statement")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "ndjson"]),
    default="table",
    show_default=True,
    help="How rows are written.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Rows at most; 1,000 for a table, else all.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0.01), help="Seconds at most; 60 if left out.")
@click.option("--memory", "memory_mb", type=click.IntRange(min=16), help="Megabytes at most; 1,024 if left out.")
@warehouse_options
def sql(
    *,
    statement: str,
    form: str,
    limit: int | None,
    timeout_s: float | None,
    memory_mb: int | None,
    state: Path,
    file: Path | None,
    live: bool,
) -> None:
    """Run one SQL statement that reads the local warehouse (DuckDB's dialect), and write its rows.

    It reads the read copy, which opens at any time and is some seconds old; how old is written to stderr. The statement
    can read the warehouse's tables and views and nothing else, and changes nothing.
    """
    from mdm_stream.warehouse.duckdb.tables import SQL_MEMORY_MB, SQL_TIMEOUT_S, open_tables  # noqa: PLC0415

    with open_tables(warehouse_file(file, state), live=live, memory_mb=memory_mb or SQL_MEMORY_MB) as tables:
        columns, rows = tables.query(statement, timeout_s=timeout_s or SQL_TIMEOUT_S)
        if form == "table":
            limit = limit or TABLE_ROWS
            _print_table(columns, list(itertools.islice(rows, limit + 1)), limit)
        else:
            _print_rows(form, columns, itertools.islice(rows, limit))
        rows.close()
        say_age(tables.as_of())


def _print_table(columns: Sequence[str], rows: list[tuple[Any, ...]], limit: int) -> None:
    shown = [tuple("" if value is None else str(value) for value in row) for row in rows[:limit]]
    print_table("", tuple(columns), shown, texts=True)
    if len(rows) > limit:
        say(f"only the first {limit:,} rows are shown; --limit shows more", err=True)


def _print_rows(form: str, columns: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> None:
    if form == "csv":
        print_csv(columns, (["" if value is None else str(value) for value in row] for row in rows))
    elif form == "ndjson":
        for row in rows:
            print_json_line(_document(columns, row))
    else:
        print_json([_document(columns, row) for row in rows])


def _document(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return {column: _json_value(value) for column, value in zip(columns, row, strict=True)}


def _json_value(value: Any) -> Any:
    """Return a value as JSON has it: numbers, truth, lists and objects as such, all else as text."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return [_json_value(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _json_value(each) for name, each in value.items()}
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
