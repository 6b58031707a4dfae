"""Files of kinds not seen before, in eight languages: from the file to golden records without an edit by hand.

``init``, ``rules train --use`` and ``replay`` as the guide has them. The truth measures, and is used for nothing else.
"""

from __future__ import annotations

import time
from pathlib import Path

from commands import Ran, run
from foreign_files import FILES, ForeignFile
from show import Show

from mdm_stream.evaluate import evaluate_files

F1_MIN = 0.9
MINUTES_MAX = 5.0


def figures(show: Show, scratch: Path) -> None:
    """Go from each file to golden records, and measure them."""
    for file in FILES:
        _figure(show, file, scratch)


def _figure(show: Show, file: ForeignFile, scratch: Path) -> None:
    path, truth = file.write(scratch)
    out = scratch / f"{file.name}-rules"
    began_s = time.monotonic()
    drafted = _command("init", str(path), "--out", str(out))
    rules = str(out / "rules.yaml")
    data = next((each for each in out.glob("*.csv") if each.stem == file.name), path)
    trained = _command("rules", "train", rules, str(data), "--source", file.name, "--use")
    replayed = _command("replay", str(data), "--source", file.name, "--rules", rules, "--out", str(out / "result"))
    minutes = (time.monotonic() - began_s) / 60
    failed = next((ran for ran in (drafted, trained, replayed) if ran.code), None)
    if failed is not None and not (out / "result" / "crosswalk.csv").exists():
        show.figure(f"{file.name}: golden records", failed.said[-300:], floor="exit code 0", holds=False)
        return
    pairwise = evaluate_files(out / "result" / "crosswalk.csv", truth).pairwise
    show.figure(
        f"{file.name}: pairwise F1 by init, train and replay, no edit by hand",
        f"{pairwise.f1:.4f} (precision {pairwise.precision:.4f}, recall {pairwise.recall:.4f})"
        + (f"; rules train: {trained.said.strip()[-160:]}" if trained.code else ""),
        floor=f"{F1_MIN}",
        holds=pairwise.f1 >= F1_MIN,
    )
    show.figure(
        f"{file.name}: minutes from the file to golden records",
        f"{minutes:.1f}, {drafted.cpu_s + trained.cpu_s + replayed.cpu_s:.0f} s of CPU",
        floor=f"at most {MINUTES_MAX:.0f}",
        holds=minutes <= MINUTES_MAX,
    )


def _command(*arguments: str) -> Ran:
    return run(["-m", "mdm_stream.cli.main", *arguments])
