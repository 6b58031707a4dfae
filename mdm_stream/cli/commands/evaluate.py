"""``mdm-stream evaluate``: precision, recall and F1 of a crosswalk or a rule set, and where they are lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.index_options import reveal_option
from mdm_stream.cli.labelled_set import NamedFiles, file_options, scored_files
from mdm_stream.cli.output import json_option, phases, print_json, print_table, say
from mdm_stream.core.wire_formats import FormatName
from mdm_stream.evaluate import evaluate as measure
from mdm_stream.evaluate import read_crosswalk, read_truth

if TYPE_CHECKING:
    from mdm_stream.assess.by_comparison import WrongPairs
    from mdm_stream.assess.labelled import ScoredSet
    from mdm_stream.assess.worst import WrongGroup
    from mdm_stream.evaluate import Evaluation

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--crosswalk", type=_FILE, help="CSV: domain, source, record_id, golden_id (.gz too).")
@click.option("--truth", type=_FILE, required=True, help="CSV: source, record_id, entity_id (.gz too).")
@click.option("--cross-source", is_flag=True, help="Count only pairs of records of different sources.")
@click.option("--rules", metavar="FILE|PACK", help="Rules that are applied to the files of --on.")
@file_options(required=False)
@click.option("--worst", type=click.IntRange(1, 1_000), metavar="N",
              help="Show N clusters that join most wrongly, and N entities that are most torn apart.")  # fmt: skip
@click.option("--by", type=click.Choice(["comparison"]), help="Count the wrong pairs at each level of each comparison.")
@reveal_option
@json_option
def evaluate(
    *,
    crosswalk: Path | None,
    truth: Path,
    cross_source: bool,
    rules: str | None,
    on: tuple[str, ...],
    format_: FormatName | None,
    sources: tuple[str, ...],
    as_of: str | None,
    worst: int | None,
    by: str | None,
    reveal: bool,
    as_json: bool,
) -> None:
    """Measure a crosswalk, or what rules make of files, against the truth: pairwise and B-cubed precision, recall, F1.

    A record that the crosswalk lacks counts as alone; one that the truth lacks is left out. `--worst` and `--by` need
    `--rules` and `--on`, and say where the figures are lost; values of sensitive attributes are shown with `--reveal`.
    """
    if bool(rules) != bool(on):
        raise click.UsageError("--rules and --on go together: rules, and the event files that they are applied to")
    if crosswalk is None and rules is None:
        raise click.UsageError("nothing to measure: name a --crosswalk, or --rules with --on")
    if (worst or by) and rules is None:
        raise click.UsageError("--worst and --by look at records: name them with --on, and the rules with --rules")
    if by and crosswalk is not None:
        raise click.UsageError("--by is about what the rules decide, not about a crosswalk; leave --crosswalk out")
    entities = read_truth(truth)
    scored: ScoredSet | None = None
    groups: list[WrongGroup] | None = None
    wrong: WrongPairs | None = None
    with phases(quiet=True) as advance:
        clusters = read_crosswalk(crosswalk) if crosswalk is not None else {}
        if rules is not None:
            from mdm_stream.assess.by_comparison import wrong_pairs  # noqa: PLC0415 - --help does without
            from mdm_stream.assess.labelled import own_outcome  # noqa: PLC0415
            from mdm_stream.assess.worst import worst_groups  # noqa: PLC0415

            scored = scored_files(rules, NamedFiles(on, format_, sources, as_of), None, advance)
            outcome = own_outcome(scored)
            clusters = clusters if crosswalk is not None else outcome.clusters()
            groups = worst_groups(scored, clusters, entities, worst) if worst else None
            wrong = wrong_pairs(scored, outcome, entities) if by else None
    result = measure(clusters, entities, cross_source=cross_source)
    if as_json:
        print_json(_document(result, scored, groups, wrong, reveal=reveal))
        return
    _show_result(result)
    if scored is not None and groups is not None:
        for group in groups:
            _show_group(scored, group, reveal=reveal)
    if wrong is not None:
        _show_wrong(wrong)


def _show_result(result: Evaluation) -> None:
    rows = [
        (name, f"{score.precision:.4f}", f"{score.recall:.4f}", f"{score.f1:.4f}")
        for name, score in (("pairwise", result.pairwise), ("B-cubed", result.b_cubed))
    ]
    title = "Pairs of different sources" if result.cross_source else "All pairs"
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


def _show_group(scored: ScoredSet, group: WrongGroup, *, reveal: bool) -> None:
    """Write a group: its records side by side, an attribute a line where any of them says anything."""
    sizes = " + ".join(f"{size:,}" for size in group.parts)
    kind = "of different entities in one cluster" if group.wrong == "joined" else "of one entity in different clusters"
    say()
    say(f"wrongly {group.wrong}: {sizes} records {kind}, {group.wrong_pairs:,} wrong pairs")
    values = [_values(scored, record.ref, reveal=reveal) for record in group.shown]
    rows = [
        ("entity", *(record.entity for record in group.shown)),
        ("cluster", *(record.cluster for record in group.shown)),
    ]
    for attribute in scored.rules.attributes:
        cells = [each.get(attribute.name, "") for each in values]
        if any(cells):
            rows.append((attribute.name, *cells))
    print_table("", ("", *(record.ref for record in group.shown)), rows, texts=True)
    for reason in group.reasons:
        say(f"  {reason}")


def _values(scored: ScoredSet, ref: str, *, reveal: bool) -> dict[str, str]:
    """Return the standardised values of a record as texts, those of sensitive attributes masked."""
    from mdm_stream.steward.describe import shown_value  # noqa: PLC0415 - --help does without

    record = scored.records.get(ref)
    found: dict[str, str] = {}
    for attribute, value in zip(scored.rules.attributes, record.values if record else (), strict=False):
        shown = shown_value(attribute, value.value, reveal=reveal)
        if shown is not None:
            found[attribute.name] = shown if isinstance(shown, str) else " | ".join(map(str, shown))
    return found


def _show_wrong(wrong: WrongPairs) -> None:
    say()
    say(f"{wrong.false_links:,} of {wrong.false_links + wrong.right_links:,} links are of two entities.")
    say(
        f"{wrong.missed_pairs:,} true pairs end apart: {wrong.not_compared:,} share no blocking key, "
        f"{wrong.linked_apart:,} are linked and kept apart by a conflict or a limit; the others are below."
    )
    rows = [
        (
            f"{each.comparison}: {each.level}",
            "" if each.bits is None else f"{each.bits:+.2f}",
            *(f"{count:,}" for count in (each.false_links, each.made, each.missed_links, each.lost, each.right_links)),
        )
        for each in wrong.levels
        if each.false_links or each.missed_links
    ]
    headings = ("level", "bits", "false links", "made by it", "missed links", "lost by it", "right links")
    print_table("Levels of the wrong pairs", headings, rows)


def _document(
    result: Evaluation,
    scored: ScoredSet | None,
    groups: list[WrongGroup] | None,
    wrong: WrongPairs | None,
    *,
    reveal: bool,
) -> dict[str, Any]:
    from dataclasses import asdict  # noqa: PLC0415 - --help does without

    document: dict[str, Any] = result.as_dict()
    if scored is not None and groups is not None:
        document["worst"] = [
            {
                **asdict(group),
                "shown": [
                    {**asdict(record), "values": _values(scored, record.ref, reveal=reveal)} for record in group.shown
                ],
            }
            for group in groups
        ]
    if wrong is not None:
        document["by_comparison"] = asdict(wrong)
    return document
