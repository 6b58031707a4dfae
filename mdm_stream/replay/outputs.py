"""The files that a replay writes.

Each is sorted by its key, so equal states give equal bytes; only the feed keeps the order of its sequence. Each is
readable by its user alone. People open CSV in spreadsheets, so no cell of it begins a formula; ``files.cell_text``
gives the record id back.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from mdm_stream.core.model import split_ref
from mdm_stream.core.reference import Resolution
from mdm_stream.files import open_private, spreadsheet_cell, write_atomically

CROSSWALK_FILE = "crosswalk.csv"
GOLDEN_FILE = "golden.jsonl"
REVIEW_FILE = "review.jsonl"
CHANGES_FILE = "changes.jsonl"
QUARANTINE_FILE = "quarantine.jsonl"
STATS_FILE = "stats.json"


def write_state(folder: Path, resolutions: Mapping[str, Resolution]) -> None:
    """Write crosswalk, golden records and review queue of all domains."""
    with open_private(folder / CROSSWALK_FILE, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["domain", "source", "record_id", "golden_id"])
        for domain, resolution in sorted(resolutions.items()):
            for ref in sorted(resolution.crosswalk, key=split_ref):
                cells = (domain, *split_ref(ref), resolution.crosswalk[ref])
                writer.writerow([spreadsheet_cell(cell) for cell in cells])
    ordered = [resolution for _, resolution in sorted(resolutions.items())]
    _write_lines(folder / GOLDEN_FILE, (r.golden[i] for r in ordered for i in sorted(r.golden)))
    _write_lines(
        folder / REVIEW_FILE,
        (
            r.review[pair]
            for r in ordered
            for pair in sorted(r.review, key=lambda p: (split_ref(p[0]), split_ref(p[1])))
        ),
    )


def write_quarantine(folder: Path, entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Write rejected events, one a line, by their id."""
    _write_lines(folder / QUARANTINE_FILE, (entries[entry_id] for entry_id in sorted(entries)))


def write_stats(folder: Path, stats: Mapping[str, Any]) -> None:
    """Write the figures of the run."""
    write_atomically(folder / STATS_FILE, orjson.dumps(stats, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def feed_writer(folder: Path) -> tuple[Callable[[bytes], None], Callable[[], None]]:
    """Return functions that append one message to the feed file, and close it."""
    file = open_private(folder / CHANGES_FILE, "wb")

    def append(message: bytes) -> None:
        file.write(message)
        file.write(b"\n")

    return append, file.close


def _write_lines(path: Path, documents: Iterable[Mapping[str, Any]]) -> None:
    with open_private(path, "wb") as file:
        for document in documents:
            file.write(orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE))
