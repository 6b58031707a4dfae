"""``mdm-stream rules test``: cases that say what rules must make of a few records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mdm_stream.cli.output import json_option, print_json, print_table, say

if TYPE_CHECKING:
    from mdm_stream.assess.case_model import CaseRecord
    from mdm_stream.assess.case_run import CaseOutcome


@click.command("test")
@click.argument("paths", nargs=-1, required=True, metavar="FILE|FOLDER...", type=click.Path(path_type=Path))
@click.option("--rules", metavar="FILE|PACK", help="The rule set of cases that name none themselves.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write a JUnit report there, too.")  # fmt: skip
@json_option
@click.pass_context
def rules_test(
    ctx: click.Context, *, paths: tuple[Path, ...], rules: str | None, junit: Path | None, as_json: bool
) -> None:
    """Run cases (YAML or CSV): records, and the clusters, questions and golden values that they must give.

    Each case is resolved as the stream would resolve its records. Of a case that fails, expected and actual stand side
    by side, with the evidence on the pairs that are wrong. Ends with 1 if a case fails, with 2 if one cannot be read.
    """
    from mdm_stream.assess.case_junit import junit_report  # noqa: PLC0415 - --help does without
    from mdm_stream.assess.case_run import outcome_as_json, read_cases, run_cases  # noqa: PLC0415
    from mdm_stream.files import write_atomically  # noqa: PLC0415

    outcomes = list(run_cases(read_cases(paths), rules))
    failed = [outcome for outcome in outcomes if outcome.failed]
    if junit is not None:
        write_atomically(junit, junit_report(outcomes))
    if as_json:
        counts = {"cases": len(outcomes), "passed": len(outcomes) - len(failed), "failed": len(failed)}
        print_json({**counts, "outcomes": [outcome_as_json(outcome) for outcome in outcomes]})
    else:
        for outcome in failed:
            _show(outcome)
        say(f"{len(outcomes):,} cases: {len(outcomes) - len(failed):,} passed, {len(failed):,} failed")
    if failed:
        ctx.exit(1)


def _show(outcome: CaseOutcome) -> None:
    """Write a failed case: its records, then expected and actual side by side, then why."""
    say(f"FAILED {outcome.case.place} {outcome.case.name}")
    records = outcome.case.records
    columns = list(dict.fromkeys(name for record in records for name in record.fields))
    rows = [(record.name, *(_cell(record, name) for name in columns)) for record in records]
    sides = [(column, *(row[place] for row in rows)) for place, column in enumerate(columns, 1)]
    print_table("", ("record", *(record.name for record in records)), sides, texts=True)
    compared = [
        (f"{check.kind} {check.about}".rstrip(), check.expected, check.actual, str(check.place.line))
        for check in outcome.failed
    ]
    print_table("", ("what", "expected", "actual", "line"), compared, texts=True)
    for reason in dict.fromkeys(reason for check in outcome.failed for reason in check.reasons):
        say(f"  {reason}")
    say()


def _cell(record: CaseRecord, name: str) -> str:
    value = record.fields[name].value if name in record.fields else None
    if value is None:
        return ""
    return " | ".join(map(str, value)) if isinstance(value, tuple) else str(value)
