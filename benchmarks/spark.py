"""What F on Spark must show, a line a figure with its floor: ``make show-spark``.

    python benchmarks/spark.py [--only histories,...]

Each module of ``spark_sections`` is one section. Exits with 1 if a floor is missed or no section has one of the names.
"""

from __future__ import annotations

import sys

import spark_sections
from sections import run_sections

if __name__ == "__main__":
    sys.exit(run_sections(spark_sections, __doc__))
