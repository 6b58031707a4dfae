"""Whole tables of a local warehouse as files for other programs: one folder, in which all tables are of one state.

The folder is made beside its place and takes it when it is complete, so a reader sees the older export or the newer,
and a crash leaves the older one. Column types are few and the same everywhere: text, 64-bit integers, times of UTC in
microseconds, and JSON as text.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson

from mdm_stream.errors import ConfigurationError, TransientError
from mdm_stream.files import FILE_MODE, FOLDER_MODE, make_folder, open_private, spreadsheet_cell, write_atomically
from mdm_stream.warehouse.duckdb.tables import FETCH_ROWS, AsOf, LocalTables, open_tables

ExportFormat = Literal["parquet", "csv"]

EXPORT_MEMORY_MB = 1_024
"""Memory of an export; what does not fit is put into temporary files in the folder that is being made."""
EXPORT_TIMEOUT_S = 3_600.0
CONTENTS_FILE = "_export.json"
_DRAFT_SUFFIX, _OLDER_SUFFIX = ".new", ".older"
_NOT_EXPORTED = {"schema_version", "read_copy"}
_CSV_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds: rows by table, and which state they are of."""

    folder: Path
    rows: dict[str, int]
    as_of: AsOf


def export_tables(
    path: str | Path, folder: Path, *, form: ExportFormat = "parquet", tables: Sequence[str] = (), live: bool = False
) -> Exported:
    """Write tables and views of the warehouse file (all tables, if none are named) to ``folder``, replacing an export.

    ``ConfigurationError`` for a table that there is not, and for a folder that holds anything but an export.
    """
    folder = folder.absolute()
    if folder.exists() and any(folder.iterdir()) and not (folder / CONTENTS_FILE).exists():
        raise ConfigurationError(f"{folder} holds other files than an export; name a folder that is new or empty")
    draft, older = (folder.with_name(f".{folder.name}{suffix}") for suffix in (_DRAFT_SUFFIX, _OLDER_SUFFIX))
    _recover(folder, older)
    shutil.rmtree(draft, ignore_errors=True)
    make_folder(draft)
    try:
        with open_tables(path, live=live, memory_mb=EXPORT_MEMORY_MB, write_to=draft) as opened:
            as_of = opened.as_of()
            wanted = _wanted(opened, tables)
            rows = {name: _write(opened, name, draft, form) for name in wanted}
            columns = {name: _columns(opened, name) for name in wanted}
        contents = {
            "taken_at": as_of.taken_at,
            "positions": {domain: [at.epoch, at.sequence] for domain, at in as_of.positions.items()},
            "format": form,
            "tables": {name: {"rows": rows[name], "columns": columns[name]} for name in wanted},
        }
        write_atomically(draft / CONTENTS_FILE, orjson.dumps(contents, option=orjson.OPT_INDENT_2))
        _flush(draft)
        _swap(draft, folder, older)
    except OSError as error:
        raise TransientError(f"the export to {folder} failed: {os.strerror(error.errno or 0)}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Exported(folder, rows, as_of)


def _wanted(opened: LocalTables, named: Sequence[str]) -> list[str]:
    tables, views = opened.names()
    unknown = sorted(set(named) - {*tables, *views})
    if unknown:
        raise ConfigurationError(f"the warehouse has no {', '.join(unknown)}; it has {', '.join([*tables, *views])}")
    return sorted(set(named)) or [name for name in tables if name not in _NOT_EXPORTED]


def _columns(opened: LocalTables, name: str) -> dict[str, str]:
    """Return the columns of a table with their types in the files: string, int64, timestamp."""
    kinds = {"BIGINT": "int64", "TIMESTAMP": "timestamp"}
    found = opened.execute(f'DESCRIBE "{name}"').fetchall()
    return {column: kinds.get(kind, "string") for column, kind, *_ in found}


def _write(opened: LocalTables, name: str, folder: Path, form: ExportFormat) -> int:
    columns = _columns(opened, name)
    file = folder / f"{name}.{form}"
    if form == "csv":
        return _write_csv(opened, name, list(columns), file)
    selected = ", ".join(
        f'"{column}" AT TIME ZONE \'UTC\' AS "{column}"'
        if kind == "timestamp"
        else f'CAST("{column}" AS {"BIGINT" if kind == "int64" else "VARCHAR"}) AS "{column}"'
        for column, kind in columns.items()
    )
    sql = f"COPY (SELECT {selected} FROM \"{name}\") TO '{str(file).replace(chr(39), chr(39) * 2)}' "  # noqa: S608
    copied = opened.execute(f"{sql} (FORMAT parquet, COMPRESSION zstd)", timeout_s=EXPORT_TIMEOUT_S).fetchall()
    file.chmod(FILE_MODE)
    return int(copied[0][0])


def _write_csv(opened: LocalTables, name: str, columns: Sequence[str], file: Path) -> int:
    """Write a table as CSV in which no cell is a formula to a spreadsheet; ``cell_text`` gives each one back."""
    named = ", ".join(f'"{column}"' for column in columns)
    cursor = opened.execute(f'SELECT {named} FROM "{name}"')  # noqa: S608 - names that the database itself listed
    count = 0
    with open_private(file, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(columns)
        while rows := cursor.fetchmany(FETCH_ROWS):
            count += len(rows)
            writer.writerows([[_cell(value) for value in row] for row in rows])
    return count


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value.strftime(_CSV_TIME) if hasattr(value, "strftime") else spreadsheet_cell(str(value))


def _flush(folder: Path) -> None:
    for path in [*folder.iterdir(), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _recover(folder: Path, older: Path) -> None:
    """Put an export back that a crash took between the two renames of ``_swap``."""
    if older.exists():
        if folder.exists():
            shutil.rmtree(older)
        else:
            older.rename(folder)


def _swap(draft: Path, folder: Path, older: Path) -> None:
    draft.chmod(FOLDER_MODE)
    if folder.exists():
        folder.rename(older)
    draft.rename(folder)
    shutil.rmtree(older, ignore_errors=True)
    _flush_parent(folder)


def _flush_parent(folder: Path) -> None:
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
