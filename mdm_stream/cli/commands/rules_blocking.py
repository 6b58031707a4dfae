"""``mdm-stream rules blocking``: what the blocking keys of a rule set make of event files."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mdm_stream.cli.event_inputs import accepted_events, named_inputs
from mdm_stream.cli.output import json_option, print_json, print_table, say
from mdm_stream.core.wire_formats import WIRE_FORMATS, FormatName

if TYPE_CHECKING:
    from mdm_stream.reconcile.blocking_in_process import BlockingReport, WholeKey
    from mdm_stream.reconcile.blocking_statistics import BlockStatistics

REASONS_SHOWN = 5
BLOCKS_SHOWN = 10
"""Of the largest blocks of all keys; ``--json`` has those of each."""


@click.command()
@click.argument("rules_file", metavar="RULES")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option("--format", "format_", type=click.Choice(list(WIRE_FORMATS)), default=None,
              help="Of files; CSV by the file's name, the others by the shape of each line.")  # fmt: skip
@click.option("--source", "sources", multiple=True,
              help="The source of CSV rows without one, and of CDC rows of any table: one, or one a file.")  # fmt: skip
@click.option("--as-of", metavar="TIME", help="The time of a CSV load; that of the file if left out.")
@click.option("--show-values", is_flag=True, help="Show the largest blocks' keys, which are personal data.")
@json_option
def blocking(
    *,
    rules_file: str,
    files: tuple[str, ...],
    format_: FormatName | None,
    sources: tuple[str, ...],
    as_of: str | None,
    show_values: bool,
    as_json: bool,
) -> None:
    """Say what the blocking keys of RULES (a path or a pack) make of the records of event FILEs (.gz too).

    For each key: its blocks and candidate pairs, which are closed (shared by too many records: suspended, or refined),
    and what it finds of the pairs that the rules link. For all of them: pairs an event, how many matches no key finds
    (an estimate by capture and recapture), and how many closed keys lose (an estimate from a sample, scored). The
    records have to fit in memory; of an archive, 'mdm-stream profile --tables' says the same by Spark.
    """
    from mdm_stream.reconcile.blocking_in_process import blocking_report  # noqa: PLC0415 - --help does without
    from mdm_stream.rules import load_ruleset  # noqa: PLC0415

    rules = load_ruleset(rules_file)
    rejected: Counter[str] = Counter()
    inputs = named_inputs(files, format_, sources, as_of, time.time_ns() // 1_000)
    report = blocking_report(rules, accepted_events(inputs, {rules.domain: rules}, rejected, "nothing was looked at"))
    refined = {each.text: each.refined_above for each in rules.blocking}
    document = asdict(report) | {"rejected": dict(rejected.most_common())}
    for each in document["expressions"]:
        each["refined_above"] = refined[each["expression"]]
    for each in document["largest"] if not show_values else ():
        del each["key"]
    if as_json:
        print_json(document)
        return
    _tell(report, refined, show_values=show_values)
    if rejected:
        counts = ", ".join(f"{count:,} {code}" for code, count in rejected.most_common(REASONS_SHOWN))
        say(f"{rejected.total():,} events or rows cannot be read under these rules: {counts}")


def _tell(report: BlockingReport, refined: Mapping[str, int | None], *, show_values: bool) -> None:
    from mdm_stream.reconcile.blocking_statistics import RECAPTURED_MIN  # noqa: PLC0415 - --help does without

    whole = {each.expression: each for each in report.whole_keys}
    shown = [each for each in report.expressions if each.records]
    print_table(
        f"{report.domain}: {report.records:,} live records",
        ("key", "closed above", "records", "keys", "largest", "closed", "pairs", "links", "only"),
        [_row(each, refined[each.expression], whole) for each in shown],
    )
    absent = [each.expression for each in report.whole_keys if not each.keys_a_record]
    if absent:
        say(f"no record has a key of: {', '.join(absent)}")
    print_table(
        "Largest blocks",
        ("key", "digest", "records", "", *(("value",) if show_values else ())),
        [
            (
                each.expression,
                each.digest,
                f"{each.records:,}",
                "closed" if each.closed else "",
                *((each.key.partition(":")[2],) if show_values else ()),
            )
            for each in sorted(report.largest, key=lambda each: -each.records)[:BLOCKS_SHOWN]
        ],
    )
    recall, lost = report.recall, report.lost
    keys = sum(each.keys_a_record for each in report.whole_keys)
    say(
        f"{report.pairs:,} candidate pairs, {report.pairs_a_record:.2f} an event; {recall.linked:,} of them link; "
        f"{keys:.1f} keys a record; the largest block at work has {report.largest_open:,} records"
    )
    useless = [each.expression for each in report.whole_keys if each.keys_a_record and not each.only]
    if recall.linked and useless:
        say(f"keys without a link of their own, of which one may go (then look again): {', '.join(useless)}")
    if recall.estimated_recall is not None:
        say(
            f"recall: the keys find an estimated {recall.estimated_recall:.1%} of the pairs that would link "
            f"(by the least favourable key {recall.estimated_recall_min:.1%}); pairs with little in them are not in it"
        )
    elif recall.linked >= RECAPTURED_MIN and not any(each.apart_linked for each in report.expressions):
        say("recall: cannot be estimated; it takes keys that read different attributes, and these all read the same")
    else:
        say("recall: too few links to estimate how many no key finds")
    if lost.in_closed_keys:
        say(
            f"closed keys: {lost.in_closed_keys:,} pairs share one; of {lost.sampled:,} looked at, {lost.unfound:,} "
            f"share no other key and {lost.linked:,} of these would link: an estimated {lost.estimated_links:,.0f} "
            f"(standard error {lost.standard_error:,.0f}) links lost"
        )
    else:
        say("closed keys: none; no pair is lost to a limit")


def _row(each: BlockStatistics, closed_above: int | None, whole: Mapping[str, WholeKey]) -> tuple[str, ...]:
    """Return the cells of an expression. What a key finds, it finds with what refines it, which is indented below."""
    own = whole.get(each.expression)
    name = (
        each.expression
        if own
        else next(
            f"  + {each.expression.removeprefix(f'{text} + ')}"
            for text in sorted(whole, key=len, reverse=True)
            if each.expression.startswith(f"{text} + ")
        )
    )
    counts = (each.records, each.keys, each.largest, each.suspended_keys, each.pairs)
    found = (f"{own.linked:,}", f"{own.only:,}") if own else (f"{each.linked:,}", "")
    above = "" if closed_above is None else str(closed_above)
    return (name, above, *(f"{count:,}" for count in counts), *found)
