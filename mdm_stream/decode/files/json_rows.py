"""JSON objects as rows: one object a row, its members the cells under the columns of the same names.

The columns are the members of the first rows, and those that the rules use, so that a rare one is never lost; a later
member that is neither has no column and is counted. Numbers keep all their digits, ``true`` and ``false`` are those
words, null and an empty text are no value. An object or an array is no value either: where the rules use the column it
costs the row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final

from mdm_stream.core.csv_form import COLUMNS_MAX
from mdm_stream.core.written_numbers import WrittenNumber
from mdm_stream.decode.files.csv_records import ROW_BYTES_MAX
from mdm_stream.decode.files.csv_table import PADDING
from mdm_stream.decode.files.file_faults import unreadable
from mdm_stream.decode.files.file_rows import FileRow
from mdm_stream.decode.files.read_limits import ReadLimits
from mdm_stream.decode.files.written_rows import NORMAL_DIALECT, written_row
from mdm_stream.decode.json_object import json_fault, nesting_depth
from mdm_stream.decode.reasons import rejection
from mdm_stream.decode.sources import Route
from mdm_stream.errors import RejectedEventError

DEPTH_MAX = 32
"""Levels of an element: what is deeper than a row of values is left behind, and never so deep."""
HEADER_BYTES_MAX = 4 * ROW_BYTES_MAX
"""Bytes of the first rows, whose members are the columns."""
_RESERVED = frozenset({"source", "record_id", "version", "event_time"})

_Cells = dict[str, str]


class _Nested:
    """Stands for an object or an array within a row."""


_NESTED: Final = _Nested()


class JsonRows:
    """The rows of a file whose elements are JSON objects. ``late_members`` counts rows with a member of no column.

    ``left_out`` are members that no rule uses and whose values, of rows read so far, are objects or arrays.
    """

    dialect = NORMAL_DIALECT

    def __init__(self, elements: Iterable[bytes], route: Route, limits: ReadLimits) -> None:
        """Read the first rows; ``UnreadableFileError`` if there is none, or if they have too many members."""
        self._elements = enumerate(elements, 1)
        self.late_members = 0
        self.left_out: set[str] = set()
        deletion = [] if route.source.deletion is None else [route.source.deletion.column]
        self._used = frozenset({*route.used, *deletion, *_RESERVED})
        self._first = list(self._read_first(limits))
        if not self._first:
            raise unreadable("empty_file", "holds no element")
        found: dict[str, None] = {}
        for _, _, cells in self._first:
            if isinstance(cells, dict):
                found.update(dict.fromkeys(cells))
                if len(found) > COLUMNS_MAX:
                    raise unreadable("too_many_columns", f"has rows of more than {COLUMNS_MAX:,} different members")
        found.update(dict.fromkeys(deletion))  # a row without it is no deletion
        self.found = tuple(found)
        self.header = (*found, *(name for name in sorted(route.columns) if name not in found))
        self._columns = frozenset(self.header)

    def _read_first(self, limits: ReadLimits) -> Iterator[tuple[int, bytes, _Cells | RejectedEventError]]:
        size = 0
        for number, raw in islice(self._elements, limits.header_rows):
            yield number, raw, self._cells(raw)
            size += len(raw)
            if size > HEADER_BYTES_MAX:
                return

    def __iter__(self) -> Iterator[FileRow]:
        """Yield the rows; once. The line of a row is its number."""
        number = 0
        for raw, cells in self._all():
            row = self._row(raw, cells)
            if row is not None:
                number += 1
                yield row._replace(line=number)

    def _all(self) -> Iterator[tuple[bytes, _Cells | RejectedEventError]]:
        first, self._first = self._first, []
        for _, raw, cells in first:
            yield raw, cells
        del first
        for _, raw in self._elements:
            yield raw, self._cells(raw)

    def _row(self, raw: bytes, cells: _Cells | RejectedEventError) -> FileRow | None:
        if isinstance(cells, RejectedEventError):
            return FileRow(raw, 0, cells)
        late = [name for name in cells if name not in self._columns]
        if late:
            reserved = sorted(_RESERVED.intersection(late))
            if reserved:
                said = "is a member of this row and of none of the first, so the file has no such column"
                return FileRow(raw, 0, rejection("unexpected", f"row.{reserved[0]}", said))
            self.late_members += 1
        try:
            written = written_row([cells.get(name, "") for name in self.header])
        except RejectedEventError as fault:
            return FileRow(raw, 0, fault.with_traceback(None))
        return None if written is None else FileRow(written, 0)

    def _cells(self, raw: bytes) -> _Cells | RejectedEventError:
        """Return the members of an element as texts, or why it has none."""
        try:
            return self._checked(_parsed(raw))
        except RejectedEventError as fault:
            return fault.with_traceback(None)

    def _checked(self, members: list[tuple[str, Any]]) -> _Cells:
        cells: _Cells = {}
        for written, value in members:
            name = written.strip(PADDING)
            if name in cells:
                path = f"row.{name}" if name in self._used else "row"
                raise rejection("unexpected", path, "has a member of this name twice; each may be there once")
            if isinstance(value, str):
                cells[name] = value
            elif value is None:
                cells[name] = ""
            elif isinstance(value, bool):
                cells[name] = "true" if value else "false"
            elif name in self._used:
                said = "is an object or an array, and no value of a row; send its parts as members of the row"
                raise rejection("wrong_type", f"row.{name}", said)
            else:
                self.left_out.add(name)
                cells[name] = ""
        cells.pop("", None)
        return cells


def _parsed(raw: bytes) -> list[tuple[str, Any]]:
    if len(raw) > ROW_BYTES_MAX:
        raise rejection("too_large", "", f"has {len(raw):,} bytes, and a row at most {ROW_BYTES_MAX:,}")
    if raw[:1] != b"{":
        raise json_fault(raw) or rejection("not_an_object", "", "is JSON, but not an object")
    if (b"[" in raw or raw.count(b"{") > 1) and nesting_depth(raw) > DEPTH_MAX:
        raise rejection("too_many", "", f"is nested deeper than {DEPTH_MAX} levels")
    try:
        found: _Members = _DECODER.decode(raw.decode())
    except (ValueError, RecursionError):
        raise json_fault(raw) or rejection("invalid_json", "", "is no JSON") from None
    return found.pairs


class _Members:
    """The members of one object, in order, each as often as it is there."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def _fraction(digits: str) -> str:
    """Return a number as a text with all its digits; one in scientific notation that has lost some stays as it is."""
    plain = WrittenNumber(digits).plain
    if plain is not None:
        return plain
    mantissa, exponent, power = digits.lower().partition("e")
    return f"{mantissa}.0e{power}" if exponent and "." not in mantissa else digits


def _no_constant(_name: str) -> Any:
    raise ValueError("NaN and infinities are no JSON")


_as_text: Callable[[str], str] = str
_DECODER = json.JSONDecoder(
    object_pairs_hook=_Members, parse_int=_as_text, parse_float=_fraction, parse_constant=_no_constant
)
