"""``rules test``: what cases say, how they fail, and how a file that is no case is told."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from source_tree import ROOT

from mdm_stream.assess.case_events import events_of
from mdm_stream.assess.case_junit import junit_report
from mdm_stream.assess.case_run import CaseOutcome, read_cases, run_cases
from mdm_stream.core.reference import resolve
from mdm_stream.engine.batch import Engine
from mdm_stream.errors import RulesError
from mdm_stream.index.memory import MemoryIndex
from mdm_stream.rules import load_ruleset
from mdm_stream.rules.findings import Findings

EXAMPLES = ROOT / "examples" / "cases"
ANA = "{given_name: Ana, family_name: Souza, birth_date: 1980-05-06}"
RUI = "{given_name: Rui, family_name: Souza, birth_date: 1980-05-06}"


def outcomes_of(folder: Path, text: str, name: str = "cases.yaml", rules: str | None = "person") -> list[CaseOutcome]:
    """Return the outcomes of a file of cases with this text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return list(run_cases(read_cases([path]), rules))


def case(records: str, expected: str) -> str:
    """Return the text of a file with one case."""
    return f"cases:\n  one:\n    records: {records}\n    {expected}\n"


def complaint(folder: Path, text: str, name: str = "cases.yaml") -> str:
    """Return what is said of a file of cases that cannot be used."""
    with pytest.raises(RulesError) as caught:
        outcomes_of(folder, text, name)
    return str(caught.value)


def test_the_examples_pass():
    """What the project shows as cases holds under the packs, in YAML and in CSV."""
    outcomes = list(run_cases(read_cases([EXAMPLES]), "person"))
    assert len(outcomes) == 7
    assert [outcome.failed for outcome in outcomes] == [()] * len(outcomes)


def test_a_case_gives_what_the_engine_gives():
    """Stream and cases agree: crosswalk, golden records and review queue of a case's events are the engine's."""
    for each in read_cases([EXAMPLES]):
        rules = load_ruleset("person")
        findings = Findings()
        events = events_of(each, rules, findings).events
        index = MemoryIndex(rules)
        engine = Engine(rules, index)
        engine.process(list(events))
        engine.drain()
        assert index.snapshot() == resolve(rules, events)
        assert not findings.errors


@pytest.mark.parametrize(
    ("expected", "shown"),
    [
        ("clusters: [[crm/1, crm/2]]", ("cluster", "crm/1 + crm/2", "crm/1 + crm/3 / crm/2")),
        ("clusters: [[crm/1, crm/3]]", ("cluster", "crm/1 + crm/3", "crm/1 + crm/3")),
        ("clusters: [[crm/1]]", ("cluster", "crm/1", "crm/1 + crm/3")),
        ("separate: [[crm/1, crm/3]]", ("separate", "crm/1 / crm/3", "crm/1 + crm/3")),
        ("review: [[crm/1, crm/2]]", ("review", "crm/1 ? crm/2", "nothing")),
        ("golden: {crm/1: {given_name: Anna}}", ("golden", "Anna", "Ana")),
        ("golden: {crm/1: {city: null}}", ("golden", "(none)", "(none)")),
        ("golden: {crm/3: {family_name: Souza}}", ("golden", "Souza", "Souza")),
    ],
)
def test_expected_and_actual_stand_side_by_side(tmp_path, expected, shown):
    """Each kind of expectation says what was expected and what came out, and passes if the two are equal."""
    records = f"{{crm/1: {ANA}, crm/2: {RUI}, crm/3: {ANA}}}"
    (outcome,) = outcomes_of(tmp_path, case(records, expected))
    (check,) = outcome.checks
    assert (check.kind, check.expected, check.actual) == shown
    assert check.passed == (shown[1] == shown[2])
    assert bool(outcome.failed) != check.passed


def test_a_wrong_pair_comes_with_its_evidence(tmp_path):
    """A failure names the level and the bits that speak loudest, and says where nothing was compared."""
    records = f"{{crm/1: {ANA}, crm/2: {RUI}, crm/3: {{given_name: Zoe, city: Porto}}}}"
    (outcome,) = outcomes_of(tmp_path, case(records, "clusters: [[crm/1, crm/2, crm/3]]"))
    reasons = outcome.failed[0].reasons
    assert any("birth_date [exact] +12.5" in reason and "given_name [other_name] -5" in reason for reason in reasons)
    assert any("not compared, as they share no blocking key" in reason for reason in reasons)


def test_a_record_that_the_stream_would_refuse_fails_its_case(tmp_path):
    """A case does not pass over a record that would be quarantined."""
    records = f"{{crm/1: {ANA}, crm/2: {{event_time: 1720-01-01, given_name: Ana}}}}"
    (outcome,) = outcomes_of(tmp_path, case(records, "golden: {crm/1: {given_name: Ana}}"))
    (check,) = outcome.failed
    assert (check.kind, check.about) == ("accepted", "crm/2")
    assert check.actual.startswith("refused: ")


def test_later_records_are_newer_and_event_time_says_otherwise(tmp_path):
    """Without a time a record is newer than those before it, so recency is tested without writing times."""
    later = f"{{crm/1: {ANA}, crm/2: {{given_name: Ana, family_name: Sousa, birth_date: 1980-05-06}}}}"
    rules = tmp_path / "rules.yaml"
    rules.write_text("extends: person\nversion: 1\nsurvivorship: {rules: {name: {strategies: [most_recent]}}}\n")
    text = case(later, "golden: {crm/1: {family_name: Sousa}}")
    (outcome,) = outcomes_of(tmp_path, text, rules=str(rules))
    assert outcome.failed == ()
    older = text.replace("crm/2: {", "crm/2: {event_time: 2025-01-01T00:00:00Z, ")
    (outcome,) = outcomes_of(tmp_path, older, rules=str(rules))
    assert [check.actual for check in outcome.failed] == ["Souza"]


SOURCES = """extends: person
version: 1
sources:
  crm: {attributes: {given_name: first_name, family_name: [prefix, last_name], birth_date: dob}}
"""


@pytest.mark.parametrize(
    "record",
    [
        "{first_name: Ana, prefix: de, last_name: Souza, dob: 06.05.1980}",
        "{given_name: Ana, family_name: de Souza, birth_date: 1980-05-06}",
    ],
)
def test_a_record_is_written_as_its_source_does_or_by_attributes(tmp_path, record):
    """Columns of the source test the mapping; attributes say the same without it. An id alone is of the only source."""
    (tmp_path / "rules.yaml").write_text(SOURCES)
    text = "rules: rules.yaml\n" + case(f"{{17: {record}}}", "golden: {17: {family_name: de Souza, given_name: Ana}}")
    (outcome,) = outcomes_of(tmp_path, text, rules=None)
    assert outcome.failed == ()


ULM = "    records: {crm/1: {city: Ulm}}\n"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("    recods: {a: {given_name: Ana}}", 3, "unknown member 'recods' of a case; did you mean 'records'"),
        ("    records: {crm/1: {given_nam: Ana}}\n    clusters: [[crm/1]]", 3, "did you mean 'given_name'"),
        (f"{ULM}    clusters:\n      - [crm/1]\n      - [crm/2]", 6, "no record 'crm/2'; did you mean 'crm/1'"),
        (f"{ULM}    clusters: [[crm/1], [crm/1]]", 4, "in two clusters"),
        (ULM, 2, "case 'one' expects nothing"),
        (f"{ULM}    golden: {{crm/1: {{town: Ulm}}}}", 4, "no attribute 'town'"),
        (f"{ULM}    clusters: crm/1", 4, "write [[a, b], [c]]"),
        (f"{ULM}    review: [[crm/1]]", 4, "'review' is about one record"),
        (f"{ULM}    rules: nothing.yaml\n    clusters: [[crm/1]]", 4, "there are no rules 'nothing.yaml'"),
        ("    clusters: [[a]]", 2, "case 'one' has no records"),
        ("    records: {crm/1: {city: {x: y}}}\n    clusters: [[crm/1]]", 3, "'city' is no value"),
        ("    records: {}\n  one: {}", 4, "'one' is given twice, first in line 2"),
    ],
)
def test_a_malformed_case_is_told_with_its_line(tmp_path, text, line, said):
    """What is wrong in a file of cases is said with the line, what was expected and what to do."""
    told = complaint(tmp_path, f"cases:\n  one:\n{text}\n")
    assert any(f"cases.yaml:{line}: " in each and said in each for each in told.splitlines()), told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("case: {}\n", "cases.yaml:1: unknown member 'case' of a file of cases; did you mean 'cases'"),
        ("", "cases.yaml: the file holds no file of cases; expected a mapping; write at least 'cases: {...}'"),
    ],
)
def test_a_file_that_is_no_file_of_cases_is_told(tmp_path, text, said):
    """The whole file is judged in the words of cases, not of rule sets."""
    assert said in complaint(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("name,record\n", 1, "no column case"),
        ("case,record,city\none,,Ulm\n", 2, "the row has no 'record'"),
        ("case,record,city,cluster\none,crm/1,Ulm,a\none,crm/1,Ulm,a\n", 3, "in this case twice"),
        ("case,record,city,cluster\none,crm/1,Ulm,a,b\n", 2, "5 cells, but the header names 4"),
        ("case,record,town,cluster\none,crm/1,Ulm,a\n", 2, "'town' is no attribute"),
        ("case;record;city;city\n", 1, "several columns are called 'city'"),
        ('case,record,city,cluster\none,crm/1,"Ulm\n,a', 2, "no well-formed CSV"),
    ],
)
def test_a_malformed_row_is_told_with_its_line(tmp_path, text, line, said):
    """Rows are checked as YAML is, by the line in which they begin."""
    told = complaint(tmp_path, text, "cases.csv")
    assert any(f"cases.csv:{line}: " in each and said in each for each in told.splitlines()), told


def test_a_folder_is_searched_and_rules_in_it_are_no_cases(tmp_path):
    """Rules may lie beside their cases; files are taken by name."""
    (tmp_path / "rules.yaml").write_text(SOURCES)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.yaml").write_text(case(f"{{crm/1: {ANA}}}", "clusters: [[crm/1]]"))
    (tmp_path / "a.csv").write_text("case;record;given_name;cluster\nfirst;crm/1;Ana;x\n")
    assert [each.name for each in read_cases([tmp_path])] == ["first", "one"]
    with pytest.raises(RulesError, match="the folder has no cases"):
        read_cases([tmp_path / "deep", *(path for path in [tmp_path / "none"] if not path.mkdir())])


def test_the_junit_report_has_a_suite_a_file_and_says_what_failed(tmp_path):
    """A CI system shows each case by its name, and of one that failed what was expected and what came out."""
    records = f"{{crm/1: {ANA}, crm/2: {RUI}}}"
    outcomes = outcomes_of(tmp_path, case(records, "clusters: [[crm/1, crm/2]]") + "  'b \\x07':\n    records: "
                           f"{records}\n    separate: [[crm/1, crm/2]]\n")  # fmt: skip
    root = ET.fromstring(junit_report(outcomes))
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    (suite,) = root
    assert suite.get("name", "").endswith("cases.yaml")
    first, second = suite
    failure = first.find("failure")
    assert failure is not None
    assert "expected: crm/1 + crm/2" in (failure.text or "")
    assert second.find("failure") is None
