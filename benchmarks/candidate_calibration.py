"""How far the confidence of candidate pairs is from the share of them that are matches, on a labelled set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from labelled_sets import LabelledSet

from mdm_stream.core.blocking.limits import block_limits
from mdm_stream.core.match.score_bulk import score_many
from mdm_stream.core.model import split_ref
from mdm_stream.core.record import build_record
from mdm_stream.core.reference import fold_events
from mdm_stream.core.ruleset import Ruleset
from mdm_stream.frame import frame_events
from mdm_stream.train.calibrate import reliability
from mdm_stream.train.pairs import candidate_pairs

EVERY_PAIR = 10**12


def calibration_error(rules: Ruleset, labelled: LabelledSet) -> tuple[float, int]:
    """Return the expected calibration error over all candidate pairs under these rules, and how many there are."""
    states = fold_events(frame_events(labelled.rows(), rules))
    records = {ref: build_record(rules, ref, state) for ref, state in sorted(states.items())}
    refs, values = list(records), [record.match for record in records.values()]
    pairs = candidate_pairs(
        [record.keys for record in records.values()], block_limits(rules), seed=0, pairs_max=EVERY_PAIR
    )
    confidence = np.zeros(len(pairs.left))
    everything = replace(rules, match=replace(rules.match, review=0.0))
    for place, score in score_many(everything, values, pairs.left, pairs.right):
        confidence[place] = score.confidence
    truth = labelled.truth()
    entities = [truth[split_ref(ref)] for ref in refs]
    ends = zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)
    matched = np.array([entities[a] == entities[b] for a, b in ends], np.float64)
    return reliability(confidence, matched).error, len(confidence)
