"""``mdm-stream rules sweep``: other thresholds against precision, recall and the stewards' load."""

from __future__ import annotations

from pathlib import Path

import click

from mdm_stream.cli.labelled_set import NamedFiles, file_options, scored_files
from mdm_stream.cli.output import json_option, phases, print_csv, print_json, print_table, say
from mdm_stream.core.wire_formats import FormatName

_FILE = click.Path(dir_okay=False, path_type=Path)
_SHARE = click.FloatRange(0.0, 1.0, min_open=True)


@click.command()
@click.argument("rules")
@file_options(required=True)
@click.option("--truth", type=_FILE, required=True, help="CSV: source, record_id, entity_id (.gz too).")
@click.option(
    "--link", "links", type=_SHARE, multiple=True, help="A link threshold; eleven from 0.5 to 0.999 if left out."
)
@click.option("--review", "reviews", type=_SHARE, multiple=True, help="A review threshold beside that of the rules.")
@click.option("--cross-source", is_flag=True, help="Count only pairs of records of different sources.")
@click.option("--html", type=_FILE, metavar="FILE", help="Write a page with a chart there.")
@click.option("--csv", "as_csv", is_flag=True, help="Write the steps as CSV to stdout.")
@json_option
def sweep(
    *,
    rules: str,
    on: tuple[str, ...],
    format_: FormatName | None,
    sources: tuple[str, ...],
    as_of: str | None,
    truth: Path,
    links: tuple[float, ...],
    reviews: tuple[float, ...],
    cross_source: bool,
    html: Path | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Say what other thresholds of RULES (a path or pack) would make of labelled records: precision, recall, questions.

    Each pair is scored once, and clustered at each threshold. The last columns are about stewards: how many questions
    they would be asked, how many of them are matches, and the recall after each was answered right. The rules' own
    thresholds are among the steps, marked with `*`. Nothing is written but what is asked for.
    """
    from mdm_stream.assess.sweep import DEFAULT_LINKS, STEPS_MAX  # noqa: PLC0415 - --help does without
    from mdm_stream.assess.sweep import sweep as steps_of  # noqa: PLC0415
    from mdm_stream.assess.sweep_page import HEADINGS, sweep_page, sweep_row  # noqa: PLC0415
    from mdm_stream.evaluate import read_truth  # noqa: PLC0415
    from mdm_stream.files import write_atomically  # noqa: PLC0415

    if as_csv and as_json:
        raise click.UsageError("--csv and --json both write to stdout; choose one")
    wanted = links or DEFAULT_LINKS
    if (len(wanted) + 1) * (len(reviews) + 1) > STEPS_MAX:
        raise click.UsageError(f"more than {STEPS_MAX} pairs of thresholds; name fewer")
    entities = read_truth(truth)
    floor = min((*wanted, *reviews))
    with phases(quiet=as_json or as_csv) as advance:
        scored = scored_files(rules, NamedFiles(on, format_, sources, as_of), floor, advance)
        steps = []
        for step in steps_of(scored, entities, wanted, reviews, cross_source=cross_source):
            steps.append(step)
            advance("thresholds", len(steps), 0)
    sure = f"{len(scored.edges):,} of them at least {scored.floor:g} confident"
    facts = (
        f"{len(scored.refs):,} records, {len(scored.left):,} candidate pairs, {sure}",
        f"rules {rules}, digest {scored.rules.digest}",
        "pairs of different sources alone" if cross_source else "all pairs",
    )
    if html is not None:
        write_atomically(html, sweep_page(f"Thresholds of {scored.rules.domain}", facts, steps).encode())
    rows = [sweep_row(step) for step in steps]
    if as_json:
        counts = {"records": len(scored.refs), "candidate_pairs": len(scored.left), "digest": scored.rules.digest}
        print_json({**counts, "cross_source": cross_source, "steps": [step.as_dict() for step in steps]})
    elif as_csv:
        print_csv(HEADINGS, [tuple(cell.replace(",", "") for cell in row) for row in rows])
    else:
        marked = [(row[0] + " *" * step.current, *row[1:]) for step, row in zip(steps, rows, strict=True)]
        print_table("Thresholds", HEADINGS, marked)
        for fact in facts:
            say(fact)
