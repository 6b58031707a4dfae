"""``mdm-stream evaluate``: precision, recall and F1 of a crosswalk."""

from __future__ import annotations

from pathlib import Path

import click

from mdm_stream.cli.output import json_option, print_json, print_table, progress, say
from mdm_stream.evaluate import evaluate_files

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--crosswalk", type=_FILE, required=True, help="CSV: domain, source, record_id, golden_id (.gz too).")
@click.option("--truth", type=_FILE, required=True, help="CSV: source, record_id, entity_id (.gz too).")
@click.option("--cross-source", is_flag=True, help="Count only pairs of records of different sources.")
@json_option
def evaluate(*, crosswalk: Path, truth: Path, cross_source: bool, as_json: bool) -> None:
    """Measure a crosswalk against the truth: pairwise and B-cubed precision, recall and F1.

    A record that the crosswalk lacks counts as alone; one that the truth lacks is left out.
    """
    with progress() as advance:
        advance("evaluating", 0, 0)
        result = evaluate_files(crosswalk, truth, cross_source=cross_source)
    if as_json:
        print_json(result.as_dict())
        return
    rows = [
        (name, f"{score.precision:.4f}", f"{score.recall:.4f}", f"{score.f1:.4f}")
        for name, score in (("pairwise", result.pairwise), ("B-cubed", result.b_cubed))
    ]
    title = "Pairs of different sources" if cross_source else "All pairs"
    print_table(title, ("measure", "precision", "recall", "F1"), rows)
    say(
        f"{result.records:,} records of {result.entities:,} entities in {result.clusters:,} clusters; "
        f"{result.true_pairs:,} true pairs, {result.found_pairs:,} found, {result.correct_pairs:,} of them right."
    )
    if result.missing_from_crosswalk or result.missing_from_truth:
        say(
            f"{result.missing_from_crosswalk:,} records are missing from the crosswalk (counted as alone), "
            f"{result.missing_from_truth:,} from the truth (left out)."
        )
