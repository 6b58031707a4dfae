"""A Splink model served here: its match probabilities beside Splink's own, and the engine's rate under it.

Splink trains on generated records and scores pairs in an environment of its own (``make splink``); the model is then
imported, and the same pairs are scored one by one and in bulk, as the engine does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from engine_rates import in_turn, show_rate
from show import Show
from splink_parity import DIFFERENCE_MAX, delivered, differences, imported, records, run
from trees import ROOT

from mdm_stream.core.match.score_bulk import score_many
from mdm_stream.core.model import RecordEvent
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.core.standardise import standardise_record
from mdm_stream.rules import load_ruleset

RECORDS = 4_000
PAIRS = 10_000
SPLINK = ROOT / "build" / "splink" / "bin" / "python"
TERMS = ("given", "family", "city")


def figures(show: Show, scratch: Path) -> None:
    """Train by Splink, import, compare, and resolve the records with the model and without."""
    if not SPLINK.exists():
        said = "skipped: Splink is not installed; `make splink` does it"
        show.figure("Splink's match probability", said, floor="Splink is installed", holds=False)
        return
    rows = records(RECORDS, seed=5)
    pairs = run(str(SPLINK), scratch, rows, PAIRS)
    rules, _ = imported(scratch, TERMS)
    for how, off in (("one by one", differences(rules, rows, pairs)), ("in bulk", _in_bulk(rules, rows, pairs))):
        show.figure(
            f"match probability of {len(off):,} pairs, scored {how}, beside Splink's: largest difference",
            f"{max(off):.2e}",
            floor=f"at most {DIFFERENCE_MAX:.0e} of {PAIRS:,} pairs",
            holds=len(off) >= PAIRS and max(off) <= DIFFERENCE_MAX,
        )
    events = [
        RecordEvent(rules.domain, "crm", row["ref"], "upsert", 1, number, delivered(row))
        for number, row in enumerate(rows, start=1)
    ]
    served = {"model of Splink": rules, "weights as written": _as_written(scratch)}
    show_rate(show, f"{RECORDS:,} records", in_turn(served, events), "model of Splink", "weights as written")


def _in_bulk(rules: Ruleset, rows: Sequence[dict[str, object]], pairs: Sequence[dict[str, str]]) -> list[float]:
    """Return how far the confidence of each pair, scored with all others at once, is from Splink's."""
    everything = replace(rules, match=replace(rules.match, review=0.0))
    places = {str(row["ref"]): place for place, row in enumerate(rows)}
    values = [tuple(each.match for each in standardise_record(rules, "", delivered(row))) for row in rows]
    left, right = (np.array([places[pair[side]] for pair in pairs]) for side in ("ref_l", "ref_r"))
    confidence = np.zeros(len(pairs))
    for place, score in score_many(everything, values, left, right):
        confidence[place] = score.confidence
    expected = np.array([float(pair["match_probability"]) for pair in pairs])
    return np.abs(confidence - expected).tolist()


def _as_written(folder: Path) -> Ruleset:
    """Return the imported rules without their model."""
    written = yaml.safe_load((folder / "rules.yaml").read_text("utf-8"))
    del written["match"]["model"]
    (folder / "written.yaml").write_text(yaml.safe_dump(written, sort_keys=False), "utf-8")
    return load_ruleset(folder / "written.yaml")
