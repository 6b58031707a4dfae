"""The packs as they are, with columns mapped: pairwise F1 at their default thresholds, beside the best peer's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from labelled_sets import SETS
from show import Show

FLOORS: Mapping[str, float] = {
    "febrl1": 0.99,
    "febrl2": 0.995,
    "febrl3": 0.99,
    "febrl4": 0.992,
    "fake_1000": 0.90,
    "fodors_zagats": 0.96,
    "orgs_hard": 0.97,
}


def figures(show: Show, scratch: Path) -> None:  # noqa: ARG001 - as all sections
    """Resolve each set by the engine, and measure its clusters."""
    for name, floor in FLOORS.items():
        labelled = SETS[name]
        pairwise = labelled.outcome(labelled.rules()).pairwise
        show.figure(
            f"{name}, untrained: pairwise F1",
            f"{pairwise.f1:.4f} (precision {pairwise.precision:.4f}, recall {pairwise.recall:.4f}); "
            f"best peer {labelled.best_peer}",
            floor=f"{floor}",
            holds=pairwise.f1 >= floor,
        )
