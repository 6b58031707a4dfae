"""``mdm-stream export``: tables of the local warehouse as files for BI tools and Spark."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import click

from mdm_stream.cli.output import json_option, print_json, print_table, say
from mdm_stream.cli.warehouse_options import say_age, warehouse_file, warehouse_options


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "csv"]),
    default="parquet",
    show_default=True,
    help="Kind of files: one a table.",
)
@click.option("--table", "tables", multiple=True, help="A table or view; all tables if left out. May be repeated.")
@warehouse_options
@json_option
def export(
    *, folder: Path, form: str, tables: tuple[str, ...], state: Path, file: Path | None, live: bool, as_json: bool
) -> None:
    """Write tables of the local warehouse to FOLDER, all of one state, one file a table.

    An older export in that folder is replaced as a whole. An export is a copy out of reach of `mdm-stream erase`:
    remove it, or export again, after an erasure.
    """
    from mdm_stream.warehouse.duckdb.export import ExportFormat, export_tables  # noqa: PLC0415 - --help does without

    named = cast("ExportFormat", form)
    done = export_tables(warehouse_file(file, state), folder, form=named, tables=tables, live=live)
    if as_json:
        print_json({"folder": str(done.folder), "rows": done.rows, "taken_at": done.as_of.taken_at})
    else:
        print_table("", ("table", "rows"), [(name, f"{rows:,}") for name, rows in done.rows.items()])
        say(f"written to {done.folder}")
    say_age(done.as_of)
