"""What training without labels makes of sets whose truth is known: pairwise F1 and calibration, before and after.

    python benchmarks/trained_matching.py [NAME...] [--data FOLDER] [--random-pairs N]

Clusters are connected components of links at the rules' threshold. The expected calibration error is over candidate
pairs. The truth is used to measure, and for nothing else. A line a set; ends with 1 where one is below its floor.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from trees import ROOT

from mdm_stream.core.cluster.clustering import connected
from mdm_stream.core.match.score_bulk import score_many
from mdm_stream.core.model import make_ref, split_ref
from mdm_stream.core.record import Record, build_record
from mdm_stream.core.reference import fold_events
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.evaluate import evaluate
from mdm_stream.frame import frame_events
from mdm_stream.rules import load_written
from mdm_stream.train.calibrate import reliability
from mdm_stream.train.gather import PairLimits
from mdm_stream.train.learn import in_use, learn
from mdm_stream.train.pairs import RANDOM_PAIRS_MAX, CandidatePairs, candidate_pairs

DATA = ROOT.parent / "shared" / "data" / "open"
FLOORS: Mapping[str, tuple[float, float]] = {
    "febrl1": (0.997, 0.02),
    "febrl2": (0.998, 0.02),
    "febrl3": (0.998, 0.02),
    "febrl4": (0.998, 0.02),
    "fake_1000": (0.92, 0.05),
    "fodors_zagats": (0.97, 0.05),
    "orgs_hard": (0.98, 0.05),
}
"""Pairwise F1 at the least, and the calibration error at the most, after training."""
TWO_SOURCES = frozenset({"febrl4", "fodors_zagats"})
"""Sets of which only pairs across sources count."""
EVERY_PAIR = 10**12


def records_of(rules: Ruleset, path: Path) -> dict[str, Record]:
    """Return the records of a file of rows, by reference."""
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    states = fold_events(frame_events(rows.where(rows != "", None), rules))
    return {ref: build_record(rules, ref, state) for ref, state in sorted(states.items())}


def truth_of(path: Path) -> dict[str, str]:
    """Return the entity of each record, by reference."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        return {make_ref(row["source"], row["record_id"]): row["entity_id"] for row in csv.DictReader(stream)}


def pairs_of(rules: Ruleset, records: Mapping[str, Record]) -> CandidatePairs:
    """Return every candidate pair."""
    keys, tags = [record.keys for record in records.values()], [each.tag for each in rules.blocking]
    return candidate_pairs(keys, tags, max_block_size=rules.max_block_size, seed=0, pairs_max=EVERY_PAIR)


def measured(
    rules: Ruleset, records: Mapping[str, Record], pairs: CandidatePairs, truth: Mapping[str, str], name: str
) -> tuple[float, float]:
    """Return pairwise F1, and the expected calibration error of candidate pairs."""
    refs, values = list(records), [record.match for record in records.values()]
    everything = replace(rules, match=replace(rules.match, review=0.0))
    scored = score_many(everything, values, pairs.left, pairs.right)
    confidence = np.zeros(len(pairs.left))
    for place, score in scored:
        confidence[place] = score.confidence
    links = [(refs[pairs.left[place]], refs[pairs.right[place]]) for place, score in scored if score.link]
    clusters = {ref: str(number) for number, members in enumerate(connected(refs, links)) for ref in members}
    found = evaluate(
        {split_ref(ref): cluster for ref, cluster in clusters.items()},
        {split_ref(ref): entity for ref, entity in truth.items()},
        cross_source=name in TWO_SOURCES,
    )
    ends = zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)
    matched = np.array([truth[refs[a]] == truth[refs[b]] for a, b in ends], np.float64)
    return found.pairwise.f1, reliability(confidence, matched).error


def main() -> int:
    """Measure each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(FLOORS))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--random-pairs", type=int, default=RANDOM_PAIRS_MAX)
    options = parser.parse_args()
    missed = 0
    for name in options.names:
        rules = load_written(ROOT / "examples" / "rules" / f"{name}.yaml")
        records = records_of(rules, options.data / f"{name}.records.csv.gz")
        truth = truth_of(options.data / f"{name}.truth.csv.gz")
        pairs = pairs_of(rules, records)
        before = measured(rules, records, pairs, truth, name)
        began_s = time.monotonic()
        learned = learn(rules, records, PairLimits(random_pairs_max=options.random_pairs))
        seconds = time.monotonic() - began_s
        after = measured(in_use(rules, learned.model), records, pairs, truth, name)
        floor, ceiling = FLOORS.get(name, (0.0, 1.0))
        good = after[0] >= floor and after[1] <= ceiling
        missed += not good
        print(
            f"{name:14} F1 {before[0]:.4f} -> {after[0]:.4f} (at least {floor}), calibration error {before[1]:.4f} -> "
            f"{after[1]:.4f} (at most {ceiling}), {len(pairs.left):,} pairs, {seconds:.1f} s: "
            f"{'ok' if good else 'MISSED'}",
            flush=True,
        )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
