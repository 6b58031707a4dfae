"""The labelled sets that matching is measured on: where they lie, their rules, and what F makes of them.

A set is ``NAME.records.csv.gz`` (source, record_id, attributes) and ``NAME.truth.csv.gz`` (source, record_id,
entity_id), in ``../shared/data/open`` or where ``MDM_LABELLED_SETS`` says. Its rules are ``examples/rules/NAME.yaml``,
which map columns to the attributes of a pack and say nothing else. The truth is used to measure, and for nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from trees import ROOT

from mdm_stream.core.ruleset import Ruleset
from mdm_stream.evaluate import Evaluation, evaluate, read_truth
from mdm_stream.frame import resolve_frame
from mdm_stream.rules import load_ruleset

FOLDER = Path(os.environ.get("MDM_LABELLED_SETS", ROOT.parent / "shared" / "data" / "open"))


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """A set. ``best_peer`` is the best pairwise F1 that was measured of another tool, at its defaults, and whose.

    Peers: Splink 5, dedupe 3 (which needs labels: 100), recordlinkage (ECM), goldenmatch 3.22. ``two_sources``: only
    pairs across sources count.
    """

    name: str
    best_peer: str
    two_sources: bool = False

    def rules(self) -> Ruleset:
        """Return the pack with the set's columns mapped."""
        return load_ruleset(ROOT / "examples" / "rules" / f"{self.name}.yaml")

    def rows(self) -> pd.DataFrame:
        """Return the records as ``resolve_frame`` takes them: texts, ``None`` where a cell is empty."""
        rows = pd.read_csv(FOLDER / f"{self.name}.records.csv.gz", dtype=str, keep_default_na=False)
        return rows.astype(object).where(rows != "", None)

    def truth(self) -> dict[tuple[str, str], str]:
        """Return the entity of each (source, record_id)."""
        return read_truth(FOLDER / f"{self.name}.truth.csv.gz")

    def outcome(self, rules: Ruleset) -> Evaluation:
        """Return how good the golden records are that F makes of the set: the engine's own, through an index."""
        crosswalk = resolve_frame(self.rows(), rules).crosswalk
        found = crosswalk.itertuples(index=False, name=None)
        clusters = {(source, record_id): golden_id for source, record_id, golden_id in found}
        return evaluate(clusters, self.truth(), cross_source=self.two_sources)


SETS: Mapping[str, LabelledSet] = {
    each.name: each
    for each in (
        LabelledSet("febrl1", "0.999 recordlinkage, 0.997 Splink"),
        LabelledSet("febrl2", "0.999 recordlinkage, 0.998 Splink"),
        LabelledSet("febrl3", "0.9999 recordlinkage, 0.996 Splink"),
        LabelledSet("febrl4", "0.999 recordlinkage, 0.998 Splink", two_sources=True),
        LabelledSet("fake_1000", "0.905 dedupe with labels, 0.901 Splink"),
        LabelledSet("fodors_zagats", "0.964 dedupe with labels", two_sources=True),
        LabelledSet("orgs_hard", "1.0 dedupe with labels"),
        LabelledSet("abt_buy", "0.541 goldenmatch", two_sources=True),
    )
}
