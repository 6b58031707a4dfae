"""Which modules of the project a handler can import: read from the sources, wherever in them an import stands.

A function carries these alone. Imports for type checkers do not count; a text that is a module's name does, since the
process that reads Parquet is started by it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

OWN = ("consumers", "mdm_stream", "producers")


def reachable(tree: Path, handlers: Iterable[str]) -> set[Path]:
    """Return the files of the modules in ``tree`` that importing the handlers' modules can lead to."""
    waiting, found = [handler.rpartition(".")[0] for handler in handlers], set()
    while waiting:
        name = waiting.pop()
        while name.partition(".")[0] in OWN:
            file = _file_of(tree, name)
            if file is not None and file not in found:
                found.add(file)
                waiting += _named_in(ast.parse(file.read_text("utf-8")))
            name = name.rpartition(".")[0]
    return found


def remove_unreachable(tree: Path, handlers: Iterable[str]) -> None:
    """Delete the project's other modules, and the data beside them, from ``tree``."""
    kept = reachable(tree, handlers)
    folders = {file.parent for file in kept}
    for name in OWN:
        for path in [path for path in (tree / name).rglob("*") if path.is_file()]:
            if path not in kept and (path.suffix == ".py" or not folders & set(path.parents[:-1])):
                path.unlink()


def _file_of(tree: Path, name: str) -> Path | None:
    path = tree.joinpath(*name.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


def _named_in(module: ast.Module) -> Iterator[str]:
    """Yield every name that may be a module's; the project has no relative imports."""
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        waiting += ast.iter_child_nodes(node)
