"""``mdm-stream rules diff``: what another rule set would make of the same deliveries."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.event_inputs import accepted_events, named_inputs
from mdm_stream.cli.impact_shown import show_impact, write_impact
from mdm_stream.cli.options import archive_url_of, deployment_options
from mdm_stream.cli.output import Advance, json_option, phases, print_json, say
from mdm_stream.cli.spark_job import SparkHere, spark_here, spark_options
from mdm_stream.core.canonical import digest_of
from mdm_stream.core.wire_formats import WIRE_FORMATS, FormatName
from mdm_stream.deployment import as_url

if TYPE_CHECKING:
    from mdm_stream.cli.event_inputs import EventInput
    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.reconcile.impact import Impact
    from mdm_stream.reconcile.workspace import Workspace

ARCHIVE = "archive"
"""What ``--on`` calls everything that was delivered; a file of this name is ``./archive``."""
SAMPLES_MAX = 1_000
REASONS_SHOWN = 5


@click.command()
@click.argument("old")
@click.argument("new")
@click.option("--on", "on", multiple=True, required=True, metavar="archive|FILE",
              help="What both are applied to: everything delivered, or event files (.gz too).")  # fmt: skip
@click.option("--format", "format_", type=click.Choice(list(WIRE_FORMATS)), default=None,
              help="Of files; CSV by the file's name, the others by the shape of each line.")  # fmt: skip
@click.option("--source", "sources", multiple=True,
              help="The source of CSV rows without one, and of CDC rows of any table: one, or one a file.")  # fmt: skip
@click.option("--as-of", metavar="TIME", help="The time of a CSV load; that of the file if left out.")
@click.option("--samples", type=click.IntRange(0, SAMPLES_MAX), default=20, show_default=True,
              help="Of each kind of difference.")  # fmt: skip
@click.option("--report", "report_folder", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Write the report there, as JSON and as a page.")  # fmt: skip
@deployment_options("state", "archive", archive="The archive that --on means; that of the local stack if left out.")
@spark_options
@json_option
def diff(
    *,
    old: str,
    new: str,
    on: tuple[str, ...],
    format_: FormatName | None,
    sources: tuple[str, ...],
    as_of: str | None,
    samples: int,
    report_folder: Path | None,
    state: Path,
    archive: str | None,
    cores: int,
    memory: str,
    work: Path | None,
    as_json: bool,
) -> None:
    """Apply the rule sets OLD and NEW (paths or packs) to the same deliveries, and compare the two results.

    Says which clusters merge, split or move, which golden records and values change, and what becomes of the review
    queue, with samples of each kind, but no value of a record. Nothing is written: the index, the feed and the
    warehouse stay as they are. `--on archive` runs on Spark (extra 'spark', Java 17); files are read in this process,
    and have to fit in its memory. Ends with 0 whether or not something differs.
    """
    from mdm_stream.reconcile.impact import as_json as impact_json  # noqa: PLC0415 - --help does without
    from mdm_stream.reconcile.impact import require_comparable  # noqa: PLC0415
    from mdm_stream.rules import load_ruleset  # noqa: PLC0415

    if ARCHIVE in on and len(on) > 1:
        raise click.UsageError("--on takes the archive, or files; a file of that name is ./archive")
    if ARCHIVE in on and (format_ or sources or as_of):
        raise click.UsageError("--format, --source and --as-of are about files, not about the archive")
    before, after = load_ruleset(old), load_ruleset(new)
    require_comparable(before, after)
    rejected: dict[str, Counter[str]] = {"old": Counter(), "new": Counter()}
    with phases(quiet=as_json) as advance:
        if ARCHIVE in on:
            how = SparkHere(cores, memory, work)
            found = _on_archive(before, after, archive_url_of(state, archive), how, samples, rejected, advance)
        else:
            inputs = named_inputs(on, format_, sources, as_of, time.time_ns() // 1_000)
            found = _on_files(before, after, inputs, samples, rejected, advance)
    named = {"old": (old, before), "new": (new, after)}
    document = impact_json(found) | {"rules": {side: _about(*named[side], rejected[side]) for side in named}}
    write_impact(report_folder, document)
    if as_json:
        print_json(document)
        return
    show_impact(document)
    for side, counts in rejected.items():
        if counts:
            reasons = ", ".join(f"{count:,} {code}" for code, count in counts.most_common(REASONS_SHOWN))
            say(f"{counts.total():,} events or rows are not accepted by the {side} rules: {reasons}")


def _on_files(
    old: Ruleset,
    new: Ruleset,
    inputs: tuple[EventInput, ...],
    samples: int,
    rejected: Mapping[str, Counter[str]],
    advance: Advance,
) -> Impact:
    from mdm_stream.reconcile.impact_in_process import impact_in_process, state_of_events  # noqa: PLC0415 - see above

    states = []
    for side, rules in (("old", old), ("new", new)):
        events = accepted_events(inputs, {rules.domain: rules}, rejected[side], "nothing was compared")
        what = f"{side} rules: records"
        states.append(state_of_events(rules, events, lambda done, what=what: advance(what, done, 0)))  # type: ignore[misc]
    return impact_in_process(old.domain, *states, samples=samples)


def _on_archive(
    old: Ruleset,
    new: Ruleset,
    archive_url: str,
    how: SparkHere,
    samples: int,
    rejected: Mapping[str, Counter[str]],
    advance: Advance,
) -> Impact:
    from mdm_stream.reconcile.folded_states import ArchiveAt  # noqa: PLC0415 - see above
    from mdm_stream.reconcile.impact import impact_of  # noqa: PLC0415
    from mdm_stream.reconcile.recompute_both import recompute_both  # noqa: PLC0415
    from mdm_stream.reconcile.workspace import Workspace  # noqa: PLC0415

    # What another job has left is gone on with only if it was of the same rules and archive.
    job = digest_of([old.domain, old.digest, new.digest, archive_url])
    advance("starting Spark", 0, 0)
    with spark_here(how, "rules-diff") as (session, folder):

        def workspace_of(name: str) -> Workspace:
            def note(stage: str, seconds: float) -> None:
                advance(f"{name}: {stage} done in {seconds:.1f} s", 0, 0)

            return Workspace(session, (folder / job / name).as_uri(), note)

        both = recompute_both(session, workspace_of, old, new, ArchiveAt(as_url(archive_url)))
        for computed, counts in zip(both, rejected.values(), strict=True):
            counts.update(computed.counters.rejected)
        advance("comparing", 0, 0)
        before, after = (computed.state for computed in both)
        return impact_of(session, old.domain, before, after, samples=samples)


def _about(name: str, rules: Ruleset, rejected: Counter[str]) -> dict[str, Any]:
    return {"file": name, "version": rules.version, "digest": rules.digest, "rejected": dict(rejected.most_common())}
