"""Cells to a row of CSV in the normal dialect: UTF-8, commas, quotes, line feeds. Reading it gives the same cells."""

from __future__ import annotations

from collections.abc import Sequence

from mdm_stream.decode.files.csv_dialect import CsvDialect
from mdm_stream.decode.files.csv_records import ROW_BYTES_MAX, ROW_LINES_MAX
from mdm_stream.decode.files.csv_table import PADDING
from mdm_stream.decode.reasons import rejection

NORMAL_DIALECT = CsvDialect()
_QUOTED = ('"', "\n", "\r")


def written_row(cells: Sequence[str]) -> bytes | None:
    """Return a row of CSV; ``None`` if it has no cell that is not blank. ``RejectedEventError`` if none can be read."""
    if sum(map(len, cells)) > ROW_BYTES_MAX:
        raise rejection("too_large", "", f"is longer than the {ROW_BYTES_MAX:,} bytes that a row may have")
    line = ",".join(cells)
    if not line.strip("," + PADDING) and not any(cell.strip(PADDING) for cell in cells):
        return None
    if line.count(",") >= len(cells) or any(character in line for character in _QUOTED):
        if line.count("\n") >= ROW_LINES_MAX - 1:
            raise rejection(
                "too_many", "", f"has {line.count(chr(10)):,} line ends, and a row at most {ROW_LINES_MAX:,}"
            )
        line = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    try:
        row = f"{line}\n".encode()
    except UnicodeEncodeError:
        raise rejection("not_utf8", "", "holds half of a character, which is no text") from None
    if len(row) > ROW_BYTES_MAX:
        raise rejection("too_large", "", f"has {len(row):,} bytes in CSV, and a row at most {ROW_BYTES_MAX:,}")
    return row
