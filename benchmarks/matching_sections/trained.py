"""Rules that ``init`` drafts and ``rules train`` learns, no labels and no edits: pairwise F1, calibration, seconds.

Each set is one file, given to the commands as it is; a command is a process of its own. ``MDM_TRAINED_SETS`` names the
sets, separated by commas, where not all are wanted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import orjson
from candidate_calibration import calibration_error
from commands import run
from labelled_sets import FOLDER, SETS
from show import Show

from mdm_stream.rules import load_ruleset

SETS_VARIABLE = "MDM_TRAINED_SETS"
FLOORS: Mapping[str, float] = {
    "febrl1": 0.997,
    "febrl2": 0.998,
    "febrl3": 0.998,
    "febrl4": 0.998,
    "fake_1000": 0.92,
    "fodors_zagats": 0.97,
    "orgs_hard": 0.98,
    "abt_buy": 0.65,
}
CALIBRATION_ERRORS_MAX: Mapping[str, float] = {"febrl4": 0.02, "fake_1000": 0.05}
SECONDS_MAX = 60
MEMORY_MAX = 12 * 1024**3
"""Of addresses, of which libraries reserve more than they use."""


def figures(show: Show, scratch: Path) -> None:
    """Draft, train and resolve each set."""
    wanted = os.environ.get(SETS_VARIABLE)
    for name in wanted.split(",") if wanted else FLOORS:
        file, rules_file = FOLDER / f"{name}.records.csv.gz", scratch / name / "rules.yaml"
        took = _command(["init", str(file), "--out", str(rules_file.parent), "--json"])
        init_s, inputs = took[0], [(each["file"], each["source"]) for each in orjson.loads(took[1])["inputs"]]
        read = [word for path, source in inputs for word in (path, "--source", source)]
        drafted = SETS[name].outcome(load_ruleset(rules_file)).pairwise.f1
        train_s, _ = _command(["rules", "train", str(rules_file), *read, "--use"])
        rules = load_ruleset(rules_file)
        pairwise = SETS[name].outcome(rules).pairwise
        show.figure(
            f"{name}, init and train: pairwise F1",
            f"{pairwise.f1:.4f} (precision {pairwise.precision:.4f}, recall {pairwise.recall:.4f}), {drafted:.4f} "
            f"before training; best peer {SETS[name].best_peer}",
            floor=f"{FLOORS[name]}",
            holds=pairwise.f1 >= FLOORS[name],
        )
        error, pairs = calibration_error(rules, SETS[name])
        said = f"{error:.4f} of {pairs:,} candidate pairs"
        if name in CALIBRATION_ERRORS_MAX:
            most = CALIBRATION_ERRORS_MAX[name]
            label = f"{name}, init and train: expected calibration error"
            show.figure(label, said, floor=f"at most {most}", holds=error <= most)
        else:
            show.fact(f"{name}, init and train: expected calibration error", said)
        show.figure(
            f"{name}, init and train: seconds",
            f"{init_s + train_s:.0f} ({init_s:.0f} and {train_s:.0f}; load {os.getloadavg()[0]:.1f})",
            floor=f"at most {SECONDS_MAX}",
            holds=init_s + train_s <= SECONDS_MAX,
        )


def _command(words: list[str]) -> tuple[float, str]:
    began = time.monotonic()
    ran = run(["-m", "mdm_stream.cli.main", *words], memory_max=MEMORY_MAX)
    if ran.code:
        raise RuntimeError(f"{words[0]} ended with {ran.code}: {ran.said[-500:]}")
    return time.monotonic() - began, ran.out
