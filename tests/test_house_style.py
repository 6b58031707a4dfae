"""The house rules that a machine can check. CONTRIBUTING says why they are rules."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from source_tree import ROOT, Module, files_of_the_repository, imports_of, modules, within

MODULE_LINES_MAX = 450
HANDLER_CODE_LINES_MAX = 40
FUNCTION_LINES_MAX = 80
assert HANDLER_CODE_LINES_MAX < FUNCTION_LINES_MAX < MODULE_LINES_MAX

IO_LIBRARIES = ("boto3", "botocore", "duckdb", "moto", "pandas", "pyspark", "redis", "snowflake", "valkey")

CLOCK_CHANCE_AND_OUTSIDE = (
    "asyncio",
    "logging",
    "multiprocessing",
    "os",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "threading",
    "time",
    "uuid",
)
"""What no core module may import, beside I/O libraries: the clock, chance, and what reaches outside the process."""

CLOCK_READINGS = {"now", "today", "utcnow"}

VAGUE_WORDS = {"data", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}

TYPE_NAME = re.compile(r"_?[A-Z]\w*[a-z]\w*")
"""How a class or a type alias is written, and no constant."""

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)

# Written with one-letter classes, so that this file holds none of what it forbids.
MACHINE_PATHS = re.compile(r"(?<![\w.{}$<-])/(roo[t]|hom[e]/\w|User[s]/\w|work/(?:mai[n]|share[d])|opt/wheel[s])")
REGISTRIES = re.compile(
    r"pyp[i]\.org|pythonhoste[d]\.org|registry\.npmj[s]|repo1?\.mave[n]|proxy\.golan[g]|--(?:extra-)?index-ur[l]|--find-link[s]"
)
LOOSE_ENDS = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X])\b")

ALL = modules()
CORE = [module for module in ALL if within(module.name, "mdm_stream.core")]
TEST_FILES = sorted((ROOT / "tests").rglob("test_*.py"))


def every(found: list[Module]) -> pytest.MarkDecorator:
    """Run a test once for each of the modules."""
    return pytest.mark.parametrize("module", found, ids=lambda module: module.name)


def test_core_loads_no_io_library():
    """Importing every module of the core, in a fresh interpreter, loads no library that could do I/O."""
    script = (
        "import importlib, sys\n"
        "for name in sys.argv[2:]: importlib.import_module(name)\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules} & set(sys.argv[1].split(','))))"
    )
    command = [sys.executable, "-c", script, ",".join(IO_LIBRARIES), *(module.name for module in CORE)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


@every(CORE)
def test_core_is_pure(module):
    """No core module asks for the clock, chance, the environment or anything outside the process."""
    impure = [
        f"line {line}: {name}"
        for line, name in imports_of(module)
        if name.partition(".")[0] in {*IO_LIBRARIES, *CLOCK_CHANCE_AND_OUTSIDE}
    ]
    readings = [
        f"line {node.lineno}: .{node.attr}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in CLOCK_READINGS
    ]
    assert impure + readings == []


@every(ALL)
def test_modules_are_short(module):
    """A module that grew past the limit has two purposes, and so do functions."""
    assert len(module.text.splitlines()) <= MODULE_LINES_MAX
    functions = [node for node in ast.walk(module.tree) if isinstance(node, FUNCTION)]
    long = [f.name for f in functions if f.end_lineno is not None and f.end_lineno - f.lineno >= FUNCTION_LINES_MAX]
    assert long == []


@every([module for module in ALL if module.name.startswith("consumers.") and module.path.stem == "handler"])
def test_handlers_are_thin(module):
    """A handler builds once, calls the engine and returns: it has no room for anything else."""
    prose = {line for node in _documented(module.tree) for line in _docstring_lines(node)}
    lines = enumerate(module.text.splitlines(), start=1)
    code = [line for number, line in lines if number not in prose and line.strip() and not line.strip().startswith("#")]
    assert len(code) < HANDLER_CODE_LINES_MAX


@every(ALL)
def test_names_say_what_they_mean(module):
    """No module or class is named after the vagueness of its purpose."""
    names = [module.name.rpartition(".")[2]]
    names += [node.name for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
    vague = [name for name in names if VAGUE_WORDS & set(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_"))]
    assert vague == []


def test_a_class_has_its_name_to_itself():
    """No other class, private or not, and no type alias has its name: who has met it once knows it everywhere."""
    classes: dict[str, list[str]] = {}
    aliases: dict[str, list[str]] = {}
    for module in ALL:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                classes.setdefault(node.name, []).append(module.name)
        for node in module.tree.body:
            for target in node.targets if isinstance(node, ast.Assign) else []:
                if isinstance(target, ast.Name) and TYPE_NAME.fullmatch(target.id):
                    aliases.setdefault(target.id, []).append(module.name)
    assert {name: places for name, places in classes.items() if len(places) > 1} == {}
    assert {name: (classes[name], places) for name, places in aliases.items() if name in classes} == {}


@every([module for module in ALL if module.tree.body])
def test_public_things_are_documented(module):
    """Every public module, class, function and method says what it promises."""
    assert list(_undocumented(module.tree)) == []


def _undocumented(scope: ast.Module | ast.ClassDef) -> Iterator[str]:
    """Yield what lacks a docstring in a public scope; functions within functions are private."""
    if not ast.get_docstring(scope):
        yield getattr(scope, "name", "the module")
    for node in scope.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _undocumented(node)
        elif isinstance(node, FUNCTION) and not (node.name.startswith("_") or ast.get_docstring(node)):
            yield from () if _is_described_elsewhere(node) else (node.name,)


def _is_described_elsewhere(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Overloads and setters are described where the function, or the property, itself is."""
    last_words = {getattr(decorator, "attr", getattr(decorator, "id", "")) for decorator in node.decorator_list}
    return not last_words.isdisjoint({"overload", "setter"})


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: str(path.relative_to(ROOT / "tests")))
def test_every_test_states_its_promise(path):
    """A test's docstring says what is promised, so that a failure says what was broken."""
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    tests = [node for node in nodes if isinstance(node, FUNCTION)]
    silent = [f"line {t.lineno}: {t.name}" for t in tests if t.name.startswith("test_") and not ast.get_docstring(t)]
    assert silent == []


def test_test_files_have_unique_names():
    """Without packages in ``tests``, two files of one name could not both be imported."""
    stems = [path.stem for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(stems) == sorted(set(stems))


@pytest.mark.parametrize(
    ("forbidden", "meaning"),
    [(MACHINE_PATHS, "a path of one machine"), (REGISTRIES, "a package registry"), (LOOSE_ENDS, "a loose end")],
    ids=["machine-paths", "registries", "loose-ends"],
)
def test_no_file_tells_of_where_it_was_made(forbidden, meaning):
    """No committed file names a developer's machine or a package registry, or promises to be finished later."""
    files = files_of_the_repository()
    if not files:
        pytest.skip("not a git checkout: there is no telling which files belong to it")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files
        for number, line in enumerate(_lines(path), start=1)
        if forbidden.search(line)
    ]
    assert found == [], f"{meaning} is named"


def _lines(path: Path) -> list[str]:
    """The lines of a text file; a binary one has none."""
    content = path.read_bytes()
    return [] if b"\0" in content else content.decode("utf-8", "replace").splitlines()


def _documented(tree: ast.Module) -> Iterator[ast.AST]:
    return (
        n for n in ast.walk(tree) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _docstring_lines(node: ast.AST) -> range:
    """The line numbers that a node's docstring takes up."""
    first = node.body[0] if node.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return range(first.lineno, (first.end_lineno or first.lineno) + 1)
    return range(0)
