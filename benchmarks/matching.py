"""What matching must show, a line a figure with its floor: ``make show-matching``.

    python benchmarks/matching.py [--only packs,...]

Each module of ``matching_sections`` is one section. Exits with 1 if a floor is missed or no section has one of the
names. ``make eval`` runs the sections about accuracy on labelled sets alone.
"""

from __future__ import annotations

import sys

import matching_sections
from sections import run_sections

if __name__ == "__main__":
    sys.exit(run_sections(matching_sections, __doc__))
