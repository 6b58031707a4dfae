"""The page of the rule language's names, made by ``mdm_stream/rules/reference_page.py``.

``python tests/support/rules_reference.py`` writes it anew; ``--check`` writes nothing, and ends with 1 if that would.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mdm_stream.rules.reference_page import reference_page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "rules.md"


def main(arguments: list[str]) -> int:
    """Write or check the page; return the exit code."""
    made = reference_page()
    if arguments == ["--check"]:
        same = PAGE.exists() and PAGE.read_text("utf-8") == made
        sys.stdout.write("" if same else f"{PAGE.name} is not what the code says; run: make rules-reference\n")
        return 0 if same else 1
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
