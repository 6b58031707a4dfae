"""The commands generate, evaluate, rules and doctor."""

import importlib.metadata
import re
import subprocess
import sys

import orjson
import pytest
from click.testing import CliRunner

from mdm_stream.cli import machine
from mdm_stream.cli.machine import Check
from mdm_stream.cli.main import cli, run
from mdm_stream.core.f_version import F_VERSION, STORED_FORMAT, f_digest
from mdm_stream.simulate import EVENT_FILES, write_population


def invoke(*argv):
    """Run a command in this process; its result has stdout and stderr apart."""
    return CliRunner().invoke(cli, [str(word) for word in argv], standalone_mode=False)


def test_generate_writes_the_population(tmp_path):
    """The command writes what the library writes, and says how to go on."""
    result = invoke("generate", "--people", 40, "--seed", 5, "--out", tmp_path / "a")
    assert "mdm-stream replay" in result.stdout
    write_population(tmp_path / "b", 40, 5)
    for path in sorted((tmp_path / "b").iterdir()):
        assert (tmp_path / "a" / path.name).read_bytes() == path.read_bytes()


def test_generate_speaks_json(tmp_path):
    """--json writes the manifest, one document, and nothing else."""
    result = invoke("generate", "--people", 5, "--out", tmp_path, "--json")
    assert orjson.loads(result.stdout) == orjson.loads((tmp_path / "manifest.json").read_bytes())


def test_generate_as_a_program_is_silent_off_a_terminal(tmp_path):
    """Run as a process with its output captured, it shows no progress bar."""
    program = [sys.executable, "-m", "mdm_stream.cli.main", "generate", "--people", "2000", "--out", str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert all((tmp_path / name).stat().st_size > 100_000 for name in EVENT_FILES.values())


@pytest.fixture
def labelled(tmp_path):
    """A crosswalk and a truth over four records."""
    crosswalk, truth = tmp_path / "crosswalk.csv", tmp_path / "truth.csv"
    crosswalk.write_text("domain,source,record_id,golden_id\np,a,1,g\np,b,1,g\np,b,2,g\np,z,9,h\n")
    truth.write_text("source,record_id,entity_id\na,1,e\nb,1,e\nb,2,f\nb,3,f\n")
    return crosswalk, truth


def test_evaluate_prints_a_table(labelled):
    """People get measures and counts, and hear of records that are on one side alone."""
    result = invoke("evaluate", "--crosswalk", labelled[0], "--truth", labelled[1])
    assert "pairwise" in result.stdout
    assert "0.3333" in result.stdout
    assert "1 records are missing from the crosswalk" in result.stdout


def test_evaluate_speaks_json(labelled):
    """Machines get the same numbers, and cross-source ones where asked."""
    every = orjson.loads(invoke("evaluate", "--crosswalk", labelled[0], "--truth", labelled[1], "--json").stdout)
    assert every["pairwise"] == {"precision": pytest.approx(1 / 3), "recall": 0.5, "f1": pytest.approx(0.4)}
    assert (every["missing_from_crosswalk"], every["missing_from_truth"]) == (1, 1)
    cross = ("evaluate", "--crosswalk", labelled[0], "--truth", labelled[1], "--json", "--cross-source")
    assert orjson.loads(invoke(*cross).stdout)["pairwise"]["precision"] == 0.5


def test_evaluate_refuses_a_wrong_file(capsys, labelled):
    """A truth without its columns is a usage error that names file and column."""
    assert run(["evaluate", "--crosswalk", str(labelled[0]), "--truth", str(labelled[0])]) == 2
    assert "no column entity_id" in capsys.readouterr().err


def test_rules_check_says_what_one_record_can_cost():
    """The candidates of a record are bounded by the rules alone: keys of each expression times the block size."""
    result = invoke("rules", "check", "person")
    assert re.search("a record has at most [0-9]{1,3},[0-9]{3} candidates, and keeps 32 links", result.stdout)


def test_rules_check_accepts_the_population_s_rules(tmp_path):
    """The rules that generate writes are usable and without warnings."""
    write_population(tmp_path, 1, 1)
    result = invoke("rules", "check", tmp_path / "rules.yaml")
    assert "usable; domain person" in result.stdout
    assert "3 sources" in result.stdout
    assert result.stdout.count("\n") == 3
    assert f"+{f_digest()}; F version {F_VERSION}, stored format {STORED_FORMAT} (" in result.stdout


def test_rules_check_explains_a_wrong_file(tmp_path, capsys):
    """A wrong rule set is told with file and line, on stderr, with exit code 2."""
    path = tmp_path / "rules.yaml"
    path.write_text("extends: person\nversion: 1\nsorces: {}\n")
    assert run(["rules", "check", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "rules.yaml:3" in err
    assert "Traceback" not in err


def test_rules_check_speaks_json(tmp_path, capsys):
    """--json gives the findings apart, and the same exit code."""
    path = tmp_path / "rules.yaml"
    path.write_text("extends: person\nversion: 1\nsorces: {}\n")
    assert run(["rules", "check", str(path), "--json"]) == 2
    document = orjson.loads(capsys.readouterr().out)
    assert document["usable"] is False
    assert [finding["line"] for finding in document["findings"]] == [3]


def test_rules_schema_is_one_json_document():
    """The schema is JSON Schema, for editors to validate against."""
    assert orjson.loads(invoke("rules", "schema").stdout)["type"] == "object"


def test_doctor_finds_this_machine_fit(capsys):
    """Where the tests run, everything needed is there; --json says so, check by check."""
    assert run(["doctor", "--json"]) == 0
    document = orjson.loads(capsys.readouterr().out)
    assert document["ok"] is True
    names = [check["name"] for check in document["checks"]]
    assert set(names) >= {"python", "click", "redis server", "ports on loopback", "disk", "memory", "clock", "java"}
    assert {"redis", "rapidfuzz", "pyarrow", "boto3"} <= set(names), "extras that an extra includes count"
    assert len(names) == len(set(names))


def test_doctor_warns_of_a_folder_that_others_can_write_to(tmp_path):
    """A state folder in it would be refused by `up`."""
    found = {check.name: check.status for check in machine.examine(tmp_path)}
    assert found["this folder"] == "ok"
    tmp_path.chmod(0o777)
    [check] = [check for check in machine.examine(tmp_path) if check.name == "this folder"]
    assert check.status == "warning"
    assert "--state" in check.advice


def test_doctor_advises_extras_that_exist(monkeypatch):
    """What it says to install can be installed: every extra that it names is one of the distribution."""
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda _name: None)
    advised = {extra for check in machine.examine() for extra in re.findall(r"mdm-stream\[(\w+)\]", check.advice)}
    assert "snowflake" in advised
    assert advised <= set(importlib.metadata.metadata("mdm-stream").get_all("Provides-Extra") or ())


def test_doctor_fails_where_something_needed_is_missing(monkeypatch, capsys):
    """One failed check is exit code 1, with what to do about it; optional absences are not."""
    monkeypatch.setattr(machine, "_redis", lambda: Check("redis server", "failed", "none", "install one"))
    assert run(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "FAILED" in out
    assert "-> install one" in out
    monkeypatch.setattr(machine, "_redis", lambda: Check("redis server", "ok", "9"))
    monkeypatch.setattr(machine.shutil, "which", lambda _name: None)
    assert run(["doctor"]) == 0
    assert "absent (optional)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("version", "wanted", "met"),
    [
        ("8.2", ">=8.2,<9", True),
        ("9.0.0", ">=8.2,<9", False),
        ("8.1.9", ">=8.2,<9", False),
        ("9.1.2.post2", "==9.1.2.post2", True),
        ("15.0.0", ">=14,<16", True),
        ("1.0", "", True),
    ],
)
def test_versions_are_compared_as_numbers(version, wanted, met):
    """8.10 is above 8.9, and missing parts are zero."""
    assert machine._satisfies(version, wanted) is met
    assert machine._satisfies("8.10", ">=8.9")
