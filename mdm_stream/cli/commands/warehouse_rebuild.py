"""``mdm-stream warehouse rebuild``: the tables of a warehouse that was dropped."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import click

from mdm_stream.cli.commands.feed import feed_deployment, follow_of, kind_of
from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import Advance, json_option, phases, print_json, say
from mdm_stream.errors import ConfigurationError

if TYPE_CHECKING:
    from mdm_stream.deployment import Deployment
    from mdm_stream.rebuild.warehouse_fill import WarehouseFill
    from mdm_stream.warehouse import WarehouseSettings

LOCK_WAIT_MS = 60_000
"""How long a DuckDB file is waited for: its consumer lets go of it when it is idle."""


@dataclass(frozen=True, slots=True)
class _GoesOn:
    """Where a consumer goes on that has applied nothing else: after ``marks`` by shard, or from ``at``."""

    marks: Mapping[str, str]
    at: str


@click.command()
@click.option("--from", "origin", type=click.Choice(["snapshot", "archive"]), required=True,
              help="A snapshot of the feed and the stream's tail, or the archive of change events.")  # fmt: skip
@click.option("--newest", is_flag=True, help="Of the snapshots that `feed snapshot --newest` takes: no history.")
@click.option("--no-tail", is_flag=True, help="Apply the snapshot alone.")
@click.option("--into-existing", is_flag=True, help="Also into tables with rows, such as those of a rebuild that was "
              "cut short: what is newer stays.")  # fmt: skip
@click.option("--file", metavar="FILE", help="A DuckDB file, in place of what the settings name.")
@deployment_options("state", "environment", "golden_stream", "endpoint", "s3_endpoint", "region", "archive", "claims",
                    "snapshots", "rules",
                    rules="With --from archive: the rule sets; those of the consumers if left out.")  # fmt: skip
@json_option
def rebuild(
    *,
    origin: Literal["snapshot", "archive"],
    newest: bool,
    no_tail: bool,
    into_existing: bool,
    file: str | None,
    rules: tuple[str, ...],
    as_json: bool,
    **where: Any,
) -> int:
    """Fill a warehouse that was dropped. Idempotent: killed anywhere, run it again with --into-existing.

    From a snapshot the tables are equal to those that were dropped, and its tail is applied up to the stream's end. The
    ordinary consumer may run meanwhile; otherwise start it at the place that is printed.

    From the archive, golden records, their provenance, the crosswalk of live records and evidence are equal. Sequence
    numbers, times of commit and the version of the rules are those of the replay, and what only the feed said is not
    there: history, retired golden ids, deleted records, rejected events, loads of files. It needs memory for the whole
    domain.
    """
    from mdm_stream.rebuild.warehouse_fill import WarehouseFill, require_empty  # noqa: PLC0415 - --help does without
    from mdm_stream.warehouse import open_warehouse  # noqa: PLC0415

    if origin == "archive" and (newest or no_tail):
        raise click.UsageError("--newest and --no-tail are of snapshots")
    found = feed_deployment(**where).overridden(rules=rules)
    settings = _settings(found, file)
    goes_on: _GoesOn | None = None
    with closing(open_warehouse(settings)) as warehouse, phases(quiet=as_json) as advance:
        if not into_existing:
            require_empty(warehouse)
        fill = WarehouseFill(warehouse, follow=follow_of(found), on_progress=advance)
        if origin == "archive":
            _from_archive(found, fill, advance)
        else:
            goes_on = _from_snapshot(found, fill, newest=newest, no_tail=no_tail)
    filled = fill.filled
    if as_json:
        print_json({
            "messages": filled.messages, "skipped": filled.skipped, "without_data": filled.without_data,
            "marks": dict(goes_on.marks) if goes_on else {}, "tail_from": goes_on.at if goes_on else None,
        })  # fmt: skip
    else:
        say(f"applied {filled.messages:,} messages")
        _tell(goes_on, found.golden_stream)
    if filled.skipped:
        say(f"{filled.skipped:,} messages are of a type that this release does not know", err=True)
    for identity in filled.without_data:
        say(f"the data of golden change {identity} is gone: rebuild its domain, which tells the feed anew", err=True)
    return 1 if filled.without_data else 0


def _from_snapshot(found: Deployment, fill: WarehouseFill, *, newest: bool, no_tail: bool) -> _GoesOn:
    from mdm_stream.aws.read_shards import StreamReader  # noqa: PLC0415 - as above

    manifest = fill.apply_snapshot(found.snapshots(), kind_of(newest=newest))
    marks, at = dict(manifest.marks), manifest.tail_from
    if not no_tail:
        if manifest.stream != found.golden_stream:
            marks = {}
        fill.apply_tail(StreamReader(found.kinesis(), found.golden_stream), marks)
    return _GoesOn(marks, at)


def _from_archive(found: Deployment, fill: WarehouseFill, advance: Advance) -> None:
    from mdm_stream.rebuild.warehouse_from_archive import ArchiveReplay  # noqa: PLC0415 - as above

    if not found.rules:
        raise ConfigurationError("name the rule sets that the consumers use with --rules")
    for _, ruleset in sorted(found.rulesets().items()):
        replay = ArchiveReplay(ruleset, found.archive(), on_progress=advance)
        fill.apply(replay.messages())
        for code, count in sorted(replay.counters.rejected.items()):
            say(f"{ruleset.domain}: {count:,} archived records are not accepted by these rules: {code}", err=True)


def _settings(found: Deployment, file: str | None) -> WarehouseSettings:
    from mdm_stream.warehouse import WarehouseSettings  # noqa: PLC0415 - as above

    settings = found.warehouse or WarehouseSettings.from_environment(os.environ)
    if file is not None:
        settings = WarehouseSettings(duckdb_path=file)
    return settings.model_copy(update={"lock_wait_ms": max(settings.lock_wait_ms, LOCK_WAIT_MS)})


def _tell(goes_on: _GoesOn | None, stream: str) -> None:
    if goes_on is None:
        say("the consumer goes on where it was: what the feed says from now on is newer than all of this")
        return
    say(f"a consumer goes on in {stream} after these records (one that ran meanwhile: where it is)")
    for shard, number in sorted(goes_on.marks.items()):
        say(f"  {shard} {number}")
    say(f"or, by time, from {goes_on.at}")
