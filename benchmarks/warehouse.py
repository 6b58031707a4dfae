"""What the warehouse must show, a line a figure with its floor: ``make show-warehouse``.

    python benchmarks/warehouse.py [--only as_of,...]

Each module of ``warehouse_sections`` is one section: it has the module's name, and the module's
``figures(show, scratch)`` prints it, with a folder of its own to write to. A section needs nothing of another one, so
they may run alone and in any order. Exits with 1 if a floor is missed or no section has one of the names.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import warehouse_sections
from show import Show


def sections_in(scratch: Path) -> dict[str, Callable[[Show], None]]:
    """Return what prints each section, by name, in the order of the names."""
    names = sorted(module.name for module in pkgutil.iter_modules(warehouse_sections.__path__))
    return {name: partial(_figures, name, scratch / name) for name in names}


def _figures(name: str, scratch: Path, show: Show) -> None:
    scratch.mkdir()
    importlib.import_module(f"{warehouse_sections.__name__}.{name}").figures(show, scratch)


def main() -> int:
    """Run the sections; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], help="names of sections")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mdm-warehouse-") as scratch:
        sections = sections_in(Path(scratch))
        if unknown := sorted(set(options.only) - sections.keys()):
            parser.exit(1, f"no section {', '.join(unknown)}; there are {', '.join(sections)}\n")
        return Show().run(sections, options.only)


if __name__ == "__main__":
    sys.exit(main())
