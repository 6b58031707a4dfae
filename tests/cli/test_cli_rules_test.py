"""``mdm-stream rules test`` as its users see it: output, exit codes, JSON and JUnit."""

from __future__ import annotations

import json

import pytest

from mdm_stream.cli.main import run

PASSING = """rules: person
cases:
  one:
    records:
      crm/1: {given_name: Ana, family_name: Souza, birth_date: 1980-05-06}
      crm/2: {given_name: Ana, family_name: Souza, birth_date: 1980-05-06}
    clusters: [[crm/1, crm/2]]
"""
FAILING = PASSING.replace("clusters: [[crm/1, crm/2]]", "separate: [[crm/1, crm/2]]")


@pytest.fixture
def cases(tmp_path):
    """A passing and a failing file of cases."""
    for name, text in (("good", PASSING), ("bad", FAILING), ("wrong", "cases: {one: {record: {}}}\n")):
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def test_cases_that_pass_end_with_0(cases, capsys):
    """One line says how many passed."""
    assert run(["rules", "test", str(cases / "good.yaml")]) == 0
    assert capsys.readouterr().out == "1 cases: 1 passed, 0 failed\n"


def test_a_failing_case_ends_with_1_and_shows_both_sides(cases, capsys):
    """Records, expected and actual are shown as their author wrote them, and the evidence."""
    assert run(["rules", "test", str(cases / "good.yaml"), str(cases / "bad.yaml")]) == 1
    out = capsys.readouterr().out
    assert "bad.yaml:3 one" in out
    assert "1980-05-06" in out
    assert "crm/1 / crm/2" in out
    assert "crm/1 + crm/2" in out
    assert "birth_date [exact] +12.5" in out
    assert out.endswith("2 cases: 1 passed, 1 failed\n")


def test_a_malformed_file_ends_with_2(cases, capsys):
    """It is no failed case: nothing was run."""
    assert run(["rules", "test", str(cases / "good.yaml"), str(cases / "wrong.yaml")]) == 2
    assert "wrong.yaml:1: unknown member 'record'" in capsys.readouterr().err


def test_json_and_junit_say_the_same(cases, capsys):
    """Programs read the outcome of every check; CI reads the report."""
    junit = cases / "out" / "report.xml"
    assert run(["rules", "test", str(cases / "bad.yaml"), "--json", "--junit", str(junit)]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["cases"], document["passed"], document["failed"]) == (1, 0, 1)
    (check,) = document["outcomes"][0]["checks"]
    assert (check["kind"], check["passed"], check["line"]) == ("separate", False, 7)
    assert 'failures="1"' in junit.read_text()


def test_cases_without_rules_ask_for_them(cases, capsys):
    """A case runs under rules that it or the command names."""
    (cases / "bare.yaml").write_text(PASSING.removeprefix("rules: person\n"))
    assert run(["rules", "test", str(cases / "bare.yaml")]) == 2
    assert "names no rules" in capsys.readouterr().err
    assert run(["rules", "test", str(cases / "bare.yaml"), "--rules", "person"]) == 0
