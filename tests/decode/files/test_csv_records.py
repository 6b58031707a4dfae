"""CSV records out of physical lines: what Python's own reader finds, in one pass, and broken rows one by one."""

import csv
import io
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mdm_stream.core.csv_form import COLUMNS_MAX
from mdm_stream.decode.files.csv_records import ROW_BYTES_MAX, ROW_LINES_MAX, CsvRecords
from mdm_stream.errors import RejectedEventError


def found_in(data):
    """The bytes of each record with its fields, or with the code of why it has none."""
    return [
        (raw, fields.reasons[0].code if isinstance(fields, RejectedEventError) else fields)
        for raw, _, fields in CsvRecords(io.BytesIO(data))
    ]


def message_of(data, place=-1):
    """What is said of one record of a file."""
    return list(CsvRecords(io.BytesIO(data)))[place].fields.reasons[0].message


def read_anew_at_each_line(data):
    """The same, by trying Python's reader at every line and giving up a broken record after its first line."""
    lines, start, columns, records = list(io.BytesIO(data)), 0, None, []
    while start < len(lines):
        taken, fields = 1, None
        if not lines[start].strip():
            start += 1
            continue
        try:
            reader = csv.reader((line.decode() for line in lines[start:]), strict=True)
            fields = next(reader)
            taken = reader.line_num
        except (csv.Error, UnicodeDecodeError):
            pass
        if fields is not None and columns is not None and not any(field.strip(" \t\xa0") for field in fields[columns:]):
            fields = fields[:columns]
        if fields is None or (columns is not None and len(fields) != columns):
            taken, fields = 1, None
        elif columns is None:
            columns = len(fields)
        records.append((b"".join(lines[start : start + taken]), fields))
        start += taken
    return records


pieces = st.lists(st.sampled_from([b'"', b'""', b",", b"\n", b"\r", b"a", b"\xff", b"\x00", b'",', b',"', b"\r\n"]))


@given(pieces)
@example([b'"', b"\n", b'"', b"\r", b"\n"])
@example([b"a", b'"', b",", b'"', b"\n", b'"', b",", b"a", b"\n"])
def test_the_records_are_those_of_pythons_reader(found):
    """Whatever the bytes: each record is what Python's reader gives from its first line on, or that line is refused."""
    data = b"a,b\n" + b"".join(found)
    mine = [(raw, fields if isinstance(fields, list) else None) for raw, fields in found_in(data)]
    assert mine == read_anew_at_each_line(data)


def test_a_quote_that_is_never_closed_is_named_by_its_line():
    """The reason names the line in which the quote opened; each later row is read as if the quote were not there."""
    data = b'a,b\n1,2\n3,"4\n5,6\n7,8\n'
    assert found_in(data)[2] == (b'3,"4\n', "invalid_csv")
    assert found_in(data)[3:] == [(b"5,6\n", ["5", "6"]), (b"7,8\n", ["7", "8"])]
    assert "opens in line 3 " in message_of(data, 2)


@pytest.mark.parametrize("line", [b'a",b,"\n', b'"\n', b'x,"""\n', b'a,"b\n'])
def test_lines_that_all_open_a_quote_are_read_ahead_once(line):
    """Where every line opens a quote, each is taken from the file once and costs the same, however many there are."""
    asked = 0

    def lines():
        nonlocal asked
        yield b"a,b,c,d\n"
        for _ in range(5_000):
            asked += 1
            yield line

    records = list(CsvRecords(lines()))
    assert len(records) == 5_001
    assert asked == 5_000


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"a,b\n1," + b"x" * ROW_BYTES_MAX + b"\n", "too_large", "bytes"),
        (b'a,b\n1,"' + b"x" * 1_100 * 1_000 + b"\n" + b'2"\n', "too_large", "bytes"),
        (b'a,b\n1,"\n' + (b"x" * 2_000 + b"\n") * 600, "too_large", "opens in line 2 "),
        (b'a,b\n1,"' + b"\n" * ROW_LINES_MAX + b'"\n', "invalid_csv", "opens in line 2 "),
        (b'a,b\n1,"\n"x\n', "invalid_csv", "opens in line 2 "),
        (b'a,b\n1,"\n\xff\n', "not_utf8", "opens in line 2 "),
        (b'a,b\n"\n"\n', "ragged_row", "opens in line 2"),
        (b"," * COLUMNS_MAX + b"\n", "too_many", "columns"),
    ],
)
def test_what_is_larger_than_a_row_may_be(data, code, said):
    """Rows, quoted fields and headers beyond their limits are refused, by name and with the line."""
    found = [place for place, (_, fields) in enumerate(found_in(data)) if fields == code]
    assert found
    assert said in message_of(data, found[0])


def test_a_row_of_the_largest_size_is_read():
    """A quoted field over many lines is read up to the very limit of bytes of a row."""
    rest = ROW_BYTES_MAX - len(b'1,"\n' + b'"\n')
    data = b'a,b\n1,"\n' + (b"x" * 8_191 + b"\n") * (rest // 8_192) + b"x" * (rest % 8_192) + b'"\n'
    ((raw, fields),) = found_in(data)[1:]
    assert len(raw) == ROW_BYTES_MAX
    assert fields[0] == "1"


@pytest.mark.slow
@pytest.mark.parametrize("line", [b"," * 589_000 + b"\n", b'a",b,"\n' * 80_000, b'"' * 589_000 + b"\n"])
def test_memory_is_that_of_a_row(line):
    """A hostile file of 589 kB takes a few times the memory of its largest permitted row, not of its every field."""
    data = io.BytesIO(b"a,b,c,d\n" + line)
    tracemalloc.start()
    try:
        for _ in CsvRecords(data):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * ROW_BYTES_MAX
