"""``mdm-stream rebuild``: a domain's index anew from its archive, while events keep coming."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import Advance, json_option, phases, print_json, say
from mdm_stream.cli.spark_job import SparkHere, spark_here, spark_options
from mdm_stream.core.canonical import digest_of
from mdm_stream.deployment import Deployment, as_url
from mdm_stream.errors import ConfigurationError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.rebuild.read_published import Published
    from mdm_stream.rebuild.run import Rebuild, RebuildOptions, RebuildReport
    from mdm_stream.reconcile.spark_fill import SparkFill
    from mdm_stream.warehouse import Warehouse

LOCK_WAIT_MS = 60_000
"""How long the local warehouse's file is waited for while writers are held: its consumer lets go of it a second after
the last batch."""
LOCK_WAIT_BEFORE_MS = 5_000
"""And before that, when the consumer may never be idle."""


@click.command()
@deployment_options(
    "state",
    "environment",
    "rules",
    rules="Rule sets to resolve by from now on; those of the consumers if left out.",
)
@click.option("--domain", "domains", multiple=True, help="Only this domain; all that the rules have if left out.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes.")
@click.option("--grace", "grace_s", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS",
              help="How long a consumer may still publish what it read from an index that was lost.")  # fmt: skip
@click.option("--spark", "on_spark", is_flag=True,
              help="Recompute what is archived on Spark, for domains that take workers too long. Needs the extra "
              "'spark' and Java 17.")  # fmt: skip
@spark_options
@json_option
def rebuild(
    *,
    state: Path,
    environment: bool,
    rules: tuple[str, ...],
    domains: tuple[str, ...],
    workers: int,
    grace_s: float,
    on_spark: bool,
    cores: int,
    memory: str,
    work: Path | None,
    as_json: bool,
) -> None:
    """Make a new epoch of the index from the archive, and switch to it. Consumers keep running.

    For an index that is lost or not to be trusted, for new rules, and for a release with another F. Ids stay what they
    were; only differences to what was published before go to the golden feed. Consumers with other rules or another F
    than the new epoch's write nothing until they are started again with the new ones.
    """
    from mdm_stream.rebuild.run import RebuildOptions  # noqa: PLC0415 - --help does without

    deployment = Deployment.from_environment(os.environ) if environment else Deployment.from_local(state)
    deployment = deployment.overridden(rules=rules)
    rulesets = deployment.rulesets()
    unknown = sorted(set(domains) - rulesets.keys())
    if unknown:
        raise ConfigurationError(f"the rules have no domain {unknown[0]!r}; they have {', '.join(sorted(rulesets))}")
    options = RebuildOptions(workers=workers, publish_grace_s=grace_s)
    with phases(quiet=as_json) as advance, ExitStack() as stack:
        spark = stack.enter_context(spark_here(SparkHere(cores, memory, work), "rebuild")) if on_spark else None
        reports = [
            rebuilding(deployment, rulesets[domain], options, _of(domain, advance), spark).run()
            for domain in domains or sorted(rulesets)
        ]
    if as_json:
        print_json({"rebuilt": [asdict(report) for report in reports]})
        return
    for report in reports:
        tell_rebuilt(report)


def rebuilding(
    deployment: Deployment,
    rules: Ruleset,
    options: RebuildOptions,
    advance: Advance,
    spark: tuple[SparkSession, Path] | None = None,
) -> Rebuild:
    """Return the rebuild of one domain of a deployment, not begun yet; ``spark``: a session that does the first fill,
    and its folder.
    """
    from mdm_stream.rebuild.run import Rebuild  # noqa: PLC0415 - --help does without

    if spark is not None:
        options = replace(options, first=spark_fill(deployment, rules, *spark))
    return Rebuild(
        rules,
        deployment.redis_url,
        deployment.namespace,
        archive=deployment.archive(),
        golden=deployment.golden_publisher(),
        published=published_of(deployment, rules.domain, advance),
        options=options,
        on_progress=advance,
    )


def spark_fill(deployment: Deployment, rules: Ruleset, session: SparkSession, folder: Path) -> SparkFill:
    """Return the first fill of one domain on Spark."""
    from mdm_stream.reconcile.folded_states import ArchiveAt  # noqa: PLC0415 - --help does without
    from mdm_stream.reconcile.spark_fill import SparkFill  # noqa: PLC0415
    from mdm_stream.reconcile.workspace import Workspace  # noqa: PLC0415

    # What another job has left is gone on with only if it was of the same rules and archive.
    place = folder / digest_of(["fill", rules.domain, rules.digest, deployment.archive_url])
    return SparkFill(
        Workspace(session, place.as_uri()),
        rules,
        ArchiveAt(as_url(deployment.archive_url)),
        deployment.redis_url,
        deployment.namespace,
    )


def published_of(deployment: Deployment, domain: str, advance: Advance) -> Published:
    """Return how to read what was published of a domain."""
    from mdm_stream.rebuild.read_published import PublishedReader  # noqa: PLC0415 - --help does without

    def open_warehouse(is_worth_waiting: bool) -> Warehouse | None:
        lock_wait_ms = LOCK_WAIT_MS if is_worth_waiting else LOCK_WAIT_BEFORE_MS
        return deployment.open_warehouse(writing=False, lock_wait_ms=lock_wait_ms)

    return PublishedReader(
        domain,
        deployment.feed_reader(),
        open_warehouse,
        lambda messages: advance("reading feed and warehouse", messages, 0),
    )


def _of(domain: str, advance: Advance) -> Advance:
    return lambda what, done, expected: advance(f"{domain}: {what}", done, expected)


def tell_rebuilt(report: RebuildReport) -> None:
    """Say what a rebuild did."""
    before = f"in place of epoch {report.replaced}" if report.replaced else "where there was none"
    say(f"{report.domain}: epoch {report.epoch} is live, {before}")
    say(f"  rules and F {report.rules_digest}")
    say(f"  {report.rows:,} archived records, {report.states:,} record states, {report.golden:,} golden records")
    waited = f", waited {report.waited_s:.1f} s for consumers of the lost index" if report.waited_s else ""
    say(f"  filled in {report.fill_s:.1f} s{waited}; held writers for {report.held_s:.1f} s")
    say(f"  {report.told:,} changes for the golden feed")
    if report.excluded:
        say(f"  {report.excluded:,} events are taken out: mdm-stream source list")
    tell_left_out(report.rejected, report.faults)


def tell_left_out(rejected: Mapping[str, int], faults: Mapping[str, int]) -> None:
    """Say how many archived records have no part in the state, by reason, and by fault those that met one."""
    for code, count in sorted(rejected.items()):
        say(f"  {count:,} archived records are not accepted by these rules: {code}")
    for fault, count in sorted(faults.items()):
        say(f"  {count:,} of them {fault}")
