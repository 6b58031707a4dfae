"""The sections of a ``make show-NAME`` that has a package of them.

Each module of the package is one section: it has the module's name, and the module's ``figures(show, scratch)`` prints
it, with a folder of its own to write to. A section needs nothing of another one, so they may run alone and in any
order.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

from show import Show


def sections_in(package: ModuleType, scratch: Path) -> dict[str, Callable[[Show], None]]:
    """Return what prints each section, by name, in the order of the names."""
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return {name: partial(_figures, package, name, scratch / name) for name in names}


def run_sections(package: ModuleType, description: str | None) -> int:
    """Run the sections that the command line names, or all; return the exit code: 1 if a floor is missed."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], help="names of sections")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mdm-show-") as scratch:
        sections = sections_in(package, Path(scratch))
        if unknown := sorted(set(options.only) - sections.keys()):
            parser.exit(1, f"no section {', '.join(unknown)}; there are {', '.join(sections)}\n")
        return Show().run(sections, options.only)


def _figures(package: ModuleType, name: str, scratch: Path, show: Show) -> None:
    scratch.mkdir()
    importlib.import_module(f"{package.__name__}.{name}").figures(show, scratch)
