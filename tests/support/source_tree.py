"""What the tests about the code itself read: the project's files, parsed."""

from __future__ import annotations

import ast
import functools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("mdm_stream", "consumers", "producers")


@dataclass(frozen=True)
class Module:
    """One module of the distribution: its dotted name, its file, its text and its syntax tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        """Whether it is the module of a package (an ``__init__``)."""
        return self.path.name == "__init__.py"


@functools.cache
def modules() -> tuple[Module, ...]:
    """Every module of the distribution, by name."""
    return tuple(
        Module(_dotted(path), path, text, ast.parse(text, str(path)))
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for text in [path.read_text("utf-8")]
    )


def imports_of(module: Module) -> Iterator[tuple[int, str]]:
    """Yield ``(line, dotted name)`` of everything that a module imports, wherever in it and for whatever purpose.

    ``from a import b`` yields ``a.b``: whether b is a module or a name in one, the prefix says what is depended on.
    """
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            origin = ".".join([*parts, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def within(name: str, package: str) -> bool:
    """Whether a dotted name is the package or lies in it."""
    return name == package or name.startswith(package + ".")


def files_of_the_repository() -> list[Path]:
    """Every file that is committed, or would be by adding everything; an empty list outside a checkout."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        return []
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
