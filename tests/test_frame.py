"""``resolve_frame`` is F of a frame's rows, whatever pandas and numpy wrap their cells in."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import VALUES, small_rules
from source_tree import ROOT

import mdm_stream
from mdm_stream import FrameError, resolve_frame
from mdm_stream.core.model import RecordEvent, make_ref
from mdm_stream.core.reference import resolve
from mdm_stream.errors import RulesError
from mdm_stream.frame import frame_events

ROW = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["crm", "erp", "web"]),
        "record_id": st.sampled_from(["1", "2", "3", "4", "5"]),
        "version": st.integers(1, 4),
        "event_time": st.integers(0, 50).map(lambda day: day * 86_400_000_000),
        **VALUES,
    }
)


def state_of(resolved):
    """Return what the three frames say in the form of the reference's resolution."""
    crosswalk = {make_ref(row.source, row.record_id): row.golden_id for row in resolved.crosswalk.itertuples()}
    attributes = [name for name in resolved.golden.columns if name not in {"golden_id", "members"}]
    golden = {
        row["golden_id"]: ({a: row[a] for a in attributes if row[a] is not None}, row["members"])
        for row in resolved.golden.to_dict("records")
    }
    review = {
        (make_ref(row["a_source"], row["a_record_id"]), make_ref(row["b_source"], row["b_record_id"])): row
        for row in resolved.review.to_dict("records")
    }
    return crosswalk, golden, review


def assert_equals_reference(resolved, rules, events):
    """The frames say what the reference says, no more and no less."""
    expected = resolve(rules, events)
    crosswalk, golden, review = state_of(resolved)
    assert crosswalk == expected.crosswalk
    assert golden == {
        golden_id: (content["values"], [make_ref(**member) for member in content["members"]])
        for golden_id, content in expected.golden.items()
    }
    assert review.keys() == expected.review.keys()
    for pair, item in expected.review.items():
        row = review[pair]
        for column in ("confidence", "reason", "rule", "refused_links"):
            assert row[column] == item[column]
        names = [comparison.name for comparison in rules.match.comparisons]
        assert {name: row[name] for name in names if row[name] is not None} == item["evidence"]


def event_of(row, number, *, versions, times):
    """Return the event that a row is meant to stand for."""
    attributes = {name: row[name] for name in VALUES}
    version = row["version"] if versions else number
    time_us = row["event_time"] if times else number
    return RecordEvent("person", row["source"], row["record_id"], "upsert", version, time_us, attributes)


@given(
    rows=st.lists(ROW, max_size=14),
    versions=st.booleans(),
    times=st.booleans(),
    missing=st.integers(0, 3),
    clustering=st.sampled_from(["components", "evidence"]),
)
@settings(max_examples=120, deadline=None)
def test_the_frames_equal_the_reference(rows, versions, times, missing, clustering):
    """Any rows, repeated records included, with any kind of missing cell, give exactly the reference's state."""
    rules = small_rules(clustering=clustering)
    nothing = (None, float("nan"), pd.NaT, pd.NA)[missing]
    df = pd.DataFrame(
        {
            "source": pd.Series([row["source"] for row in rows], dtype=object),
            "record_id": pd.Series([int(row["record_id"]) for row in rows], dtype=np.int32),
            **{
                name: pd.Series([nothing if row[name] is None else row[name] for row in rows], dtype=object)
                for name in VALUES
            },
        }
    )
    df["birth_date"] = pd.to_datetime(df["birth_date"])
    df["email"] = [np.array(row["email"], dtype=object) for row in rows]
    if versions:
        df["version"] = pd.Series([row["version"] for row in rows], dtype="Int64")
    if times:
        df["event_time"] = pd.to_datetime([row["event_time"] for row in rows], unit="us", utc=True)
    events = [event_of(row, number, versions=versions, times=times) for number, row in enumerate(rows, start=1)]
    assert_equals_reference(resolve_frame(df, rules), rules, events)


@pytest.mark.parametrize(
    ("cells", "value"),
    [
        ([7, None], 7.0),
        (pd.array([7, None], dtype="Int64"), 7),
        (pd.array([True, None], dtype="boolean"), True),
        (pd.array(["x", None], dtype="string"), "x"),
        (pd.Categorical(["x", None]), "x"),
        (pd.to_datetime(["1980-01-02", None]), "1980-01-02"),
        (pd.to_datetime(["1980-01-02T03:04:05", None]), "1980-01-02T03:04:05"),
        (pd.to_datetime(["1980-01-02", None], utc=True), "1980-01-02T00:00:00+00:00"),
        ([date(1980, 1, 2), pd.NaT], "1980-01-02"),
        ([Decimal("1E+2"), Decimal("NaN")], "100"),
        ([2**70, float("inf")], str(2**70)),
        ([UUID(int=1), None], "00000000-0000-0000-0000-000000000001"),
        ([np.array(["a", None, 1.5], dtype=object), np.float32("nan")], ("a", None, 1.5)),
        ([[np.int64(3), pd.NA, pd.Timestamp("2020-01-01")], None], (3, None, "2020-01-01")),
        ([{"b", "a"}, None], ("a", "b")),
        ([np.str_("x"), None], "x"),
        ([np.array([np.datetime64("2020-01-01T00:00:00.000000000"), "x"], dtype=object), None], ("2020-01-01", "x")),
        ([np.array(["2020-01-01", "NaT"], dtype="datetime64[ns]"), None], ("2020-01-01", None)),
    ],
    ids=str,
)
def test_cells_become_plain_values(cells, value):
    """Whatever a cell is wrapped in, its event holds a plain JSON value; what is missing is null."""
    df = pd.DataFrame({"source": "crm", "record_id": [1.0, 2.0], "given_name": pd.Series(cells)})
    first, second = frame_events(df, small_rules())
    assert first.attributes == {"given_name": value}
    assert type(first.attributes["given_name"]) is type(value)
    assert second.attributes == {"given_name": None}
    assert (first.record_id, first.version, first.event_time_us) == ("1", 1, 1)


def test_versions_and_times_may_be_timestamps():
    """An updated_at column orders rows by its microseconds, and a time without an offset is UTC."""
    moment = pd.Timestamp("2026-01-01T10:00:00.000001")
    df = pd.DataFrame(
        {"source": "crm", "record_id": "1", "email": "a@x.org", "version": [moment], "event_time": [moment]}
    )
    (event,) = frame_events(df, small_rules())
    expected = int(datetime(2026, 1, 1, 10, tzinfo=UTC).timestamp()) * 1_000_000 + 1
    assert (event.version, event.event_time_us) == (expected, expected)


GOOD = {"source": ["crm"], "record_id": ["1"], "given_name": ["Ann"]}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"record_id": ["1"], "given_name": ["Ann"]}, "no column 'source'"),
        ({"source": ["crm"], "given_name": ["Ann"]}, "no column 'record_id'"),
        ({"source": ["crm"], "record_id": ["1"], "Given Name": ["Ann"]}, "no column that the rules use"),
        (GOOD | {"source": [None]}, "row 1: source is missing"),
        (GOOD | {"source": ["sap"]}, "row 1: source is not among the sources"),
        (GOOD | {"record_id": [float("nan")]}, "row 1: record_id is part of the key, and is absent"),
        (GOOD | {"record_id": [""]}, "row 1: record_id is empty"),
        (GOOD | {"record_id": [2.0**60]}, "too large a number"),
        (GOOD | {"given_name": [b"Ann"]}, "row 1: given_name must be a text"),
        (GOOD | {"given_name": [{"first": "Ann"}]}, "row 1: given_name must be a text"),
        (GOOD | {"given_name": [pd.Timedelta(1)]}, "row 1: given_name must be a text"),
        (GOOD | {"given_name": [[np.timedelta64(1, "ns")]]}, "row 1: given_name is a list that holds something other"),
        (GOOD | {"given_name": ["A\x00nn"]}, "row 1: given_name holds a control character"),
        (GOOD | {"given_name": [["\ud800"]]}, "row 1: given_name holds half a character"),
        (GOOD | {"version": [None]}, "row 1: version is no integer or text"),
        (GOOD | {"version": [1.5]}, "row 1: version is no integer or text"),
        (GOOD | {"version": [True]}, "row 1: version is no integer or text"),
        (GOOD | {"event_time": ["yesterday"]}, "row 1: event_time is not a time"),
        (GOOD | {"event_time": [1.5]}, "row 1: event_time must be a time"),
    ],
)
def test_a_frame_that_cannot_be_used_is_told_in_a_sentence(columns, said):
    """The error names the row and column, and is a ValueError too."""
    with pytest.raises(FrameError, match=said) as caught:
        resolve_frame(
            pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()}), small_rules()
        )
    assert isinstance(caught.value, ValueError)
    assert "Ann" not in str(caught.value)


def test_versions_of_one_kind_a_source():
    """A text among a source's integers is refused; a source that the rules declare may have texts."""
    df = pd.DataFrame(
        {"source": ["crm", "erp", "crm"], "record_id": "1", "given_name": "Ann", "version": [1, "b", "c"]}
    )
    rules = small_rules()
    rules = replace(rules, sources={**rules.sources, "erp": replace(rules.sources["erp"], version_kind="text")})
    with pytest.raises(FrameError, match="row 3: version is a text, and the source's versions are integer"):
        resolve_frame(df, rules)
    assert [event.version for event in frame_events(df.iloc[:2], rules)] == [1, "b"]


@pytest.mark.parametrize("number", [10**5_000, Decimal("1E+999999999"), Decimal("1E-999999999")], ids=["int", "+", "-"])
@pytest.mark.parametrize("several", [False, True])
def test_a_number_that_no_text_holds_is_refused_as_a_cell(number, several):
    """With its row; writing it would take a gigabyte, or be refused by Python with the whole frame."""
    frame = pd.DataFrame({"source": ["a"], "record_id": ["1"]})
    frame["given_name"] = pd.Series([[number] if several else number], dtype=object)
    with pytest.raises(FrameError, match="row 1: given_name"):
        resolve_frame(frame, "person")


def test_many_bad_rows_are_not_all_told():
    """A frame of bad rows gives a short error."""
    df = pd.DataFrame({"source": "sap", "record_id": range(1_000), "given_name": "Ann"})
    with pytest.raises(FrameError) as caught:
        resolve_frame(df, small_rules())
    assert len(str(caught.value).splitlines()) < 15


def test_doubled_columns_and_other_things_are_refused():
    """Two columns of one name, and what is no DataFrame, are errors that say so."""
    doubled = pd.DataFrame([["crm", "1", "Ann", "Bob"]], columns=["source", "record_id", "given_name", "given_name"])
    with pytest.raises(FrameError, match="several columns 'given_name'"):
        resolve_frame(doubled, small_rules())
    with pytest.raises(FrameError, match="expected a pandas DataFrame, not dict"):
        resolve_frame({"source": ["crm"]}, small_rules())


def test_rules_may_be_a_pack_or_a_file_and_map_columns(tmp_path):
    """A pack's name takes attribute names; a file's mapping is followed, and a column that it lacks is named."""
    df = pd.DataFrame({"source": "crm", "record_id": [1, 2], "given_name": "Ann", "family_name": "Lee"})
    df["birth_date"] = "1980-01-02"
    assert len(resolve_frame(df, "person").golden) == 1
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: person\nversion: 1\nsources:\n  crm:\n    format: csv\n"
        "    attributes: {given_name: first, family_name: last, birth_date: born}\n"
    )
    mapped = df.rename(columns={"given_name": "first", "family_name": "last", "birth_date": "born"})
    golden = resolve_frame(mapped, path).golden
    assert golden.loc[0, "members"] == ["crm/1", "crm/2"]
    assert golden.loc[0, "birth_date"] == "1980-01-02"
    with pytest.raises(FrameError, match="'crm' that the frame does not have: born"):
        resolve_frame(mapped.drop(columns="born"), path)
    with pytest.raises(RulesError):
        resolve_frame(df, tmp_path / "absent.yaml")


def test_an_empty_frame_gives_empty_frames():
    """No rows give no golden records, and the columns are all there."""
    resolved = resolve_frame(pd.DataFrame({"source": [], "record_id": [], "given_name": []}), small_rules())
    assert [len(df) for df in (resolved.crosswalk, resolved.golden, resolved.review)] == [0, 0, 0]
    assert list(resolved.crosswalk.columns) == ["source", "record_id", "golden_id"]
    assert list(resolved.golden.columns) == ["golden_id", "given_name", "family_name", "birth_date", "email", "members"]
    assert list(resolved.review.columns[:4]) == ["a_source", "a_record_id", "b_source", "b_record_id"]


def test_the_given_frame_is_left_alone():
    """Resolving changes nothing in the caller's frame."""
    df = pd.DataFrame(GOOD)
    before = df.copy(deep=True)
    resolve_frame(df, small_rules())
    pd.testing.assert_frame_equal(df, before)


def test_the_version_is_that_of_the_distribution():
    """``mdm_stream.__version__`` and pyproject.toml agree."""
    assert mdm_stream.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_names_are_exported_lazily():
    """``import mdm_stream`` loads neither pandas nor numpy; the names are there all the same."""
    script = "import sys, mdm_stream as m; assert not {'pandas', 'numpy'} & set(sys.modules); m.resolve_frame; dir(m)"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
    assert set(mdm_stream.__all__) <= set(dir(mdm_stream))
    with pytest.raises(AttributeError, match="no attribute 'absent'"):
        _ = mdm_stream.absent


def test_cells_mean_what_the_rules_say_of_their_columns(tmp_path):
    """A count of days is a date in a frame as in a file, also where pandas makes doubles of integers beside a gap."""
    path = tmp_path / "rules.yaml"
    path.write_text("extends: person\nversion: 1\nsources: {s: {columns: {birth_date: {as: excel_days}}}}\n")
    cells = {"source": "s", "record_id": ["1", "2", "3"], "family_name": "Noor", "birth_date": [20000, None, -5]}
    golden = resolve_frame(pd.DataFrame(cells), path).golden
    assert dict(zip(map(tuple, golden["members"]), golden["birth_date"], strict=True)) == {
        ("s/1",): "1954-10-03",
        ("s/2",): None,
        ("s/3",): "1899-12-26",
    }
