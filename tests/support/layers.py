"""The table of layers in ARCHITECTURE.md, made from the import contract in pyproject.toml and the packages' docstrings.

``python tests/support/layers.py`` writes it anew.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "ARCHITECTURE.md"
BEGIN = "<!-- layers: written by `make layers` from pyproject.toml and the packages' docstrings -->"
END = "<!-- end of layers -->"


def layers() -> list[list[str]]:
    """Return the layers of ``mdm_stream``, lowest first; packages beside each other share one."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    listed = next(contract["layers"] for contract in contracts if contract["id"] == "layers")
    return [re.findall(r"[a-z_]+", layer) for layer in reversed(listed)]


def table() -> str:
    """Return the table: each package or module with its purpose, under the layer that it is in."""
    rows = ["| layer | package | purpose |", "|---|---|---|"]
    for number, names in enumerate(layers(), start=1):
        rows += [f"| {number} | `mdm_stream.{name}` | {_purpose(ROOT / 'mdm_stream' / name)} |" for name in names]
    rows += [f"| outside | `{name}` | {_purpose(ROOT / name)} |" for name in ("consumers", "producers")]
    return "\n".join(rows)


def page_with_table(page: str) -> str:
    """Return ARCHITECTURE's text with the table as it should be; ``ValueError`` if its place is not marked."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("ARCHITECTURE.md has no marks for the table of layers")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def packages() -> Iterator[str]:
    """Yield the name of every package and module directly in ``mdm_stream``."""
    for path in sorted((ROOT / "mdm_stream").iterdir()):
        if (path / "__init__.py").is_file() or (path.suffix == ".py" and path.stem != "__init__"):
            yield path.stem


def _purpose(path: Path) -> str:
    """Return the first sentence of a package's or module's docstring, as one line."""
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    words = " ".join((ast.get_docstring(ast.parse(source.read_text("utf-8"))) or "").split())
    sentence = re.split(r"(?<=[.])\s", words, maxsplit=1)[0].rstrip(".")
    return re.sub(r":class:`~?[\w.]*?(\w+)`|:mod:`([\w.]+)`", lambda found: f"`{found[1] or found[2]}`", sentence)


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text("utf-8")), "utf-8")
