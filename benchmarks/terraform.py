"""What `terraform apply` and its operation must show, a line a figure with its floor: ``make show-terraform``.

    python benchmarks/terraform.py [--only capacity,...]

Each module of ``terraform_sections`` is one section. Exits with 1 if a floor is missed or no section has one of the
names.
"""

from __future__ import annotations

import sys

import terraform_sections
from sections import run_sections

if __name__ == "__main__":
    sys.exit(run_sections(terraform_sections, __doc__))
