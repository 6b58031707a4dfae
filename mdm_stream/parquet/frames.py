"""What the process that reads Parquet says to the one that started it: bounded frames of JSON on a pipe.

A frame is its kind (one byte), the length of its content (four bytes, the highest first), and the content. The first
is ``READY``, then come ``SCHEMA``, ``ROWS`` as often as it takes, and ``END``; ``FAULT`` may end them at any place.
The reader may have been taken over by what it read: nothing that it says is believed before it was looked at.
"""

from __future__ import annotations

import struct
from typing import Final, Literal, NamedTuple, get_args

READY: Final = b"r"
"""The library is there, and nothing of the file was read. No content."""
SCHEMA: Final = b"s"
"""A list of columns: name, and whether its values are texts, numbers or times. Rows have only those that are."""
ROWS: Final = b"b"
"""A list of columns, each a list of as many cells: a text, or ``[kind, text]`` for one that is no text of a row."""
FAULT: Final = b"f"
"""Code and message of why the file cannot be read."""
END: Final = b"e"
"""There are no more rows. No content."""

HEAD = struct.Struct(">cI")
FRAME_BYTES = 262_144
"""About as many bytes have frames of several rows."""
ROWS_MAX = 1_024
"""Rows of one frame, and of one batch that the library reads."""
MESSAGE_CHARS_MAX = 300
FaultCode = Literal["broken_file", "giant_line", "giant_part", "too_many_columns"]
FAULT_CODES: frozenset[str] = frozenset(get_args(FaultCode))
NO_LIBRARY = 3
"""Exit code of a reader that has no library to read with."""
NO_PARENT = 4
"""Exit code of one whose parent is gone."""


class BadCell(NamedTuple):
    """A value that is no text of a row: of which kind it is (a key of ``BAD_CELLS``), and how it can be written."""

    kind: str
    written: str


BAD_CELLS: dict[str, tuple[Literal["wrong_type", "out_of_range", "not_utf8"], str]] = {
    "infinite": ("wrong_type", "is infinite, and no number"),
    "beyond_calendar": ("out_of_range", "is outside the years 1 to 9999"),
    "not_utf8": ("not_utf8", "holds bytes that are no UTF-8 text"),
}
"""Code and message of the reason for each kind."""

Cell = str | BadCell


class ParquetFault(Exception):  # noqa: N818 - it is about a file, as reasons are
    """A file that cannot be read as Parquet: a code of ``FAULT_CODES``, and a message without any value of it."""

    def __init__(self, code: FaultCode, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(f"{code}: the file {message}")


def damaged() -> ParquetFault:
    """Return what is said of a file that the library cannot make anything of."""
    return ParquetFault("broken_file", "is damaged: it cannot be read as Parquet; send it again")
