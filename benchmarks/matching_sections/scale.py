"""120,000 rows from files to golden records: ``init``, ``rules train`` and ``replay``, each a process of its own.

The files are what the three systems of a generated population hold in the end, as CSV with columns of their own. A
command is ended above ``LIMIT_BYTES``. ``MDM_SCALE_ROWS`` takes another number of rows.
"""

from __future__ import annotations

import csv
import os
import sys
import time
from collections import defaultdict
from itertools import islice
from pathlib import Path

from blocking_growth import Part, last_rows
from process_memory import MB, watched
from show import Show

ROWS_VARIABLE = "MDM_SCALE_ROWS"
ROWS = 120_000
SECONDS_MAX = 600
LIMIT_BYTES = 6 * 1024 * MB


def figures(show: Show, scratch: Path) -> None:
    """Write the files, run the commands, and add up what they took."""
    rows = int(os.environ.get(ROWS_VARIABLE, ROWS))
    files = _written(scratch, rows)
    names = [path.stem for path in files]
    sources = [word for name in names for word in ("--source", name)]
    start = scratch / "start"
    plain = [str(start / path.name) if (start / path.name).exists() else str(path) for path in files]
    rules = str(start / "rules.yaml")
    steps = {
        "init": ["init", *map(str, files), *sources, "--out", str(start)],
        "rules train": ["rules", "train", rules, *plain, *sources, "--use"],
        "replay": ["replay", *plain, *sources, "--rules", rules, "--out", str(scratch / "result")],
    }
    seconds = cpu_s = 0.0
    most = 0
    for name, words in steps.items():
        began = time.monotonic()
        command = [sys.executable, "-m", "mdm_stream.cli.main", *words]
        code, use = watched(command, limit_bytes=LIMIT_BYTES, out=scratch / "printed.txt")
        if code:
            what = "more memory than it may have" if use.exceeded else f"exit code {code}"
            raise RuntimeError(f"{name} of {rows:,} rows ended with {what}")
        took, spent = time.monotonic() - began, sum(use.cpu_s.values())
        seconds, cpu_s, most = seconds + took, cpu_s + spent, max(most, use.total)
        load = f"load {os.getloadavg()[0]:.1f}"
        show.fact(f"{name}, {rows:,} rows", f"{took:.0f} s, {spent:.0f} s CPU, {use.total // MB:,} MB; {load}")
    show.figure(
        f"{rows:,} rows: init, rules train and replay together",
        f"{seconds:.0f} s, {cpu_s:.0f} s CPU",
        floor=f"at most {SECONDS_MAX} s",
        holds=seconds <= SECONDS_MAX,
    )
    show.figure(
        f"{rows:,} rows: peak memory of all processes of a command",
        f"{most // MB:,} MB",
        floor=f"at most {LIMIT_BYTES // MB:,} MB",
        holds=most <= LIMIT_BYTES,
    )


def _written(scratch: Path, count: int) -> list[Path]:
    """Write so many rows into a CSV file for each system; return the files, by name."""
    rows: dict[str, list[dict[str, object]]] = defaultdict(list)
    for number, (_, source, row) in enumerate(islice(last_rows(count, Part(0, 0, count)), count), start=1):
        rows[source].append({"id": number, **row})
    paths = []
    for source, of_source in sorted(rows.items()):
        path = scratch / f"{source}.csv"
        columns = list(dict.fromkeys(column for row in of_source for column in row))
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, columns)
            writer.writeheader()
            writer.writerows({name: _cell(value) for name, value in row.items()} for row in of_source)
        paths.append(path)
    return paths


def _cell(value: object) -> str:
    """Return a value as a cell: several ones with semicolons between."""
    if isinstance(value, list | tuple):
        return ";".join(map(str, value))
    return "" if value is None else str(value)
