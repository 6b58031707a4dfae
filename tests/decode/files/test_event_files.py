"""Whole files: CSV and one object a line, plain and gzip."""

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rulesets import PERSON, PERSONS, ruleset

from mdm_stream.contracts.change import encode_event
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.ruleset import Source
from mdm_stream.decode import Delivery, file_events, iter_csv_events, line_events
from mdm_stream.decode.files.csv_table import PADDING
from mdm_stream.errors import ConfigurationError, RejectedEventError

ANY = {"person": ruleset("person", PERSON)}
FIXTURES = Path(__file__).parents[2] / "fixtures"


def rows(data, rules=ANY, source=None):
    """What each row gives: its event, or the code of its rejection."""
    found = list(iter_csv_events(io.BytesIO(data), rules, source))
    return [event.reasons[0].code if isinstance(event, RejectedEventError) else event for _, event in found]


def test_a_row_is_an_upsert_at_its_number():
    """Without version and time the row's number in the file is both, and an empty field is null."""
    data = b"source,record_id,given_name,shoe\ncrm,1,Ada,38\r\n\ncrm,2,,\n"
    assert rows(data) == [
        RecordEvent("person", "crm", "1", "upsert", 1, 1, {"given_name": "Ada"}),
        RecordEvent("person", "crm", "2", "upsert", 2, 2, {"given_name": None}),
    ]


def test_a_file_says_the_same_twice():
    """Reading a file again gives equal events, so delivering them again, in any order, changes nothing."""
    data = b"source,record_id,given_name\ncrm,1,Ada\ncrm,1,Eve\n"
    assert rows(data) == rows(data)


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (["1", "20", "-3"], [1, 20, -3]),
        (["a", "20"], ["version_kind", 20]),
        (["1", "x", "3"], [1, "version_kind", 3]),
        (["1", ""], [1, "missing"]),
        (["9223372036854775808"], ["version_kind"]),
    ],
)
def test_one_kind_of_version_a_file(versions, expected):
    """Versions are integers unless the rules say otherwise, whatever the first row has; another kind is refused."""
    data = "source,record_id,version\n" + "".join(f"crm,1,{version}\n" for version in versions)
    assert [event.version if isinstance(event, RecordEvent) else event for event in rows(data.encode())] == expected


def test_the_rules_name_key_version_and_time():
    """A CSV source's own columns are used where the rules name them, and its declared kind of version."""
    source = Source("feed", "csv", key=("a", "b"), version="rev", event_time="seen", version_kind="text")
    rules = {"person": ruleset("person", PERSON, source)}
    (event,) = rows(b"a,b,rev,seen,city\nx,1,7,2026-01-01,Leeds\n", rules, "feed")
    assert event == RecordEvent("person", "feed", "x|1", "upsert", "7", 1_767_225_600_000_000, {"city": "Leeds"})


def test_bad_rows_cost_themselves_alone():
    """Ragged, unquoted, foreign or oversized rows are rejected with their bytes; every other row is read."""
    bad = {
        b"crm,2\n": "ragged_row",
        b"crm,3,a,b,c\n": "ragged_row",
        b'crm,4,"open quote\n': "invalid_csv",
        b'crm,5,"a"b\n': "invalid_csv",
        b"crm,6,\xe9\n": "not_utf8",
        b"crm,7,a\x00b\n": "control_character",
        b"crm,a\x00b,x\n": "control_character",
        b"crm,8," + b"x" * 70_000 + b"\n": "too_long",
        b"crm,9," + b"x" * 5_000_000 + b"\n": "too_large",
        b",10,Ada\n": "missing",
        b"crm,,Ada\n": "too_short",
        b"a/b,11,Ada\n": "wrong_format",
    }
    data = b"source,record_id,given_name\n"
    for number, row in enumerate(bad):
        data += row + f"crm,good-{number},Zoë\n".encode()
    found = list(iter_csv_events(io.BytesIO(data), ANY))
    rejected = {raw: event.reasons[0].code for raw, event in found if isinstance(event, RejectedEventError)}
    good = [event.record_id for _, event in found if isinstance(event, RecordEvent)]
    assert rejected == bad
    assert good == [f"good-{number}" for number in range(len(bad))]


def test_a_quoted_field_may_span_lines():
    """An address of several lines is one field, and its row's bytes are all of its lines."""
    data = b'source,record_id,city\r\ncrm,1,"1 High St\r\nLeeds"\r\ncrm,2,"say ""hi"""\r\n'
    found = list(iter_csv_events(io.BytesIO(data), ANY))
    assert [event.attributes["city"] for _, event in found] == ["1 High St\r\nLeeds", 'say "hi"']
    assert found[0][0] == b'crm,1,"1 High St\r\nLeeds"\r\n'


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"\xef\xbb\xbfsource,record_id\ncrm,1\n", ["1"]),
        ("source,record_id\ncrm,1\n".encode("utf-16"), ["1"]),
        (b"source,source\na,b\n", ["invalid_csv", "invalid_csv"]),
        (b"PK\x03\x04\x14\x00\n\n", ["binary"]),
        (b"\xff\xfe\x00\x00s\x00\x00\x00", ["not_utf8"]),
        (b"source,name\ncrm,Ada\n", ["missing"]),
        (b"record_id,name\n1,Ada\n", ["missing"]),
    ],
)
def test_headers(data, expected):
    """A byte order mark is skipped; under a header that cannot be used each row is rejected with its bytes."""
    found = rows(data)
    assert [event.record_id if isinstance(event, RecordEvent) else event for event in found] == expected


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=("Cs",)), max_size=8)


@given(st.lists(st.tuples(cells, cells), max_size=8))
def test_what_a_csv_writer_writes_is_read(values):
    """Any values that Python's own writer quotes come back but for the blanks around them, or are rejected for a
    control character; none is lost.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["source", "record_id", "given_name", "city"])
    for number, (given_name, city) in enumerate(values, start=1):
        writer.writerow(["crm", number, given_name, city])
    found = [event for _, event in iter_csv_events(io.BytesIO(text.getvalue().encode()), ANY)]
    assert len(found) == len(values)
    for event, (given_name, city) in zip(found, values, strict=True):
        if isinstance(event, RecordEvent):
            expected = {"given_name": given_name.strip(PADDING) or None, "city": city.strip(PADDING) or None}
            assert event.attributes == expected
        else:
            assert event.reasons[0].code == "control_character"


@given(
    st.lists(st.sampled_from([b'"', b",", b"\n", b"\r", b"a", b"crm,1,x,y\n", b"\xff", b"\x00", b'""']), max_size=30)
)
def test_no_byte_of_a_csv_file_is_lost(pieces):
    """Whatever follows the header: every line that holds a value is in exactly one row's bytes, in order."""
    body = b"".join(pieces)
    found = list(iter_csv_events(io.BytesIO(b"source,record_id,given_name,city\n" + body), ANY))
    kept, lines = b"".join(raw for raw, _ in found).split(b"\n"), body.split(b"\n")
    assert [line for line in kept if line.strip(b',"\r')] == [line for line in lines if line.strip(b',"\r')]


CANONICAL = RecordEvent("person", "web", "1", "upsert", 1, 0, {"given_name": "Ada"})


@pytest.mark.parametrize("opener", [open, gzip.open])
def test_lines_of_a_file(tmp_path, opener):
    """Each line gives its events or why not; blank lines give nothing; the line's number stands in for the position."""
    unversioned = b'{"domain":"person","source":"streamed","record_id":"2","op":"patch","attributes":{}}'
    path = tmp_path / "events.jsonl"
    with opener(path, "wb") as file:
        file.write(encode_event(CANONICAL) + b"\r\n\n" + unversioned + b"\n{broken\n[]")
    found = list(file_events(path, "canonical", None, PERSONS))
    assert [raw for raw, _ in found][1:] == [unversioned, b"{broken", b"[]"]
    assert found[0][1] == CANONICAL
    assert (found[1][1].version, found[1][1].event_time_us) == (Delivery.from_row(b"", 3).position, 3)
    assert [event.reasons[0].code for _, event in found[2:]] == ["invalid_json", "not_an_object"]


def test_formats_are_told_apart(tmp_path):
    """Without a format CSV is told by its name, and JSON objects by their shape."""
    path = tmp_path / "people.csv.gz"
    path.write_bytes(gzip.compress(b"source,record_id\ncrm,1\n"))
    ((_, event),) = file_events(path, None, None, ANY)
    assert event.record_id == "1"
    rules = {"contact": ruleset("contact", PERSON, Source("crm", "dms", None, ("contact_id",)))}
    found = list(file_events(FIXTURES / "dms" / "stream.ndjson", None, "crm", rules))
    assert len(found) == 7
    assert found[4][0] is found[5][0]


def test_a_source_given_by_hand_must_have_a_key():
    """Rows of a table cannot be told apart by a source without key columns: each is rejected, saying so."""
    line = b'{"op":"c","after":{"id":1},"source":{"table":"t","lsn":1}}'
    ((_, event),) = line_events([line], "debezium", "web", PERSONS)
    assert [(reason.code, reason.path) for reason in event.reasons] == [("missing", "after")]


def test_unreadable_files(tmp_path):
    """A file that is not there, a folder, or damaged gzip data is a configuration error that names the file."""
    damaged = tmp_path / "cut.jsonl.gz"
    damaged.write_bytes(gzip.compress(encode_event(CANONICAL) * 1000)[:-20])
    for path in (tmp_path / "absent.jsonl", tmp_path, damaged):
        with pytest.raises(ConfigurationError, match=path.name):
            list(file_events(path, "canonical", None, PERSONS))
