"""``mdm-stream rules deploy``, ``rollback`` and ``accept``: other rules in the place of those that are in use."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.commands.rebuild import rebuilding, spark_fill
from mdm_stream.cli.impact_shown import show_impact, write_impact
from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import Advance, json_option, phases, print_json, say
from mdm_stream.cli.spark_job import SparkHere, spark_here, spark_options
from mdm_stream.core.canonical import digest_of
from mdm_stream.deployment import Deployment
from mdm_stream.errors import ConfigurationError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.rebuild.run import RebuildReport
    from mdm_stream.reconcile.spark_fill import SparkFill
    from mdm_stream.reconcile.switch import RulesSwitch, SwitchForecast, SwitchOutcome


@dataclass(slots=True)
class _Asked:
    """What the one who is asked is shown, and how."""

    yes: bool
    as_json: bool
    report_folder: Path | None
    advance: Advance
    forecast: SwitchForecast | None = None


@click.command()
@click.argument("file", metavar="RULES")
@deployment_options(
    "state", "environment", "rules", rules="Rule sets that are in use; those of the consumers if left out."
)
@click.option("--yes", is_flag=True, help="Switch without asking.")
@click.option("--grace", "grace_s", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS",
              help="How long a consumer may still publish what it read from an index that was lost.")  # fmt: skip
@click.option("--settle", "settle_s", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS",
              help="Until what was committed is archived: the resolve function's time-out.")  # fmt: skip
@click.option("--samples", type=click.IntRange(0, 1_000), default=20, show_default=True,
              help="Of each kind of difference.")  # fmt: skip
@click.option("--report", "report_folder", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Write the forecast there, as JSON and as a page.")  # fmt: skip
@spark_options
@json_option
def deploy(
    *,
    file: str,
    state: Path,
    environment: bool,
    rules: tuple[str, ...],
    yes: bool,
    grace_s: float,
    settle_s: float,
    samples: int,
    report_folder: Path | None,
    cores: int,
    memory: str,
    work: Path | None,
    as_json: bool,
) -> None:
    """Put RULES (a path or a pack) in the place of the rules of their domain, and keep what was there for going back.

    The archive is recomputed under RULES on Spark into a new epoch, beside the live one, which goes on. What would
    change is shown, and asked about. Then the new epoch catches up, writers are held for a moment, and in one step it
    is the live one; the differences go to the golden feed under its number. At last the forecast is compared with what
    came of it. Consumers write again once they are started with RULES; until then their batches wait in the stream.

    Exit code 1 if the outcome is not as forecast. Needs the extra 'spark' and Java 17, and room in Redis for two
    epochs.
    """
    from mdm_stream.rebuild.run import RebuildOptions  # noqa: PLC0415 - --help does without
    from mdm_stream.reconcile.impact import require_comparable  # noqa: PLC0415
    from mdm_stream.rules import load_ruleset  # noqa: PLC0415

    if as_json and not yes:
        raise click.UsageError("--json asks nobody: look at `mdm-stream rules diff` first, and add --yes")
    deployment, old = _in_use(state, environment, rules, new := load_ruleset(file))
    require_comparable(old, new)
    with phases(quiet=as_json) as advance, spark_here(SparkHere(cores, memory, work), "rules-deploy") as spark:
        fill = spark_fill(deployment, new, *spark)
        switch = _switch(deployment, (old, new), spark, samples, settle_s)
        asked = _Asked(yes, as_json, report_folder, advance)
        options = RebuildOptions(
            publish_grace_s=grace_s,
            first=fill,
            approve=lambda _epoch: _approved(deployment, new, switch, fill, asked),
            keep_before=True,
        )
        report = rebuilding(deployment, new, options, advance).run()
        if not as_json:
            _tell_switched(report)
        advance("comparing with the forecast", 0, 0)
        outcome = switch.outcome(report.replaced)
    _tell(report, outcome, asked)
    if not outcome.is_as_forecast:
        sys.exit(1)


@click.command()
@click.argument("file", metavar="RULES")
@deployment_options("state", "environment")
@click.option("--grace", "grace_s", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS",
              help="How long a consumer may still publish what it read from an index that was lost.")  # fmt: skip
@json_option
def rollback(*, file: str, state: Path, environment: bool, grace_s: float, as_json: bool) -> None:
    """Go back to the epoch that was replaced last, which is kept: RULES are those that it is of.

    It is copied into a new epoch, and what was delivered since is added under its rules; then that takes the place of
    the live one, as with `mdm-stream rules deploy`. The epoch that it replaces is kept in its turn.
    """
    from mdm_stream.rebuild.kept import CopyOfKept  # noqa: PLC0415 - --help does without
    from mdm_stream.rebuild.run import RebuildOptions  # noqa: PLC0415
    from mdm_stream.rules import load_ruleset  # noqa: PLC0415

    before = load_ruleset(file)
    deployment = _deployment(state, environment)
    first = CopyOfKept(deployment.redis(), before, deployment.namespace)
    with phases(quiet=as_json) as advance:
        options = RebuildOptions(publish_grace_s=grace_s, first=first, keep_before=True)
        report = rebuilding(deployment, before, options, advance).run()
    if as_json:
        print_json(asdict(report))
        return
    _tell_switched(report)


@click.command()
@click.argument("domain")
@deployment_options("state", "environment", "rules", rules="Rule sets in use; those of the consumers if left out.")
@json_option
def accept(*, domain: str, state: Path, environment: bool, rules: tuple[str, ...], as_json: bool) -> None:
    """Delete the epoch of a domain that is kept for going back to, and so free its half of Redis."""
    from mdm_stream.index.redis.kept import drop_kept  # noqa: PLC0415 - --help does without

    deployment = _deployment(state, environment).overridden(rules=rules)
    dropped = drop_kept(deployment.redis(), _of(deployment, domain), deployment.namespace)
    if as_json:
        print_json({"domain": domain, "dropped": dropped})
        return
    say(f"{domain}: epoch {dropped} is deleted" if dropped else f"{domain}: no epoch is kept")


def _deployment(state: Path, environment: bool) -> Deployment:
    return Deployment.from_environment(os.environ) if environment else Deployment.from_local(state)


def _in_use(state: Path, environment: bool, rules: tuple[str, ...], new: Ruleset) -> tuple[Deployment, Ruleset]:
    deployment = _deployment(state, environment).overridden(rules=rules)
    return deployment, _of(deployment, new.domain)


def _of(deployment: Deployment, domain: str) -> Ruleset:
    rulesets = deployment.rulesets()
    if domain not in rulesets:
        raise ConfigurationError(f"the rules in use have no domain {domain!r}; they have {', '.join(sorted(rulesets))}")
    return rulesets[domain]


def _switch(
    deployment: Deployment,
    rules: tuple[Ruleset, Ruleset],
    spark: tuple[SparkSession, Path],
    samples: int,
    settle_s: float,
) -> RulesSwitch:
    from mdm_stream.reconcile.switch import RulesSwitch  # noqa: PLC0415 - --help does without
    from mdm_stream.reconcile.workspace import Workspace  # noqa: PLC0415

    session, folder = spark
    place = folder / digest_of(["switch", *(each.digest for each in rules), deployment.archive_url])
    return RulesSwitch(
        Workspace(session, place.as_uri()),
        rules,
        deployment.redis(),
        deployment.namespace,
        deployment.archive(),
        samples=samples,
        settle_s=settle_s,
    )


def _approved(deployment: Deployment, new: Ruleset, switch: RulesSwitch, fill: SparkFill, asked: _Asked) -> bool:
    """Show what would change, and ask."""
    from mdm_stream.reconcile.impact import as_json  # noqa: PLC0415 - --help does without

    assert fill.computed is not None, "the epoch was not filled"
    asked.advance("forecasting", 0, 0)
    exclusions = deployment.archive().sources(new.domain).read().exclusions
    asked.forecast = switch.forecast(fill.computed, exclusions)
    document = as_json(asked.forecast.impact) | {"left_out": asked.forecast.left_out}
    write_impact(asked.report_folder, document)
    if asked.as_json:
        return True
    show_impact(document)
    say(f"{asked.forecast.left_out:,} records are left out of this: they, or some beside them, have changed meanwhile")
    return asked.yes or click.confirm("Put these rules to use?", default=False, err=True)


def _tell(report: RebuildReport, outcome: SwitchOutcome, asked: _Asked) -> None:
    from mdm_stream.reconcile.impact import as_json  # noqa: PLC0415 - --help does without

    if asked.as_json:
        found: dict[str, Any] = {
            "switched": asdict(report),
            "as_forecast": outcome.is_as_forecast,
            "actual": as_json(outcome.actual),
            "forecast": as_json(outcome.forecast),
            "left_out": outcome.left_out,
        }
        print_json(found)
        return
    changed = f"{outcome.left_out:,} records are left out, which have changed meanwhile"
    if outcome.is_as_forecast:
        say(f"  what came of it is as forecast ({changed})")
        return
    say(f"  what came of it is NOT as forecast ({changed}):", err=True)
    for name, impact in (("forecast", outcome.forecast), ("actual", outcome.actual)):
        say(f"{name}:")
        show_impact(as_json(impact))


def _tell_switched(report: RebuildReport) -> None:
    say(f"{report.domain}: epoch {report.epoch} is live, in place of epoch {report.replaced}; writers were held for "
        f"{report.held_s:.1f} s")  # fmt: skip
    say(f"  rules and F {report.rules_digest}: start the consumers with these rules")
    say(f"  {report.told:,} changes for the golden feed")
    say(f"  epoch {report.replaced} is kept: go back to it with `mdm-stream rules rollback`, or delete it with "
        f"`mdm-stream rules accept {report.domain}`")  # fmt: skip
