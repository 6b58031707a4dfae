"""Looking for texts in the bytes of files, in a process of its own: ``python scan.py``. Standard library alone.

A lock of POSIX belongs to the process, and closing any descriptor of a file gives up all locks that the process has on
it. So a process that has a DuckDB file open must not open that file in any other way, not even to read it: another
process could then write to it, and what the first one committed would be lost.

Reads a JSON object from standard input, ``{"files": [...], "texts": [...]}``, and writes the list of those files to
standard output whose bytes hold one of the texts. Standard input is no place where other users see the texts, as the
arguments of a process are. A file that is not there holds nothing.
"""

from __future__ import annotations

import json
import sys

PIECE_BYTES = 16 * 1024**2
"""Read at a time. Not mapped: DuckDB cuts its log off, and a map that has lost its file kills the process."""


def main() -> int:
    """Look into the files; return the exit code."""
    asked = json.load(sys.stdin)
    wanted = [text.encode("utf-8", "surrogatepass") for text in asked["texts"] if text]
    json.dump([file for file in asked["files"] if holds(file, wanted)], sys.stdout)
    return 0


def holds(file: str, wanted: list[bytes]) -> bool:
    """Tell whether a file's bytes hold one of some byte strings, none of which is empty."""
    overlap = max((len(each) for each in wanted), default=1) - 1
    try:
        with open(file, "rb") as handle:  # noqa: PTH123 - what pathlib needs takes longer to load than a file to read
            kept = b""
            while piece := handle.read(PIECE_BYTES):
                content = kept + piece
                if any(each in content for each in wanted):
                    return True
                kept = content[-overlap:] if overlap else b""
    except FileNotFoundError:
        return False
    return False


if __name__ == "__main__":
    sys.exit(main())
