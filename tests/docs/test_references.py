"""Code and documents name only what exists: modules, files, and the places that their links lead to."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from source_tree import PACKAGES, ROOT, files_of_the_repository, modules

PROSE = (".lua", ".md", ".py", ".sh", ".sql", ".toml", ".yaml")
SOURCES = ("csv", "lua", "md", "py", "sql", "toml", "txt", "yaml")

DOTTED = re.compile(rf"(?<![\w./-])((?:{'|'.join(PACKAGES)})(?:\.[A-Za-z_]\w*)+)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
IN_BACKTICKS = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
PATH = re.compile(r"[\w.-]+(?:/[\w.*-]+)*/?")
ROLE = re.compile(r":(?:mod|class|func|meth|data|attr|exc|obj):`~?\.?([\w.]+)`")

OF_USERS = {"company.yaml", "crosswalk.csv", "golden.csv", "review.csv", "rules.yaml", "truth.csv"}
"""Files that an example has its reader make."""

NO_NAMES = {
    "mdm_stream.archive_format",  # a key in the metadata of Parquet files
    "mdm_stream.absent",  # what a test asks for because it is not there
}


def texts() -> list[Path]:
    """Return every file of the repository that holds prose."""
    named = [path for path in files_of_the_repository() if path.suffix in PROSE or path.name == "Makefile"]
    if not named:
        pytest.skip("not a checkout")
    return named


@functools.cache
def names_of(module: str) -> frozenset[str] | None:
    """Return every name that one module's text holds, or None if there is no such module."""
    found = [candidate for candidate in modules() if candidate.name == module]
    return frozenset(re.findall(r"\w+", found[0].text)) if found else None


def exists(dotted: str) -> bool:
    """Whether a dotted name is a module, or the name of something that the longest module in it mentions."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        names = names_of(".".join(parts[:length]))
        if names is not None:
            return set(parts[length:]) <= names
    return False


@functools.cache
def tracked() -> tuple[frozenset[str], frozenset[str]]:
    """Return the paths of all files and folders of the repository, and the base names of the files."""
    files = [path.relative_to(ROOT) for path in files_of_the_repository()]
    paths = {str(path) for path in files} | {str(folder) for path in files for folder in path.parents}
    return frozenset(paths), frozenset(path.name for path in files)


def is_there(text: str, beside: Path) -> bool:
    """Whether a path is that of a file or folder: from the root, in a package, or beside the text that names it."""
    paths, base_names = tracked()
    wanted = text.rstrip("/")
    if "/" not in text:
        return wanted in base_names
    bases = [
        "",
        "mdm_stream/",
        *(f"{folder.relative_to(ROOT)}/" for folder in beside.parents if ROOT in folder.parents),
    ]
    if "*" in wanted:
        return any(sorted(ROOT.glob(base + wanted)) for base in bases)
    return any(base + wanted in paths for base in bases)


def looks_like_ours(text: str) -> bool:
    """Whether a text in backticks is a path of the repository: a source file, or something in one of its folders."""
    if not PATH.fullmatch(text) or text in OF_USERS or text.startswith((".venv", "/")):
        return False
    if "." in text and text.rpartition(".")[2] in SOURCES and not text.startswith("."):
        return True
    return "/" in text and (ROOT / text.partition("/")[0]).is_dir()


def places(pattern: re.Pattern[str], files: list[Path]) -> Iterator[tuple[Path, str, str]]:
    """Yield file, where in it for people, and what was found, for each match."""
    for path in files:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            yield from ((path, f"{path.relative_to(ROOT)}:{number}", match[1]) for match in pattern.finditer(line))


def test_dotted_names_exist():
    """A module, class or function that code, comments or documents name by its full name is there."""
    missing = [
        f"{where}: {name}"
        for _, where, name in places(DOTTED, texts())
        if name not in NO_NAMES and not name.endswith("__") and not exists(name)
    ]
    assert missing == []


def test_roles_name_what_exists():
    """What a docstring refers to by a role is a module, or a name that occurs in our code."""
    code = [path for path in texts() if path.suffix == ".py"]
    known = {word for path in code for word in re.findall(r"\w+", path.read_text("utf-8"))} | {
        path.stem for path in code
    }
    missing = [f"{where}: {name}" for _, where, name in places(ROLE, texts()) if not set(name.split(".")) <= known]
    assert missing == []


def test_links_lead_somewhere():
    """Every relative link of a document leads to a file or folder, and to a heading if it names one."""
    dead = []
    for path, where, target in places(LINK, [path for path in texts() if path.suffix == ".md"]):
        if re.match(r"\w+:", target):
            continue
        file, _, heading = target.partition("#")
        goal = path.parent / file if file else path
        if not goal.exists() or (heading and heading not in headings_of(goal)):
            dead.append(f"{where}: {target}")
    assert dead == []


def headings_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_paths_exist():
    """A path in backticks that looks like one of the repository is one."""
    ours = [path for path in texts() if "fixtures" not in path.parts]  # fixtures name files of where they come from
    missing = [
        f"{where}: {text}"
        for path, where, text in places(IN_BACKTICKS, ours)
        if looks_like_ours(text) and not is_there(text, path)
    ]
    assert missing == []
