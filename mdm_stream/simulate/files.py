"""A population written to a folder: one file a source as it would be captured, the truth, the rules, a manifest."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import orjson

from mdm_stream.core.times import format_time_us
from mdm_stream.errors import ConfigurationError
from mdm_stream.files import make_folder, open_private, write_atomically
from mdm_stream.simulate.demo_rules import DEMO_RULES
from mdm_stream.simulate.records import SOURCES
from mdm_stream.simulate.stream import EVENTS_PER_PERSON, Population, TruthRow, WireEvent, generate

EVENT_FILES = {"crm": "crm.debezium.jsonl", "erp": "erp.dms.jsonl", "web": "web.canonical.jsonl"}
TRUTH_FILE = "truth.csv"
RULES_FILE = "rules.yaml"
MANIFEST_FILE = "manifest.json"
PROGRESS_EVERY_EVENTS = 1_000

assert set(EVENT_FILES) == set(SOURCES)

Progress = Callable[[str, int, int], None]
"""Called now and then with what is being written, how much of it is, and about how much there will be."""


def write_population(
    out_dir: Path | str, people: int, seed: int, *, on_progress: Progress | None = None
) -> dict[str, Any]:
    """Write the population to ``out_dir``, made if absent, and return the manifest, which is written last.

    The same arguments give the same bytes. Files of an earlier run are replaced, each as a whole; others are left
    alone. The order of lines in a file is the order of delivery of its source. Raises ``ConfigurationError`` for a
    folder that cannot be written and ``ValueError`` for a number of people out of range.
    """
    population, out = generate(people, seed), Path(out_dir)
    try:
        make_folder(out)
        (out / MANIFEST_FILE).unlink(missing_ok=True)
        summary = _write_files(out, population, on_progress or _silent)
        write_atomically(out / RULES_FILE, DEMO_RULES.encode())
        manifest = _manifest(out, population, summary)
        write_atomically(out / MANIFEST_FILE, orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the population to {out}: {error.strerror}; choose a folder that can be written"
        ) from error
    return manifest


class _Summary:
    """Counts of what was written."""

    def __init__(self) -> None:
        self.kinds: dict[str, Counter[str]] = {source: Counter() for source in SOURCES}
        self.deliveries = self.repeated = self.late = self.records = 0
        self.entities: set[str] = set()
        self.first_us: int | None = None
        self.last_us = 0

    def add(self, event: WireEvent) -> None:
        self.deliveries += 1
        self.kinds[event.source][event.op] += not event.repeat
        self.repeated += event.repeat
        self.late += event.late and not event.repeat
        self.first_us = event.time_us if self.first_us is None else min(self.first_us, event.time_us)
        self.last_us = max(self.last_us, event.time_us)

    def add_truth(self, row: TruthRow) -> None:
        self.records += 1
        self.entities.add(row.entity_id)


def _write_files(out: Path, population: Population, on_progress: Progress) -> _Summary:
    """Write the event files and the truth in one pass; each gets its name once it is complete."""
    summary, expected = _Summary(), round(population.people * EVENTS_PER_PERSON)
    with ExitStack() as stack:
        files: dict[str, IO[bytes]] = {
            source: stack.enter_context(open_private(_partial(out / name), "wb"))
            for source, name in EVENT_FILES.items()
        }
        truth_file = stack.enter_context(open_private(_partial(out / TRUTH_FILE), "w", encoding="utf-8", newline=""))
        truth = csv.writer(truth_file, lineterminator="\n")
        truth.writerow(TruthRow._fields)

        def write_truth(row: TruthRow) -> None:
            truth.writerow(row)
            summary.add_truth(row)

        for event in population.events(write_truth):
            files[event.source].write(event.raw + b"\n")
            summary.add(event)
            if summary.deliveries % PROGRESS_EVERY_EVENTS == 0:
                on_progress("events", summary.deliveries, expected)
    for name in (*EVENT_FILES.values(), TRUTH_FILE):
        _partial(out / name).replace(out / name)
    on_progress("events", summary.deliveries, summary.deliveries)
    return summary


def _manifest(out: Path, population: Population, summary: _Summary) -> dict[str, Any]:
    names = (*EVENT_FILES.values(), TRUTH_FILE, RULES_FILE)
    replay = " ".join(("mdm-stream replay", *EVENT_FILES.values(), "--rules", RULES_FILE, "--out resolved"))
    return {
        "about": "An invented population over three sources, for trying mdm-stream out. No person in it is real.",
        "people": population.people,
        "seed": population.seed,
        "deliveries": summary.deliveries,
        "events": sum(counts.total() for counts in summary.kinds.values()),
        "repeated_deliveries": summary.repeated,
        "late_deliveries": summary.late,
        "event_kinds": {source: dict(sorted(counts.items())) for source, counts in summary.kinds.items()},
        "first_event_time": format_time_us(summary.first_us or 0),
        "last_event_time": format_time_us(summary.last_us),
        "records_alive": summary.records,
        "entities_alive": len(summary.entities),
        "files": {name: {"bytes": (out / name).stat().st_size, "sha256": _sha256(out / name)} for name in names},
        "try": [replay, f"mdm-stream evaluate --crosswalk resolved/crosswalk.csv --truth {TRUTH_FILE}"],
    }


def _silent(_what: str, _done: int, _expected: int) -> None:
    pass


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".partial")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
