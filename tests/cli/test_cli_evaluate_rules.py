"""``evaluate`` on rules, and ``rules sweep``: what they print, and what they keep to themselves."""

from __future__ import annotations

import json

import pytest

from mdm_stream.cli.main import run

RECORDS = """source,record_id,given_name,family_name,birth_date
crm,1,Ana,Souza,1980-05-06
crm,2,Ana,Souza,1980-05-06
erp,3,Ana,Souza,1980-05-06
erp,4,Rui,Lima,1951-01-02
crm,5,Rui,Costa,
"""
TRUTH = "source,record_id,entity_id\ncrm,1,ana\ncrm,2,ana\nerp,3,namesake\nerp,4,rui\ncrm,5,rui\n"


@pytest.fixture
def named(tmp_path):
    """The options that name a labelled set under the pack of persons."""
    (tmp_path / "records.csv").write_text(RECORDS)
    (tmp_path / "truth.csv").write_text(TRUTH)
    return ["--on", str(tmp_path / "records.csv"), "--truth", str(tmp_path / "truth.csv")]


def test_rules_are_measured_without_a_crosswalk(named, capsys):
    """What rules make of files is measured as the crosswalk of a replay would be."""
    assert run(["evaluate", "--rules", "person", *named, "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert (measured["true_pairs"], measured["found_pairs"], measured["correct_pairs"]) == (2, 3, 1)


def test_files_of_which_nothing_is_accepted_are_not_measured(named, capsys):
    """A wrong form of the file is an error that says so, and no F1 of 0."""
    assert run(["evaluate", "--rules", "person", *named, "--format", "csv_row", "--source", "crm"]) == 2
    assert "invalid_json; nothing is left to measure; do --format" in capsys.readouterr().err


def test_the_worst_are_shown_side_by_side_and_masked(named, capsys):
    """Records stand side by side; a sensitive value is shown where it is asked for, and not before."""
    assert run(["evaluate", "--rules", "person", *named, "--worst", "3"]) == 0
    out = capsys.readouterr().out
    assert "wrongly joined: 2 + 1 records of different entities in one cluster, 2 wrong pairs" in out
    assert "wrongly parted: 1 + 1 records of one entity in different clusters, 1 wrong pairs" in out
    assert "Souza" in out
    assert "1980-05-06" not in out
    assert run(["evaluate", "--rules", "person", *named, "--worst", "3", "--reveal"]) == 0
    assert "1980-05-06" in capsys.readouterr().out


def test_the_levels_of_wrong_pairs_are_counted(named, capsys):
    """Each level says how many wrong pairs are at it, and how many it made."""
    assert run(["evaluate", "--rules", "person", *named, "--by", "comparison"]) == 0
    out = capsys.readouterr().out
    assert "2 of 3 links are of two entities." in out
    assert "1 true pairs end apart: 1 share no blocking key" in out
    assert run(["evaluate", "--rules", "person", *named, "--by", "comparison", "--json"]) == 0
    levels = json.loads(capsys.readouterr().out)["by_comparison"]["levels"]
    (exact,) = [each for each in levels if (each["comparison"], each["level"]) == ("birth_date", "exact")]
    assert (exact["false_links"], exact["made"], exact["right_links"]) == (2, 2, 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rules", "person"], "--rules and --on go together"),
        ([], "nothing to measure"),
        (["--crosswalk", "x.csv", "--worst", "1"], "--worst and --by look at records"),
    ],
)
def test_options_that_do_not_fit_are_told(tmp_path, options, said, capsys):
    """A call that cannot be meant says what is missing."""
    (tmp_path / "truth.csv").write_text(TRUTH)
    assert run(["evaluate", "--truth", str(tmp_path / "truth.csv"), *options]) == 2
    assert said in capsys.readouterr().err


def test_a_sweep_is_a_table_a_page_and_csv(named, tmp_path, capsys):
    """Each form has each pair of thresholds, and the rules' own are marked."""
    page = tmp_path / "sweep.html"
    asked = ["rules", "sweep", "person", *named, "--link", "0.9", "--link", "0.9999999"]
    assert run([*asked, "--html", str(page)]) == 0
    out = capsys.readouterr().out
    assert "0.85 *" in out
    assert "<svg" in page.read_text()
    assert run([*asked, "--csv"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.startswith("link,review,precision,recall,F1")
    assert [row.split(",")[0] for row in rows] == ["0.85", "0.9", "1"]
    assert run([*asked, "--json"]) == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert [step["current"] for step in steps] == [True, False, False]
    assert steps[0]["precision"] == pytest.approx(1 / 3)
    assert steps[-1]["precision"] == 1.0
