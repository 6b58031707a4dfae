"""Who may import whom: the contract in pyproject.toml holds, covers everything, and is what ARCHITECTURE shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from layers import PAGE, layers, packages, page_with_table
from source_tree import ROOT


def test_every_import_keeps_to_the_layers():
    """No package imports one above it or beside it, and only outer ones know producers and entry points."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


def test_every_package_is_in_a_layer():
    """The contract names each package and module of the project once."""
    named = [name for layer in layers() for name in layer]
    assert sorted(named) == sorted(packages())


def test_the_table_in_architecture_is_that_of_the_contract():
    """ARCHITECTURE shows the layers that are checked; ``make layers`` writes them anew."""
    page = PAGE.read_text("utf-8")
    assert page == page_with_table(page), "run `make layers`"
