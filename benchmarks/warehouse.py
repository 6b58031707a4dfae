"""What the warehouse must show, a line a figure with its floor: ``make show-warehouse``.

    python benchmarks/warehouse.py [--only as_of,...]

Each module of ``warehouse_sections`` is one section. Exits with 1 if a floor is missed or no section has one of the
names.
"""

from __future__ import annotations

import sys

import warehouse_sections
from sections import run_sections

if __name__ == "__main__":
    sys.exit(run_sections(warehouse_sections, __doc__))
