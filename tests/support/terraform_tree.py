"""What lies under infra/terraform, read as text: the pure checks of it need no terraform."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from source_tree import ROOT

DOCS_PROGRAM = ROOT / ".ci" / "terraform_docs"
TERRAFORM = ROOT / "infra" / "terraform"
KINDS = ("modules", "environments", "examples")


def _loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS_PROGRAM / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


hcl = _loaded("hcl")


class Found(NamedTuple):
    """A block, and where it stands."""

    place: str
    block: object
    path: Path


def folders(*kinds: str) -> list[Path]:
    """Return the folders that hold configurations, of all kinds or of some."""
    return [path for kind in kinds or KINDS for path in sorted((TERRAFORM / kind).glob("*")) if any(path.glob("*.tf"))]


@cache
def blocks_of(path: Path) -> tuple:
    """Return the blocks of a file."""
    return tuple(hcl.read_blocks(path))


def files(*kinds: str) -> list[Path]:
    """Return all .tf files."""
    return [path for folder in folders(*kinds) for path in sorted(folder.glob("*.tf"))]


def resources(*types: str) -> Iterator[Found]:
    """Yield the resources, of some types or of all."""
    for path in files():
        for block in blocks_of(path):
            if block.type == "resource" and (not types or block.labels[0] in types):
                yield Found(f"{path.relative_to(TERRAFORM)}:{block.line}", block, path)


def statements() -> Iterator[Found]:
    """Yield the statements of IAM policies."""
    for path in files():
        for block in blocks_of(path):
            if block.type == "data" and block.labels[0] == "aws_iam_policy_document":
                for statement in block.all("statement"):
                    yield Found(f"{path.relative_to(TERRAFORM)}:{statement.line}", statement, path)


def variables(folder: Path) -> dict[str, object]:
    """Return the variables of a folder by name, in the order in which they stand."""
    found = {}
    for path in sorted(folder.glob("*.tf")):
        found |= {block.labels[0]: block for block in blocks_of(path) if block.type == "variable"}
    return found


_OPTIONAL = re.compile(r'(\w+)\s*=\s*optional\(\s*\w+\s*,\s*("[^"]*"|[\w.-]+)\s*\)')


def defaults_of(variable) -> dict[str, str]:
    """Return the defaults of the members of an object, as text; of those alone that have one."""
    return {name: value.strip('"') for name, value in _OPTIONAL.findall(variable.get("type").value)}


def reason_above(path: Path, line: int, word: str) -> bool:
    """Tell whether the line above one, of which the first has the number 1, is a comment that gives a reason."""
    return re.match(rf"\s*# {word}: \S.{{7,}}", path.read_text().split("\n")[line - 2]) is not None
