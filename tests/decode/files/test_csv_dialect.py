"""How CSV files are written, found in their beginning or declared: every way gives the rows that were meant."""

import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulesets import PERSON, ruleset

from mdm_stream.core.model import RecordEvent
from mdm_stream.core.ruleset import CsvForm, Source
from mdm_stream.decode import iter_csv_events
from mdm_stream.decode.files.csv_beginning import BEGINNING_BYTES_MAX, find_dialect
from mdm_stream.decode.files.csv_rows import CsvFile
from mdm_stream.errors import ConfigurationError, RejectedEventError

ANY = {"person": ruleset("person", PERSON)}
HEADER = ("source", "record_id", "given_name", "city")
ROWS = [("desk", "1", "Jörg", "Köln"), ("desk", "2", "Zoë", "Sankt Gallen"), ("desk", "3", "Inès", "Nîmes")]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
DELIMITERS = [",", ";", "\t", "|"]


def written(delimiter, line_end, encoding, *, padding="", quote="", first=""):
    """The sample as bytes of a dialect."""
    lines = [delimiter.join(f"{padding}{quote}{cell}{quote}{padding}" for cell in row) for row in [HEADER, *ROWS]]
    return (first + line_end.join(lines) + line_end).encode(encoding)


def found_in(data, rules=ANY, source=None, size=None):
    """What a file's rows say: key and values of each event, or the code of its rejection."""
    pieces = io.BytesIO(data) if size is None else (data[at : at + size] for at in range(0, len(data), size))
    found = []
    for _, event in iter_csv_events(pieces, rules, source):
        if isinstance(event, RejectedEventError):
            found.append(event.reasons[0].code)
        else:
            found.append((event.source, event.record_id, *event.attributes.values()))
    return found


@pytest.mark.parametrize(
    ("encoding", "delimiter", "line_end"), list(itertools.product(ENCODINGS, DELIMITERS, ["\n", "\r\n", "\r"]))
)
def test_every_dialect_is_found(encoding, delimiter, line_end):
    """Encoding, delimiter and line end in any combination give the same rows, padded and quoted too."""
    assert found_in(written(delimiter, line_end, encoding)) == ROWS
    assert found_in(written(delimiter, line_end, encoding, padding=" ")) == ROWS
    assert found_in(written(delimiter, line_end, encoding, padding=" ", quote='"')) == ROWS
    assert found_in(written(delimiter, line_end, encoding, quote="'")) == ROWS
    assert found_in(written(delimiter, line_end, encoding, first=f"sep={delimiter}{line_end}")) == ROWS


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_where_the_bytes_are_cut_changes_nothing(encoding, size):
    """Read in pieces of any size a file says the same."""
    assert found_in(written(";", "\r\n", encoding), size=size) == ROWS


@given(st.binary(max_size=80), st.integers(1, 9))
def test_any_bytes_are_read_the_same_way_however_they_come(data, size):
    """Whatever the bytes: rows or rejections, and the same ones in any pieces."""
    assert found_in(data) == found_in(data, size=size)


def test_a_separator_line_may_name_any_separator():
    """What sep= names is the delimiter, as spreadsheets have it."""
    assert found_in(written("^", "\n", "utf-8", first="SEP=^\n")) == ROWS
    assert found_in(written("\t", "\n", "utf-8", first='"sep=\t"\n')) == ROWS


def test_the_delimiter_is_the_one_that_rows_and_header_share():
    """Commas of values and names do not make a file one of commas, and neither do those within quotes."""
    data = "source;record_id;given_name;city\ndesk;1;Ann, Mrs;1,5\ndesk;2;Bo, Mr;2,5\n"
    assert found_in(data.encode()) == [("desk", "1", "Ann, Mrs", "1,5"), ("desk", "2", "Bo, Mr", "2,5")]
    data = 'source,record_id,"given;name;full",city\ndesk,1,Ann,Bonn\n'
    assert found_in(data.encode()) == [("desk", "1", "Bonn")]


def test_a_line_feed_in_a_cell_does_not_end_lines_that_end_in_carriage_returns():
    """Old spreadsheets end lines so, and break those of a cell with a line feed."""
    assert found_in(b'source,record_id,city\rdesk,1,"High St\nLeeds"\rdesk,2,Bonn\r') == [
        ("desk", "1", "High St\nLeeds"),
        ("desk", "2", "Bonn"),
    ]


def test_names_and_cells_lose_their_padding_and_empty_ends_cost_nothing():
    """Blanks around names and cells, an empty last column, and rows of nothing but delimiters."""
    data = b"source , record_id, given_name ,city,\n desk ,\xc2\xa01, Ann ,Bonn,\ndesk,2,Bo,Ulm,,,\n,,,,\n"
    assert found_in(data) == [("desk", "1", "Ann", "Bonn"), ("desk", "2", "Bo", "Ulm")]


def test_a_damaged_line_of_a_utf8_file_costs_itself_alone():
    """One byte that is no UTF-8 among well-formed text does not make the file one of another encoding."""
    data = written(",", "\n", "utf-8") + b"desk,4,J\xf6rg,Ulm\n"
    assert found_in(data) == [*ROWS, "not_utf8"]
    message = list(iter_csv_events(io.BytesIO(data), ANY))[-1][1].reasons[0].message
    assert "line 5" in message
    assert "utf-8" in message


def test_what_comes_after_the_beginning_does_not_change_the_reading():
    """The dialect depends on a bounded beginning: a foreign byte behind it is a bad row."""
    rows = b"desk,1,Ann,Bonn\n" * (BEGINNING_BYTES_MAX // 16)
    data = b"source,record_id,given_name,city\n" + rows + b"desk,2,J\xf6rg,Ulm\n"
    assert found_in(data)[-1] == "not_utf8"
    assert found_in(data, size=65_536)[-1] == "not_utf8"


@pytest.mark.parametrize(
    ("form", "data", "expected"),
    [
        (CsvForm(delimiter=";"), b"a,b,c;record_id;city\nx,y,z;1;Bonn\n", [("feed", "1", "Bonn")]),
        (CsvForm(delimiter="~"), b"record_id~city\n1~K\xc3\xb6ln\n", [("feed", "1", "Köln")]),
        (CsvForm(encoding="cp1250"), "record_id,city\n1,Łódź\n".encode("cp1250"), [("feed", "1", "Łódź")]),
        (CsvForm(encoding="gb18030"), "record_id,city\n1,北京\n".encode("gb18030"), [("feed", "1", "北京")]),
        (CsvForm(encoding="utf-16"), "record_id,city\n1,北京\n".encode("utf-16-be"), [("feed", "1", "北京")]),
        (CsvForm(quote="'"), b"record_id,city\n1,'a,b'\n", [("feed", "1", "a,b")]),
        (CsvForm(encoding="cp1252"), b"\xef\xbb\xbfrecord_id,city\n1,K\xc3\xb6ln\n", [("feed", "1", "Köln")]),
    ],
)
def test_what_is_declared_is_not_looked_for(form, data, expected):
    """A source's csv options hold for its files, but for what a byte order mark says."""
    rules = {"person": ruleset("person", PERSON, Source("feed", "csv", csv=form))}
    assert found_in(data, rules, "feed") == expected


def test_a_dialect_is_said_in_words():
    """People see what was found."""
    found = [str(find_dialect(data, CsvForm(), is_whole=True)[0]) for data in (b"a;b\n", "a\tb\rü\t'".encode("cp1252"))]
    assert found == ["utf-8, separated by semicolons", "cp1252, separated by tabs, lines end in CR"]


def test_lines_carry_their_numbers():
    """A row knows the line that it begins in, as an editor counts them; the header may come after blank lines."""
    file = CsvFile([b'\nsource,record_id,city\ndesk,1,"a\nb"\n\ndesk,2,c\n'], ANY)
    assert [(row.line, row.number, row.record) for row in file.rows()] == [
        (3, 1, ("person", "desk", "1")),
        (6, 2, ("person", "desk", "2")),
    ]
    assert file.header_line == 2


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_line_beyond_any_row_is_refused_in_linear_time(encoding):
    """A file that never ends its line is no CSV: it is refused before it fills the memory."""
    piece = "a".encode(encoding) * 65_536
    with pytest.raises(ConfigurationError, match="line 2 has more than"):
        list(iter_csv_events(itertools.chain(["source,record_id\n".encode(encoding)], itertools.repeat(piece)), ANY))


def test_a_shortened_number_is_no_key():
    """A record id that a spreadsheet has written with an exponent stands for many records, and is refused."""
    data = b'source,record_id,city\ndesk,9.91214E+15,Bonn\ndesk,"9,91214E+15",Ulm\ndesk,12E4,Kiel\n'
    assert found_in(data) == ["imprecise_key", "imprecise_key", ("desk", "12E4", "Kiel")]


def test_a_cell_of_a_shortened_number_is_kept_as_delivered():
    """What a value means is for its type to say; the event carries what the file has."""
    (event,) = [event for _, event in iter_csv_events([b"source,record_id,city\ndesk,1,1.91E+18\n"], ANY)]
    assert isinstance(event, RecordEvent)
    assert event.attributes == {"city": "1.91E+18"}
