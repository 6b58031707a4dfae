"""How a CSV file is written: encoding, delimiter, quote and line end, declared by its source or found in its beginning.

What is found depends on the first ``BEGINNING_BYTES_MAX`` bytes alone, so the same bytes are always read the same way,
however they come in. What was declared is not looked for; a byte order mark and a ``sep=`` line are part of the file,
and stand above what was declared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import Literal

from mdm_stream.core.ruleset import CsvForm
from mdm_stream.decode.files.csv_dialect import CsvDialect
from mdm_stream.decode.files.csv_lines import iter_lines
from mdm_stream.decode.files.csv_records import CsvRecords
from mdm_stream.decode.reasons import rejection

BEGINNING_BYTES_MAX = 1_048_576
"""Bytes of a file from which its dialect is found: as many as its largest row may have."""
DIALECT_RECORDS_MAX = 100
"""Records by which delimiters are told apart."""

DELIMITERS = (",", ";", "\t", "|")
"""Those that are looked for, in the order in which they are preferred."""

_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_WIDE_MARKS = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How .xlsx (a ZIP archive) and .xls begin."""
_SEPARATOR_LINE = re.compile(r'"?sep=([^\w\r\n"\'�])"?[,;\t|]*(\r\n|\n|\r|$)', re.IGNORECASE)
_LINE_ENDS = re.compile("[\r\n]+")
_WIDE_LOOKED_AT_BYTES = 512
_REPLACEMENT = "�"


def read_dialect(pieces: Iterable[bytes], form: CsvForm) -> tuple[CsvDialect, Iterator[bytes]]:
    """Return the dialect of a file and the file without what is no row of it: byte order mark and ``sep=`` line.

    ``pieces`` are its bytes in order, cut anywhere. ``RejectedEventError`` if it is of a kind that is no CSV.
    """
    source = iter(pieces)
    taken: list[bytes] = []
    size = 0
    for piece in source:
        taken.append(piece)
        size += len(piece)
        if size > BEGINNING_BYTES_MAX:
            break
    head = b"".join(taken)
    dialect, skipped = find_dialect(head[:BEGINNING_BYTES_MAX], form, is_whole=size <= BEGINNING_BYTES_MAX)
    return dialect, chain((head[skipped:],), source)


def find_dialect(beginning: bytes, form: CsvForm, *, is_whole: bool) -> tuple[CsvDialect, int]:
    """Return the dialect of a file that begins so, and how many bytes of it come before the first row."""
    if beginning.startswith(_WORKBOOKS):
        raise rejection("binary", "header", "is that of a spreadsheet's workbook or a ZIP archive; export it as CSV")
    if beginning.startswith(_WIDE_MARKS):
        raise rejection("not_utf8", "header", "is UTF-32; convert the file to UTF-8")
    encoding, skipped = _encoding_of(beginning, form.encoding, is_whole=is_whole)
    text = beginning[skipped:].decode(encoding, "replace")
    separator = _SEPARATOR_LINE.match(text)
    if separator is not None:
        skipped += len(separator[0].encode(encoding))
        text = text[separator.end() :]
    quote = form.quote or _quote_of(text)
    dialect = CsvDialect(encoding, form.delimiter or ",", quote, _line_end_of(text, quote))
    if separator is not None:
        return replace(dialect, delimiter=separator[1]), skipped
    if form.delimiter is None:
        dialect = _with_delimiter(dialect, beginning[skipped:], text)
    return dialect, skipped


def _encoding_of(beginning: bytes, declared: str | None, *, is_whole: bool) -> tuple[str, int]:
    """Return the encoding, and how many bytes its mark has."""
    for mark, encoding in _MARKS:
        if beginning.startswith(mark):
            return encoding, len(mark)
    wide = _wide_encoding(beginning)
    if declared is not None and declared != "utf-16":
        return declared, 0
    if wide is not None or declared == "utf-16":
        return wide or "utf-16-le", 0
    return ("utf-8" if _is_utf8(beginning, is_whole=is_whole) else "cp1252"), 0


def _wide_encoding(beginning: bytes) -> str | None:
    """Return the UTF-16 that bytes without a mark are in: of ASCII, which headers mostly are, every other byte is 0."""
    looked_at = beginning[:_WIDE_LOOKED_AT_BYTES]
    even, odd = looked_at[::2].count(0), looked_at[1::2].count(0)
    if odd * 4 > len(looked_at) and not even:
        return "utf-16-le"
    return "utf-16-be" if even * 4 > len(looked_at) and not odd else None


def _is_utf8(beginning: bytes, *, is_whole: bool) -> bool:
    """Tell whether bytes are UTF-8, some damaged lines apart: no less of it is well-formed beyond ASCII than not.

    Text in another encoding hardly ever looks like UTF-8 by chance, and never most of it.
    """
    if beginning.isascii():
        return True
    if not is_whole:
        beginning = beginning[: beginning.rfind(b"\n") + 1] or beginning  # it may be cut inside a character
    text = beginning.decode("utf-8", "replace")
    replaced = text.count(_REPLACEMENT)
    good = len(text) - len(text.encode("ascii", "ignore")) - replaced
    return good >= replaced - beginning.count(_REPLACEMENT.encode())


def _quote_of(text: str) -> Literal['"', "'"]:
    """Return the quote: the single one if the header's first name stands in it and no double one is in the header."""
    header = _LINE_ENDS.split(text.lstrip(), maxsplit=1)[0]
    return "'" if header.startswith("'") and header.count("'") > 1 and '"' not in header else '"'


def _line_end_of(text: str, quote: str) -> Literal["\n", "\r"]:
    """Return what ends lines: what the first line end outside of quotes does."""
    quotes, at, first = 0, 0, None
    for found in _LINE_ENDS.finditer(text):
        first = first or found[0]
        quotes += text.count(quote, at, found.start())
        at = found.start()
        if quotes % 2 == 0:
            return "\n" if "\n" in found[0] else "\r"
    return "\r" if first is not None and "\n" not in first else "\n"


def _with_delimiter(dialect: CsvDialect, rows: bytes, text: str) -> CsvDialect:
    """Return the dialect with the delimiter by which most rows have as many fields as the header, and the header most.

    Without any in the header the file has one column, whatever the delimiter is.
    """
    found: list[tuple[float, int, CsvDialect]] = []
    header = _LINE_ENDS.split(text.lstrip("\r\n"), maxsplit=1)[0]
    for delimiter in DELIMITERS:
        if delimiter not in header:
            continue
        candidate = replace(dialect, delimiter=delimiter)
        records = islice(CsvRecords(iter_lines((rows,), candidate), candidate), DIALECT_RECORDS_MAX)
        fields = [record.fields if isinstance(record.fields, list) else [] for record in records]
        columns = len(fields[0]) if fields else 0
        if columns > 1:
            found.append((sum(len(each) >= columns for each in fields) / len(fields), columns, candidate))
    return max(found, key=lambda each: each[:2])[2] if found else dialect
