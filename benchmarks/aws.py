"""What the parts of AWS must show, a line a figure with its floor: ``make show-aws``.

    python benchmarks/aws.py [--only packages,...]

Each module of ``aws_sections`` is one section. Exits with 1 if a floor is missed or no section has one of the names.
"""

from __future__ import annotations

import sys

import aws_sections
from sections import run_sections

if __name__ == "__main__":
    sys.exit(run_sections(aws_sections, __doc__))
