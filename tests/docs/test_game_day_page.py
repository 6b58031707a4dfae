"""The page of exercises names what there is: tests, alarms and commands; and ``make game-day`` runs just these."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from source_tree import ROOT

from mdm_stream.cli.registry import COMMANDS
from mdm_stream.local.alarms import load_alarms

PROGRAM = ROOT / "benchmarks" / "game_day.py"
PAGE = (ROOT / "docs" / "operate" / "game-day.md").read_text("utf-8")
ALARMS = load_alarms(ROOT / "infra" / "terraform" / "modules" / "observability" / "alarms.json")
ROWS = dict(re.findall(r"^\| \[([a-z-]+)\]\(#\1\) \| [^|]* \| ([^|]*) \|", PAGE, re.MULTILINE))
SECTIONS = dict(re.findall(r"^## ([a-z-]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
PARTS = ["Here", "Alarms", "What happened", "On AWS"]


@pytest.fixture(scope="module")
def program() -> ModuleType:
    """The program that ``make game-day`` starts."""
    sys.path.insert(0, str(PROGRAM.parent))
    try:
        spec = importlib.util.spec_from_file_location("game_day", PROGRAM)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(PROGRAM.parent))
    return module


def named_in(text: str) -> list[str]:
    """Return the tests that a text names, as pytest takes them."""
    return re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", text)


def test_page_and_program_have_the_same_exercises(program):
    """By name, in one order, with the same tests; each has its four parts."""
    assert list(ROWS) == list(SECTIONS) == list(program.EXERCISES)
    for name, section in SECTIONS.items():
        assert re.findall(r"^\* \*\*(.*?):\*\*", section, re.MULTILINE) == PARTS, name
        named = named_in(section)
        assert named[: len(program.EXERCISES[name])] == list(program.EXERCISES[name]), name
    assert len(SECTIONS) >= 12


@pytest.mark.parametrize("test", sorted({test for section in SECTIONS.values() for test in named_in(section)}))
def test_each_test_that_is_named_exists(test):
    """The file, and the function in it."""
    path, _, function = test.partition("::")
    text = (ROOT / path).read_text("utf-8")
    assert f"def {function}(" in text if function else "def test_" in text


def test_alarms_that_are_named_exist_and_fire_in_the_exercise():
    """Those of the table are those of the section; each is one of alarms.json."""
    for name, alarms in ROWS.items():
        named = set(re.findall(r"`([a-z-]+)`", alarms))
        assert named <= set(ALARMS), name
        (said,) = re.findall(r"^\* \*\*Alarms:\*\* (.*)$", SECTIONS[name], re.MULTILINE)
        assert named == set(re.findall(r"`([a-z-]+)`", said)) & set(ALARMS), name


def test_commands_that_are_named_exist():
    """Those of mdm-stream, by their first word; those of make, in the Makefile."""
    words = set(re.findall(r"`mdm-stream (\w[\w-]*)", PAGE))
    assert words
    assert words <= set(COMMANDS)
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"\bmake ([a-z-]+)", PAGE))
    assert "game-day" in targets
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_the_list_of_exercises_is_shown():
    """And a name that is none of them is refused, with those that there are."""
    done = subprocess.run([sys.executable, str(PROGRAM), "--list"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(ROWS)
    done = subprocess.run([sys.executable, str(PROGRAM), "--only", "none"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no exercise none" in done.stderr


def test_an_exercise_is_run_and_its_failure_is_an_exit_code(program, monkeypatch, capsys, tmp_path: Path):
    """Passed tests are a line with their count and time; a failed one is 1, and what it said is on stderr."""
    (tmp_path / "test_quick.py").write_text("def test_good():\n    pass\n\n\ndef test_bad():\n    assert False\n")
    quick = str(tmp_path / "test_quick.py")
    exercises = {"good": (f"{quick}::test_good",), "bad": (f"{quick}::test_bad",)}
    monkeypatch.setattr(program, "EXERCISES", exercises)
    monkeypatch.setattr(sys, "argv", ["game_day.py", "--only", "good"])
    assert program.main() == 0
    assert re.search(r"ok +good: 1 passed, \d+ s \(floor: no failure\)", capsys.readouterr().out)
    monkeypatch.setattr(sys, "argv", ["game_day.py"])
    assert program.main() == 1
    out, err = capsys.readouterr()
    assert "MISSED bad: 1 failed" in out
    assert "assert False" in err
