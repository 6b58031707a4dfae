"""A file read as a load: every row is accounted for, whatever form it has and wherever it is cut."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from file_loads import COLUMNS, FORMS, as_csv, as_ndjson, read_load, rulesets
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm_stream.core.reference import fold_events
from mdm_stream.decode.decoder import Decoder
from mdm_stream.decode.delivery import Delivery
from producers.files.chunks import ChunkFindings
from producers.files.reading import REASONS_OF_ROW_MAX
from producers.files.settings import FileLimits

with tempfile.TemporaryDirectory() as folder:
    RULES = rulesets(Path(folder))

TEXTS = st.one_of(
    st.sampled_from(["", "Ada", "a,b", 'say "x"', "two\nlines", "1e9", " padded ", "x\ry", "Zoë", "漢字", "'q'", "{"]),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=6),
)
ROWS = st.lists(
    st.tuples(st.sampled_from(["1", "2", "3", "4", "", "a|b"]), TEXTS, TEXTS, TEXTS, TEXTS, st.sampled_from(["", "y"])),
    max_size=25,
)  # fmt: skip


def small(chunk_rows: int, chunk_bytes: int = 8_000_000) -> FileLimits:
    """Limits with small chunks."""
    return FileLimits(chunk_rows=chunk_rows, chunk_bytes=chunk_bytes)


def states(sent: list[tuple[str, bytes]]) -> dict[str, object]:
    """The end state of each record that was sent."""
    decoder = Decoder(RULES)
    return dict(fold_events(event for _, data in sent for event in decoder.decode(Delivery.unplaced(data))))


@settings(max_examples=20, deadline=None)  # each starts a process for Parquet
@given(rows=ROWS)
def test_any_form_of_a_table_gives_the_same_events(rows):
    """CSV, JSON, NDJSON and Parquet, plain and compressed: the same messages, and the same rows rejected."""
    rows = [("0", "Ada", "Lovelace", "ada@example.org", "030 1", ""), *rows]
    loads = {name: read_load(form(rows), RULES, name) for name, form in FORMS.items()}
    wanted = loads["people.csv"]
    for name, load in loads.items():
        assert load.survey.fault is None, name
        assert load.rejected == wanted.rejected, name
        assert [key for key, _ in load.sent] == [key for key, _ in wanted.sent], name
        assert states(load.sent) == states(wanted.sent), name


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, chunk_rows=st.integers(1, 9), piece_bytes=st.integers(1, 200), broken=st.lists(st.integers(0, 25)))
def test_where_a_file_is_cut_changes_nothing(rows, chunk_rows, piece_bytes, broken):
    """Chunks of any size, with stray quotes and ragged rows among them: the same rows, findings and messages."""
    lines = as_csv(rows).splitlines(keepends=True)
    for place in broken:
        lines.insert(1 + place, (b'1,"stray,x\n', b"1,2\n", b"\n\n", b'7,"a"b,,,,\n')[place % 4])
    content = b"".join(lines)
    whole = read_load(content, RULES)
    cut = read_load(content, RULES, limits=small(chunk_rows), piece_bytes=piece_bytes)
    assert cut.sent == whole.sent
    assert cut.quarantined == whole.quarantined
    assert cut.rejected == whole.rejected
    assert cut.verdict == whole.verdict
    assert cut.survey.sha256 == whole.survey.sha256


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, again=st.lists(st.integers(0, 24), max_size=8))
def test_skipped_rows_never_change_the_end_state(rows, again):
    """The last of equal rows counts: what is sent without the others folds to what all of them fold to."""
    rows += [rows[place] for place in again if place < len(rows)]
    load = read_load(as_csv(rows), RULES)
    named = [(*row, str(number)) for number, row in enumerate(rows)]
    every = read_load(as_csv(named, (*COLUMNS, "note")), RULES)
    assert every.survey.skipped == 0
    assert states(load.sent) == states(every.sent)
    assert load.survey.rows == sum(part.accepted + part.skipped + len(part.rejected) for part in load.findings)


def test_the_last_of_equal_rows_counts():
    """Row 1 says A, row 2 B, row 3 A again: the record ends as A, and row 1 is the one that is skipped."""
    rows = [("1", "Ada", "", "", "", ""), ("1", "Eve", "", "", "", ""), ("1", "Ada", "", "", "", "")]
    load = read_load(as_csv(rows), RULES)
    assert load.findings[0].skipped == 1
    (state,) = states(load.sent).values()
    assert dict(state.base.columns)["first"] == "Ada"
    assert [key for key, _ in load.sent] == ["person/crm/1"] * 2


@pytest.mark.parametrize("name", [name for name in FORMS if name.startswith(("people.csv", "people.ndj"))])
def test_lines_and_row_numbers_are_those_of_the_file(name):
    """A rejected row is told by its number among the rows and, in CSV, by its line in the file."""
    rows = [("1", "Ada", "", "", "", ""), ("", "two\nlines", "", "", "", ""), ("", "Eve", "", "", "", "")]
    load = read_load(FORMS[name](rows), RULES, name, limits=small(1))
    assert [(row.row, row.line) for part in load.findings for row in part.rejected] == (
        [(2, 3), (3, 5)] if ".csv" in name else [(2, 2), (3, 3)]
    )


def test_a_row_of_another_source_is_not_authorised():
    """A file of one source says nothing of another's records: neither its upserts nor its deletions."""
    content = as_csv(
        [("1", "Ada", "", "erp"), ("2", "Eve", "y", "crm"), ("3", "Bob", "", "")], (*["id", "first", "gone", "source"],)
    )
    two = {
        "person": replace(
            RULES["person"],
            sources={**RULES["person"].sources, "erp": replace(RULES["person"].sources["crm"], name="erp")},
        )
    }
    load = read_load(content, two)
    assert load.rejected == [(1, ("not_authorised",))]
    assert [key for key, _ in load.sent] == ["person/crm/2", "person/crm/3"]
    assert load.findings[0].unknown_records == 1


def test_rows_without_any_required_value_are_told_in_bounded_memory(tmp_path):
    """A file of nothing but keys: each row names its first empty columns alone, and findings are no larger for more."""
    columns = [f"c{number}" for number in range(60)]
    rules = rulesets(tmp_path, f"{{required: [{', '.join(columns)}], rejected_share_max: 1.0}}")
    header = ("id", "first", "gone", *columns)
    load = read_load(as_csv([(str(number), "Ada", "", *[""] * 60) for number in range(500)], header), rules)
    (findings,) = load.findings
    assert [len(row.reasons) for row in findings.rejected] == [REASONS_OF_ROW_MAX] * 500
    assert len(findings.to_json()) < 500 * 600
    assert findings == ChunkFindings.from_json(findings.to_json())


def test_late_members_are_not_lost():
    """A column of the rules that a late row is the first to have is filled; a member of no rule is counted."""
    rows = [{"id": str(number), "first": "Ada", "gone": ""} for number in range(5)]
    text = as_ndjson([list(row.values()) for row in rows], ("id", "first", "gone"))
    text = text.replace(b"{", b'{"gone": "", ', 1)
    late = b'{"id": "9", "email": "ada@example.org"}\n{"id": "10", "shoe": "41"}\n{"id": "11", "version": 3}\n'
    load = read_load(text + late, RULES, "people.ndjson", limits=FileLimits(header_rows=3))
    assert [data for _, data in load.sent if b"ada@example.org" in data]
    assert load.survey.late_members == 1
    assert load.rejected == [(8, ("unexpected",))]
    assert [each.code for each in load.verdict.warnings].count("late_members") == 1
