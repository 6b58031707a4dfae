"""The verdict on a file: what fails, what waits for a person, what runs, and what is only to be looked at."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from file_loads import COLUMNS, NOW_US, as_csv, as_ndjson, read_load, rulesets

from mdm_stream.core.file_rules import FileRules
from producers.files.chunks import ChunkFindings
from producers.files.judge import Absences, LoadTimes, judge_load
from producers.files.profile import attribute_profiles, drift, merged
from producers.files.settings import FileLimits
from producers.files.survey import Survey

with tempfile.TemporaryDirectory() as folder:
    RULES = rulesets(Path(folder))

TWELVE_KINDS = {
    b"9,A\xffda,Lovelace,a@example.org,1,\n": "not_utf8",
    b"9," + b"x" * 300_000 + b",Lovelace,a@example.org,1,\n": "too_long",
    b"9," + b"x" * 1_100_000 + b",Lovelace,a@example.org,1,\n": "too_large",
    b'"",Ada,Lovelace,a@example.org,1,\n': "missing",
    b"1.5E+17,Ada,Lovelace,a@example.org,1,\n": "imprecise_key",
    b"9,Ada,Lovelace\n": "ragged_row",
    b"9,Ada,Lovelace,a@example.org,1,,extra\n": "ragged_row",
    b'9,"Ada"x,Lovelace,a@example.org,1,\n': "invalid_csv",
    b'9,"Ada,Lovelace,a@example.org,1,\n': "invalid_csv",
    b"9,A\x07da,Lovelace,a@example.org,1,\n": "control_character",
    b"x" * 300 + b",Ada,Lovelace,a@example.org,1,\n": "too_long",
    b"9\x01,Ada,Lovelace,a@example.org,1,\n": "control_character",
}
HEADER = b"id,first,last,email,phone,gone\n"


@pytest.mark.parametrize("chunk_rows", [1, 5, 1_000])
def test_bad_rows_of_twelve_kinds_cost_themselves_alone(chunk_rows):
    """Among good rows: each is rejected with its number and reason, and the counts add up."""
    good = [b"%d,Zo\xc3\xab,Lovelace,a@example.org,1,\n" % number for number in range(100, 124)]
    lines = [line for pair in zip(good[::2], TWELVE_KINDS, good[1::2], strict=True) for line in pair]
    load = read_load(HEADER + b"".join(lines), RULES, limits=FileLimits(chunk_rows=chunk_rows), piece_bytes=70_000)
    assert load.rejected == [(3 * place + 2, (code,)) for place, code in enumerate(TWELVE_KINDS.values())]
    assert len(load.sent) == 24
    assert [number for number, _ in load.quarantined] == [row for row, _ in load.rejected]
    verdict = load.verdict
    assert (verdict.rows, verdict.accepted, verdict.rejected, verdict.skipped) == (36, 24, 12, 0)
    assert sum(each.rows for each in verdict.rejected_rows) == 12
    assert verdict.decision == "run"


ROWS = [(str(number), f"Ada{number}", "Lovelace", f"a{number}@example.org", "1", "") for number in range(10)]


@pytest.mark.parametrize(
    ("files", "rows", "code"),
    [
        ("{rows_min: 11}", ROWS, "rows"),
        ("{rows_max: 9}", ROWS, "rows"),
        ("{rejected_share_max: 0.1}", [*ROWS, ("", "x", "", "", "", ""), ("", "y", "", "", "", "")], "rejected_share"),
        ("{unique: phone}", ROWS, "not_unique"),
        ("{columns: [shoes]}", ROWS, "columns"),
        ("{columns: [id, first], columns_exact: true}", ROWS, "columns"),
        ("{required: shoes}", ROWS, "columns"),
        ("{required: email, rejected_share_max: 0.05}", [*ROWS, ("a", "x", "", "", "1", "")], "rejected_share"),
        ("{load: full}", [*ROWS, ("", "x", "", "", "", "")], "unknown_records"),
    ],
)
@pytest.mark.parametrize("form", [as_csv, as_ndjson])
@pytest.mark.parametrize("chunk_rows", [3, 100])
def test_a_file_that_is_not_as_expected_is_held(tmp_path, files, rows, code, form, chunk_rows):
    """With its reason, as a whole, whatever its form is and wherever it is cut."""
    name = "people.csv" if form is as_csv else "people.ndjson"
    load = read_load(form(rows), rulesets(tmp_path, files), name, limits=FileLimits(chunk_rows=chunk_rows))
    assert load.verdict.decision == "held"
    assert code in [reason.code for reason in load.verdict.reasons]


def test_a_file_that_is_as_expected_runs(tmp_path):
    """All that the rules ask for holds of it."""
    files = (
        "{rows_min: 10, rows_max: 10, unique: [id, email], required: [email], load: full, "
        f"columns: [{', '.join(COLUMNS)}], columns_exact: true}}"
    )
    load = read_load(as_csv(ROWS), rulesets(tmp_path, files))
    assert (load.verdict.decision, load.verdict.reasons) == ("run", ())


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"first,last,gone\nAda,Lovelace,\n", "columns"),
        (b"id,gone,shoes\n1,,41\n", "columns"),
        (b"", "empty_file"),
        (b"id,id\n1,1\n", "header"),
    ],
)
def test_a_file_without_what_a_row_needs_fails(content, code):
    """Nothing of it can be sent, whoever would release it."""
    rules = RULES
    if b"shoes" in content:
        source = replace(RULES["person"].sources["crm"], deletion=None)
        rules = {"person": replace(RULES["person"], sources={"crm": source})}
    verdict = read_load(content, rules).verdict
    assert verdict.decision == "failed"
    assert [reason.code for reason in verdict.reasons] == [code]


def test_a_header_that_may_be_values_is_not_shown():
    """A file without a header has its first row as one: no report repeats it."""
    load = read_load(b"17,Ada,Lovelace\n18,Eve,Moneypenny\n", RULES)
    assert load.verdict.decision == "failed"
    assert load.survey.shown_columns == []
    assert "Ada" not in str(load.verdict)
    assert read_load(as_csv(ROWS), RULES).survey.shown_columns == list(COLUMNS)


@pytest.mark.parametrize(
    ("absences", "codes"),
    [
        (Absences(10, 2), []),
        (Absences(10, 3), ["deleted_share"]),
        (Absences(0, 0), []),
        (Absences(10, 0, versioned=False), ["no_deletions"]),
    ],
)
def test_a_full_load_that_deletes_too_much_is_held(absences, codes):
    """Past the share of the source's live records that the rules name, before anything is sent."""
    findings = [ChunkFindings(1, 1, 1, 0, 0)]
    verdict = judge_load(
        Survey("", 0), findings, FileRules("x/", load="full"), LoadTimes(NOW_US, NOW_US), absences=absences
    )
    assert [reason.code for reason in verdict.reasons] == codes


def test_late_and_out_of_order_loads_bring_warnings():
    """They run: versions decide what counts."""
    times = LoadTimes(NOW_US - 7_200_000_001, NOW_US, latest_other_us=NOW_US - 1, returned=True)
    rules = FileRules("x/", late_after_us=7_200_000_000)
    verdict = judge_load(Survey("", 0), [], rules, times)
    assert [each.code for each in verdict.warnings] == ["late", "out_of_order", "returned"]
    assert verdict.decision == "run"


def test_a_profile_is_the_same_wherever_a_file_is_cut():
    """Profiles of chunks merge to the profile of the whole."""
    rows = [(str(n), f"Ada{n % 40}", "x" * (n % 7), "" if n % 4 else "a@example.org", "+49", "") for n in range(2_000)]
    whole = read_load(as_csv(rows), RULES)
    parts = read_load(as_csv(rows), RULES, limits=FileLimits(chunk_rows=130))
    assert merged(each.profile for each in parts.findings) == merged(each.profile for each in whole.findings)
    by_name = {each.attribute: each for each in whole.verdict.profile}
    assert by_name["email"].completeness == 0.25
    assert by_name["given_name"].uniqueness == pytest.approx(40 / 2_000, rel=0.05)
    assert by_name["family_name"].length_max == 6
    assert by_name["family_name"].conformity is not None


DISTINCT = {"given_name": 100, "family_name": 5_000, "email": 60_000}


@pytest.fixture(scope="module")
def estimated():
    """The profiles of a file whose columns have few, many and only distinct values; one reading shows them all."""
    rows = [
        (str(n), f"Name {n % 100}", f"Name {n % 5_000}", f"n{n}@example.org", "", "") for n in range(DISTINCT["email"])
    ]
    return {each.attribute: each for each in read_load(as_csv(rows), RULES, piece_bytes=1_000_000).verdict.profile}


@pytest.mark.parametrize("attribute", DISTINCT)
def test_distinct_values_are_estimated_within_the_stated_error(estimated, attribute):
    """Three standard deviations of the sketch, 5 %."""
    found = estimated[attribute]
    assert found.uniqueness * found.values == pytest.approx(DISTINCT[attribute], rel=0.05)


def test_lengths_far_off_are_outliers():
    """One cell of 300 characters among a thousand short names."""
    rows = [(str(n), "Ada" * (100 if n == 7 else 1), "", "", "", "") for n in range(1_000)]
    (found,) = [each for each in read_load(as_csv(rows), RULES).verdict.profile if each.attribute == "given_name"]
    assert found.outliers == 0.001


def test_drift_is_told_against_the_mean_of_earlier_loads():
    """From three earlier loads on, past the tolerance of the rules, attribute by attribute and without a value."""
    usual = attribute_profiles(merged(each.profile for each in read_load(as_csv(ROWS), RULES).findings))
    empty = [(*row[:3], "", *row[4:]) for row in ROWS]
    now = attribute_profiles(merged(each.profile for each in read_load(as_csv(empty), RULES).findings))
    assert drift(now, [usual] * 2, 0.2) == []
    assert drift(usual, [usual] * 3, 0.2) == []
    assert [(each.code, each.path) for each in drift(now, [usual] * 3, 0.2)] == [("drift", "email")]
    assert drift(now, [usual] * 3, 1.0) == []
