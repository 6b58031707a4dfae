"""Files of every form as rows, and what is refused: damaged, hostile, or no file of rows at all."""

from __future__ import annotations

import gzip
import io
import json
import tempfile
import tracemalloc
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import islice
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pytest
from backports import zstd
from file_loads import as_parquet, rulesets
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from mdm_stream.decode.files import json_elements
from mdm_stream.decode.files.compression import decompressed
from mdm_stream.decode.files.csv_lines import iter_lines
from mdm_stream.decode.files.csv_records import CsvRecords
from mdm_stream.decode.files.file_faults import UnreadableFileError
from mdm_stream.decode.files.json_elements import array_elements
from mdm_stream.decode.files.open_file import open_rows
from mdm_stream.decode.files.read_limits import ReadLimits
from mdm_stream.decode.files.written_rows import NORMAL_DIALECT, written_row
from mdm_stream.errors import RejectedEventError
from mdm_stream.parquet.frames import ParquetFault
from mdm_stream.parquet.pages import _Header

with tempfile.TemporaryDirectory() as folder:
    RULES = rulesets(Path(folder))
SMALL = ReadLimits(
    line_bytes_max=20_000, decompressed_bytes_max=4_000_000, ratio_bytes_min=100_000, parquet_page_bytes_max=100_000
)


def read(content: bytes, name: str = "people", limits: ReadLimits = SMALL, piece_bytes: int = 4_096):
    """Return the header, and of each row its CSV or the codes of its reasons."""
    pieces = (content[at : at + piece_bytes] for at in range(0, len(content), piece_bytes))
    rows = open_rows(pieces, name, RULES, "crm", limits).rows
    return rows.header, [row.raw if row.fault is None else [each.code for each in row.fault.reasons] for row in rows]


def refused(content: bytes, name: str = "people", **how) -> str:
    """Return the code for which a file is refused."""
    with pytest.raises(UnreadableFileError) as error:
        read(content, name, **how)
    return error.value.reason.code


def table(**columns) -> bytes:
    """Return Parquet of some columns."""
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out)
    return out.getvalue()


def zipped() -> bytes:
    """Return a ZIP archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (zipped(), "people.csv", "unsupported_form"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "people", "unsupported_form"),
        (b"%PDF-1.7\n", "people.csv", "unsupported_form"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(10), "people", "unsupported_form"),
        (bytes(257) + b"ustar\0", "people", "unsupported_form"),
        (b"\n<!DOCTYPE html><html>", "people.csv", "unsupported_form"),
        (gzip.compress(gzip.compress(b"id\n1\n")), "people.csv.gz", "unsupported_form"),
        (gzip.compress(zipped()), "people.gz", "unsupported_form"),
        (gzip.compress(b"id,first\n1,Ada\n")[:-9], "people.csv.gz", "broken_file"),
        (gzip.compress(b"id,first\n1,Ada\n")[:12] + b"\xff" * 9, "people.csv.gz", "broken_file"),
        (zstd.compress(b"id,first\n1,Ada\n" * 9)[:-3], "people.csv.zst", "broken_file"),
        (gzip.compress(bytes(20_000_000)), "people.csv.gz", "decompression_limit"),
        (zstd.compress(bytes(20_000_000)), "people.csv.zst", "decompression_limit"),
        (gzip.compress(bytes(99_000)) * 50, "people.csv.gz", "decompression_limit"),
        (b"", "people.csv", "empty_file"),
        (b"[]", "people.json", "empty_file"),
        (b"   \n\n", "people.ndjson", "empty_file"),
        (b"id,first\n" + b"x" * 30_000, "people.csv", "giant_line"),
        (b'{"id": "' + b"x" * 30_000, "people.ndjson", "giant_line"),
        (b'[{"id": "' + b"x" * 30_000, "people.json", "giant_line"),
        (b"[" + b"[" * 30_000, "people.json", "giant_line"),
        (b'[{"id": 1}', "people.json", "broken_file"),
        (b'[{"id": 1} {"id": 2}]', "people.json", "broken_file"),
        (b'[{"id": 1},]', "people.json", "broken_file"),
        (b'[{"id": 1}] x', "people.json", "broken_file"),
        (b'{\n  "id": 1\n}\n', "people.json", "broken_file"),
        (b"id,first\n1,Ada\n", "people.json", "broken_file"),
        (b"id,first\n1,Ada\n", "people.parquet", "broken_file"),
        (as_parquet([("1", "", "", "", "", "")])[:-20], "people.parquet", "broken_file"),
        (as_parquet([("1", "", "", "", "", "")])[:-4] + b"PARE", "people.parquet", "unsupported_form"),
        (table(id=["1"], first=[["Ada"]]), "people.parquet", "columns"),
        (table(id=["1"], first=["x" * 500_000]), "people.parquet", "giant_part"),
        (table(id=["1"], first=["x" * 30_000]), "people.parquet", "giant_line"),
        (b"id,first,id\n1,Ada,2\n", "people.csv", "header"),
        (json.dumps([{f"c{n}": n for n in range(5_000)}]).encode(), "people.json", "too_many_columns"),
        ("\n".join(f'{{"c{n}": {n}}}' for n in range(5_000)).encode(), "people.ndjson", None),
    ],
    ids=lambda value: "content" if isinstance(value, bytes) else str(value),  # compressed bytes have a time in them
)  # fmt: skip
def test_a_file_is_refused_with_its_reason(content, name, code):
    """By what it holds, whatever it is called; members beyond the first rows are no columns, however many there are."""
    if code is None:
        assert len(read(content, name)[0]) < 2_000
    else:
        assert refused(content, name) == code


def test_a_million_columns_are_refused():
    """A header, or rows of ever other members, of more columns than any table has."""
    wide = ReadLimits(header_rows=6_000)
    assert (
        refused("\n".join(f'{{"c{n}": 1}}' for n in range(6_000)).encode(), "x.ndjson", limits=wide)
        == "too_many_columns"
    )
    assert refused((",".join(f"c{n}" for n in range(1_000_000))).encode(), "x.csv", limits=wide) == "header"


def test_numbers_keep_their_digits():
    """As they were written, without an exponent where that loses nothing; one that has lost digits stays what it is."""
    text = (
        b'{"id": 12345678901234567890123, "first": 0.10000000000000000001,'
        b' "last": 1e3, "email": 1.5E+300, "phone": true}'
    )
    assert read(text, "x.ndjson")[1] == [b"12345678901234567890123,0.10000000000000000001,1000,1.5E+300,true,\n"]


def test_parquet_values_are_what_csv_would_have():
    """Dates and times as ISO text, decimals and integers with all digits, whole floats without a point."""
    when = datetime(2026, 1, 31, 9, 30, 0, 250_000, tzinfo=UTC)
    values = {
        "id": pa.array([2**63 - 1, None], pa.int64()),
        "first": pa.array([Decimal("12.50"), Decimal("-0.01")], pa.decimal128(20, 2)),
        "last": pa.array([date(2026, 1, 31), date(1, 1, 1)]),
        "email": pa.array([when, None], pa.timestamp("us", "UTC")),
        "phone": pa.array([5.0, 0.1], pa.float32()),
        "a": pa.array([1_769_851_800_000_000_001, None], pa.timestamp("ns")),
        "b": pa.array([True, False]),
        "c": pa.array([time(9, 30), None]),
        "d": pa.array([b"Zo\xc3\xab", None]),
        "e": pa.array(["x", "x"]).dictionary_encode(),
        "f": pa.array([float("nan"), 1e300]),
        "gone": pa.array([None, None], pa.null()),
    }
    header, rows = read(table(**values), "x.parquet")
    assert header == tuple(values)
    assert rows == [
        b"9223372036854775807,12.50,2026-01-31,2026-01-31T09:30:00.250000Z,5,2026-01-31T09:30:00.000000001,true,09:30:00,"
        b"Zo\xc3\xab,x,,\n".replace(b".250000Z", b".25Z"),
        b",-0.01,0001-01-01,,0.1,,false,,,x,1.0e+300,\n",
    ]


def test_a_value_that_is_no_text_costs_its_row():
    """An infinite number, bytes that are no text, a time beyond the calendar; a column of no rule may hold anything."""
    values = {"id": ["1", "2", "3"], "first": [b"\xff", b"Ada", b"Eve"], "last": [1.0, float("inf"), 2.0]}
    values |= {"shoes": [[1], [2], [3]]}
    assert read(table(**values), "x.parquet") == (
        ("id", "first", "last"), [["not_utf8"], ["wrong_type"], b"3,Eve,2\n"]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("element", "code"),
    [
        (b'{"id": 1, "id": 2}', "unexpected"),
        (b'{"id": {"a": 1}}', "wrong_type"),
        (b'{"id": NaN}', "invalid_json"),
        (b'{"id": "\\ud800"}', "not_utf8"),
        (b'{"id": "\xff"}', "not_utf8"),
        (b'{"id": 1', "truncated_json"),
        (b"[1]", "not_an_object"),
        (b"7", "not_an_object"),
        (b'{"id": ' + b"[" * 900 + b"]" * 900 + b"}", "too_many"),
        (b'{"id": "' + b"a\\n" * 2_000 + b'"}', "too_many"),
    ],
)
def test_a_broken_element_costs_itself_alone(element, code):
    """The objects before and behind it are rows."""
    _, rows = read(b'{"id": 1}\n' + element + b'\n{"id": 3, "shoes": [{"size": 41}]}\n', "x.ndjson")
    assert rows[0].startswith(b"1,")
    assert rows[2].startswith(b"3,")
    assert code in (rows[1] if isinstance(rows[1], list) else [])


CELLS = st.lists(st.one_of(st.text(max_size=8), st.sampled_from(['"', "\r", "\n", ",", " x ", '"a",\n'])), min_size=1)


@given(CELLS)
def test_a_written_row_is_read_as_its_cells(cells):
    """Whatever is in them: one record of CSV, with the same cells but for blanks around them."""
    row = written_row(cells)
    if row is None:
        assert not any(cell.strip() for cell in cells)
        return
    (record,) = CsvRecords(iter_lines((row,), NORMAL_DIALECT), NORMAL_DIALECT, columns=len(cells))
    assert [cell.strip() for cell in record.fields] == [cell.strip() for cell in cells]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(st.lists(JSON, max_size=8), st.integers(1, 30), st.sampled_from([None, 1]))
def test_elements_of_an_array_are_told_apart(values, piece_bytes, indent):
    """However the array is laid out and cut: the elements are those that a reader of the whole finds."""
    text = b"\xef\xbb\xbf" + json.dumps(values, indent=indent).encode()
    pieces = (text[at : at + piece_bytes] for at in range(0, len(text), piece_bytes))
    with mock.patch.object(json_elements, "BLOCK_BYTES", piece_bytes):
        assert [json.loads(each) for each in array_elements(pieces, ReadLimits())] == values


@settings(deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["x.csv", "x.json", "x.ndjson", "x.gz", "x"]))
@pytest.mark.parametrize(
    "front", [b"", b"[{", b'{"id":', b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"PAR1\x15", b"id,first\n"]
)
def test_any_bytes_are_rows_or_a_reason(front, content, name):
    """No file raises anything but the reason why it is none."""
    try:
        header, rows = read(front + content, name)
    except UnreadableFileError as error:
        assert error.reason.message  # noqa: PT017 - either way is right
    else:
        assert header
        assert all(rows)


@given(st.binary(max_size=60))
def test_any_header_of_a_page_is_read_or_refused(content):
    """In time bounded by its bytes."""
    try:
        assert _Header(content).page().size >= 0
    except ParquetFault as fault:
        assert fault.code == "broken_file"  # noqa: PT017


@pytest.mark.parametrize("make", [gzip.compress, zstd.compress])
def test_a_bomb_is_refused_in_bounded_memory(make):
    """Half a gigabyte of zeros in some kilobytes: no more of it is ever in memory than some pieces."""
    bomb = make(bytes(64_000_000)) * 8
    tracemalloc.start()
    with pytest.raises(UnreadableFileError):
        for _ in decompressed((bomb,), "gzip" if make is gzip.compress else "zstd", ReadLimits()):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_a_value_that_every_row_has_is_in_memory_once_or_a_few_times():
    """A dictionary of one value of 90 kB and 20,000 rows of it: batches are so small that they fit."""
    content = table(id=[str(n) for n in range(3_000)], first=["x" * 90_000] * 3_000)
    wide = replace(SMALL, line_bytes_max=100_000, parquet_memory_bytes_max=100_000_000)
    rows = iter(open_rows((content,), "x.parquet", RULES, "crm", wide).rows)
    assert next(rows).raw.startswith(b"0,xxx")
    assert sum(1 for _ in islice(rows, 200)) == 200


def test_a_row_that_cannot_be_csv_is_rejected():
    """Half a character and too many bytes have a reason."""
    for cells, code in (("\ud800",), "not_utf8"), (("x" * 2_000_000,), "too_large"):
        with pytest.raises(RejectedEventError) as error:
            written_row(cells)
        assert error.value.reasons[0].code == code
