"""Files of rows of any form and dialect, read as a table of texts: what is there before any rule says what it means.

A file is read as the gatekeeper of files reads it (see :mod:`mdm_stream.decode.files`); what that refuses for want of a
usable header (a column named twice, none at all) is read here all the same, and said.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from mdm_stream.core.csv_form import COLUMNS_MAX
from mdm_stream.core.ruleset import Attribute, CsvForm, Match, Ruleset
from mdm_stream.decode.files.compression import compression_of, decompressed
from mdm_stream.decode.files.csv_beginning import read_dialect
from mdm_stream.decode.files.csv_dialect import CsvDialect
from mdm_stream.decode.files.csv_lines import LineTooLongError, iter_lines
from mdm_stream.decode.files.csv_records import CsvRecord, CsvRecords
from mdm_stream.decode.files.csv_table import PADDING
from mdm_stream.decode.files.event_files import PIECE_BYTES
from mdm_stream.decode.files.open_file import open_rows
from mdm_stream.decode.files.read_limits import ReadLimits
from mdm_stream.errors import ConfigurationError, MdmError, RejectedEventError
from mdm_stream.profile.columns.column_words import meanings_of_name
from mdm_stream.profile.columns.encodings import encoding_of
from mdm_stream.profile.columns.value_forms import forms_of

_SURE_VALUES = frozenset({"email", "date", "uuid", "marked_phone", "url", "iban"})
_BEGINNING_BYTES = 1_048_576
_LOOKED_AT_BYTES = 65_536
_LIST_IN_OBJECT = re.compile(r'\s*\{[^\[]{0,2000}?"([^"\\]{1,60})"\s*:\s*\[\s*\{', re.DOTALL)
_TITLE_ROWS_MAX = 10
"""Rows above a header: a title, a date, a line of what columns are grouped by."""
_BEGINNING_ROWS = 50
_TEXT_AS_FORMULA = re.compile('="((?:[^"]|"")*)"')


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file that was read: how it is written, its columns in their order, and how many rows it has.

    ``rows_path`` is the file of its rows in plain CSV (UTF-8, commas, no blanks at the ends of cells, no header).
    ``needs_copy`` says why the rules cannot be about the file itself, or is empty. ``encoding`` is what the rules must
    declare of it. ``faulty`` counts rows that could not be read. ``left_out`` are columns of nested values.
    """

    path: Path
    form: str
    dialect: str
    columns: tuple[str, ...]
    rows: int
    faulty: int
    rows_path: Path
    needs_copy: str = ""
    encoding: str | None = None
    left_out: tuple[str, ...] = ()


def read_table(path: Path, rows_path: Path) -> TableFile:
    """Read a file, and write its rows to ``rows_path``. ``ConfigurationError`` if it holds none that can be read."""
    try:
        beginning = _beginning(path)
        if _is_text_table(path, beginning):
            return _read_csv(path, beginning, rows_path)
        return _read_other(path, rows_path)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from error
    except LineTooLongError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    except RejectedEventError as error:
        reason = error.reasons[0]
        raise ConfigurationError(f"{path}: {reason.path} {reason.message}") from error
    except ConfigurationError:
        raise
    except MdmError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def file_bytes(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file in pieces, decompressed (gzip, zstd) where its first bytes say so."""
    with path.open("rb") as file:
        pieces = iter(lambda: file.read(PIECE_BYTES), b"")
        first = next(pieces, b"")
        compression = compression_of(first)
        content: Iterable[bytes] = chain((first,), pieces)
        yield from content if compression is None else decompressed(content, compression, ReadLimits())


def _beginning(path: Path) -> bytes:
    found = b""
    for piece in file_bytes(path):
        found += piece
        if len(found) >= _BEGINNING_BYTES:
            break
    if not found:
        raise ConfigurationError(f"{path}: the file is empty; expected a header and rows")
    return found[:_BEGINNING_BYTES]


def _is_text_table(path: Path, beginning: bytes) -> bool:
    """Tell whether a file is CSV; what it is else, or that it is no table, the gatekeeper's reader finds."""
    bare = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    looks_binary = beginning[:4] in (b"PAR1", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF", b"ORC")
    named = {suffix.lower() for suffix in path.suffixes} & {".csv", ".tsv", ".psv", ".txt"}
    return not looks_binary and (bool(named) or bare[:1] not in (b"[", b"{"))


def _read_csv(path: Path, beginning: bytes, rows_path: Path) -> TableFile:
    encoding = encoding_of(beginning)
    dialect, titles, records = _records(path, beginning, encoding)
    if _is_binary(beginning[:_LOOKED_AT_BYTES].decode(dialect.encoding, "replace")):
        raise ConfigurationError(f"{path}: is no text; expected rows as CSV, JSON, NDJSON or Parquet")
    header = _first_row(path, records)
    headless = _is_row(header)
    columns, why = _usable_names([] if headless else header, len(header))
    if headless:
        why = "its first row holds values and no names of columns"
    if titles:
        why = "; ".join(filter(None, [f"its header stands below {titles} other row{'s' * (titles > 1)}", why]))
    nameless = [] if headless else [place for place, name in enumerate(header) if not name]
    reasons: dict[str, None] = {why: None}
    count, faulty = 0, 0
    with rows_path.open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        if headless:
            written.writerow(header)
            count = 1
        for record in records:
            if not isinstance(record.fields, list):
                faulty += 1
                continue
            cells = _cleaned(record.fields, nameless, reasons)
            if cells == header and not headless:
                reasons["its header is in it again, as where files were joined"] = None
                continue
            if any(cells):
                written.writerow((cells + [""] * len(columns))[: len(columns)])
                count += 1
    if not count:
        raise ConfigurationError(f"{path}: has a header and no row; expected records to look at")
    why = "; ".join(filter(None, reasons))
    return TableFile(path, "csv", str(dialect), columns, count, faulty, rows_path, why, encoding)


def _records(path: Path, beginning: bytes, encoding: str | None) -> tuple[CsvDialect, int, Iterator[CsvRecord]]:
    """Return the dialect, how many rows stand above the header, and the records from the header on.

    Lines of a title have no delimiter, or another one: where most rows are of one cell, those below them are looked at.
    """
    wide = b"\x00" in beginning[:_LOOKED_AT_BYTES]
    found = None
    for skipped in range(1 if wide else _TITLE_ROWS_MAX + 1):
        dialect, rest = read_dialect(_below(file_bytes(path), skipped), CsvForm(encoding=encoding))
        read = iter(CsvRecords(iter_lines(rest, dialect, ReadLimits().line_bytes_max), dialect))
        first = list(islice(read, _BEGINNING_ROWS))
        titles = _title_rows(first, at_least=skipped > 0)
        if found is None or titles is not None:
            found = (dialect, skipped + (titles or 0), chain(first[titles or 0 :], read))
        if titles is not None or not first:
            break
    if found is None:  # the range is never empty
        raise AssertionError
    return found


def _below(pieces: Iterable[bytes], lines: int) -> Iterator[bytes]:
    """Yield the bytes of a file below so many lines."""
    left = b""
    for piece in pieces:
        left += piece
        while lines and b"\n" in left:
            left, lines = left.partition(b"\n")[2], lines - 1
        if not lines:
            yield left
            left = b""


def _title_rows(first: list[CsvRecord], *, at_least: bool) -> int | None:
    """Return how many rows come before the header: those of few cells before one of many that holds no values.

    A row that has no more than half of the cells of most rows names no columns; blank rows count. None where most rows
    are of one cell, or, below lines that were skipped (``at_least``), where no header is found.
    """
    filled = [[cell for cell in map(_cell, each.fields) if cell] if isinstance(each.fields, list) else []
              for each in first]  # fmt: skip
    usual = sorted(map(len, filled))[len(filled) // 2] if filled else 0
    if usual < 2:
        return None
    for place, cells in enumerate(filled[: _TITLE_ROWS_MAX + 1]):
        if len(cells) > usual // 2:
            is_header = not _is_row(cells) and (usual > 2 or any(map(meanings_of_name, cells)))
            if at_least:
                return place if is_header else None
            return place if is_header and any(filled[:place]) else 0
    return None if at_least else 0


def _first_row(path: Path, records: Iterator[CsvRecord]) -> list[str]:
    first = next((record.fields for record in records if record.fields), None)
    if not isinstance(first, list):
        why = "" if first is None else f": {first.reasons[0].message}"
        raise ConfigurationError(
            f"{path}: the header cannot be read{why}; expected the names of the columns in the first row"
        )
    if len(first) > COLUMNS_MAX:
        raise ConfigurationError(f"{path}: the header has {len(first):,} columns; expected {COLUMNS_MAX:,} at most")
    return [cell.strip(PADDING) for cell in first]


def _cleaned(fields: list[str], nameless: list[int], reasons: dict[str, None]) -> list[str]:
    """Return the cells of a row; what it has that no rule could read from the file itself goes into ``reasons``."""
    cells = [_cell(field) for field in fields]
    if any(map(_TEXT_AS_FORMULA.fullmatch, cells)):
        reasons['its values are written as formulas of a spreadsheet, ="..."'] = None
        cells = [_without_formula(cell) for cell in cells]
    if nameless and any(cells[place] for place in nameless if place < len(cells)):
        reasons["a column with values has no name in its header"] = None
    return cells


def _is_binary(text: str) -> bool:
    """Return whether more characters control something than a damaged text has: one in fifty, line ends apart."""
    return 50 * sum(ord(character) < 32 and character not in "\t\n\r\f" for character in text) > len(text)


def _without_formula(cell: str) -> str:
    """Return the text of a formula that is nothing but a text: what a spreadsheet keeps the zeros of a code with."""
    found = _TEXT_AS_FORMULA.fullmatch(cell)
    return found[1].replace('""', '"').strip(PADDING) if found else cell


def _cell(text: str) -> str:
    bare = text.strip(PADDING)
    return bare if bare.isprintable() else bare.replace("\x00", "")


def _is_row(header: list[str]) -> bool:
    """Return whether a first row holds values: some beyond doubt, and no name that is known."""
    named = [cell for cell in header if cell]
    sure = sum(bool(forms_of(cell) & _SURE_VALUES) for cell in named)
    numbers = sum("number" in forms_of(cell) for cell in named)
    known = sum(bool(meanings_of_name(cell)) for cell in named if not forms_of(cell) & {*_SURE_VALUES, "number"})
    return known == 0 and (sure > 0 or 2 * numbers > len(named))


def _usable_names(header: list[str], count: int) -> tuple[tuple[str, ...], str]:
    """Return a name of its own for each column, and why the file's own names cannot be used, if they cannot."""
    names: list[str] = []
    why = ""
    for place in range(count):
        given = header[place] if place < len(header) else ""
        name = given or f"column_{place + 1}"
        if given and given in header[:place]:
            why = "its header names a column twice"
        while name in names:
            name += "_2"
        names.append(name)
    return tuple(names), why


def _read_other(path: Path, rows_path: Path) -> TableFile:
    """Read JSON, NDJSON or Parquet as the gatekeeper does, under rules that use no column of it."""
    opened = open_rows(file_bytes(path), path.name, {"any": _no_rules()}, "any", ReadLimits())
    columns = [name for name in opened.rows.header if name != _UNUSED]
    places = [place for place, name in enumerate(opened.rows.header) if name != _UNUSED]
    count, faulty = 0, 0
    with rows_path.open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        for row in opened.rows:
            cells = None if row.fault else _cells(row.raw, opened.rows.dialect)
            if cells is None:
                faulty += 1
                continue
            chosen = [_cell(cells[place]) if place < len(cells) else "" for place in places]
            if any(chosen):
                written.writerow(chosen)
                count += 1
    listed = _LIST_IN_OBJECT.match(_beginning(path)[:_LOOKED_AT_BYTES].decode("utf-8", "replace").lstrip("\ufeff"))
    if count <= 1 and listed is not None:
        name = listed[1]
        raise ConfigurationError(
            f"{path}: is one object whose list {name!r} holds the records; expected the records themselves: write them "
            f"out first, as `jq -c '.[\"{name}\"][]' FILE > FILE.ndjson` does"
        )
    if not count:
        raise ConfigurationError(f"{path}: has no row that can be read; expected objects with values")
    names, _ = _usable_names(columns, len(columns))
    left_out = tuple(sorted(getattr(opened.rows, "left_out", ())))
    return TableFile(path, opened.format, opened.format, names, count, faulty, rows_path, left_out=left_out)


def _cells(raw: bytes, dialect: CsvDialect) -> list[str] | None:
    records = CsvRecords(iter_lines((raw,), dialect, max(len(raw), 1)), dialect)
    found = next(iter(islice(records, 1)), None)
    return found.fields if found is not None and isinstance(found.fields, list) else None


_UNUSED = "mdm_stream_uses_no_column"


def _no_rules() -> Ruleset:
    match = Match("fellegi_sunter", 0.01, 0.85, 0.5, (), ())
    return Ruleset("any", 1, "", (Attribute(_UNUSED, "text"),), {}, (), 200, 200, match, ())
