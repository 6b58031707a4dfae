"""``mdm-stream reconcile``: the whole history recomputed on Spark, compared with what is live, and repaired."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mdm_stream.cli.options import deployment_options
from mdm_stream.cli.output import Advance, json_option, phases, print_json, print_json_line, print_table, progress, say
from mdm_stream.cli.spark_job import spark_options, started_spark, work_folder
from mdm_stream.core.times import format_time_us
from mdm_stream.deployment import Deployment
from mdm_stream.metrics import namespace_of

if TYPE_CHECKING:
    from mdm_stream.core.ruleset import Ruleset
    from mdm_stream.reconcile.job import JobOptions, Run
    from mdm_stream.reconcile.run_history import RunHistory

RUNS_SHOWN = 20
SAMPLES_SHOWN = 5


@click.command()
@deployment_options(
    "state",
    "environment",
    "rules",
    rules="Rule sets that the index is of; those of the consumers if left out.",
)
@click.option("--domain", "domains", multiple=True, help="Only this domain; all that the rules have if left out.")
@click.option("--repair", is_flag=True, help="Mend what differs, through the engine, and compare again.")
@click.option("--settle", "settle_s", type=click.FloatRange(0), default=60.0, show_default=True, metavar="SECONDS",
              help="Until what was committed is archived: the resolve function's time-out.")  # fmt: skip
@click.option("--samples", type=click.IntRange(0, 1_000), default=20, show_default=True,
              help="Differences of each kind in the report.")  # fmt: skip
@spark_options
@click.option("--report", "report_folder", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Write the report of each domain there, as JSON and as a page.")  # fmt: skip
@click.option("--history", is_flag=True, help="Only show the runs before.")
@click.option("--emf", is_flag=True, help="Write the figures as CloudWatch's embedded metrics, a line a domain.")
@json_option
def reconcile(
    *,
    state: Path,
    environment: bool,
    rules: tuple[str, ...],
    domains: tuple[str, ...],
    repair: bool,
    settle_s: float,
    samples: int,
    cores: int,
    memory: str,
    work: Path | None,
    report_folder: Path | None,
    history: bool,
    emf: bool,
    as_json: bool,
) -> None:
    """Recompute a domain from its archive on Spark, and compare index and warehouse with it. Consumers keep running.

    What changed meanwhile is not compared, and so is never reported as drift. Ends with 1 if something differs (with
    --repair: still), else with 0. Needs the extra 'spark' and Java 17.
    """
    from mdm_stream.objects.folder import FolderObjects  # noqa: PLC0415
    from mdm_stream.reconcile.compare import CompareSettings  # noqa: PLC0415 - --help does without
    from mdm_stream.reconcile.deployed import rules_of, write_report  # noqa: PLC0415
    from mdm_stream.reconcile.job import JobOptions  # noqa: PLC0415
    from mdm_stream.reconcile.report import as_metrics  # noqa: PLC0415
    from mdm_stream.reconcile.run_history import RunHistory  # noqa: PLC0415

    deployment = Deployment.from_environment(os.environ) if environment else Deployment.from_local(state)
    deployment = deployment.overridden(rules=rules)
    rulesets = rules_of(deployment.rulesets(), domains)
    runs = RunHistory(deployment.store(deployment.archive_url))
    if history:
        _show_history(runs, rulesets, as_json=as_json)
        return
    options = JobOptions(repair, CompareSettings(settle_s, samples))
    reports: list[dict[str, Any]] = []
    with phases(quiet=as_json or emf) as advance, progress() as bar, work_folder(work, "reconcile") as folder:
        for each in rulesets.values():
            found, report = _reconciled(deployment, each, folder, (advance, bar), options, (cores, memory))
            runs.keep(report)
            reports.append(report)
            if report_folder is not None:
                write_report(FolderObjects(report_folder), report)
            if emf:
                now_ms = time.time_ns() // 1_000_000
                print_json_line(as_metrics(found.after or found.found, now_ms, namespace_of(os.environ)))
    if as_json:
        print_json({"reconciled": reports})
    elif not emf:
        for report in reports:
            _show(report)
    if not all(report["clean"] for report in reports):
        sys.exit(1)


def _reconciled(
    deployment: Deployment,
    rules: Ruleset,
    folder: Path,
    shown: tuple[Advance, Advance],
    options: JobOptions,
    spark: tuple[int, str],
) -> tuple[Run, dict[str, Any]]:
    """Run one domain's reconciliation; ``shown`` are lines about its stages, and a bar."""
    from mdm_stream.reconcile.deployed import folder_of_job, reconcile_deployed  # noqa: PLC0415 - --help does without
    from mdm_stream.reconcile.job import STAGES, stage_number  # noqa: PLC0415
    from mdm_stream.reconcile.workspace import Workspace  # noqa: PLC0415

    advance, bar = shown

    def on_stage(stage: str, seconds: float) -> None:
        advance(f"{rules.domain}: {stage} done in {seconds:.1f} s", 0, 0)
        bar(rules.domain, stage_number(stage), len(STAGES))

    advance(f"{rules.domain}: starting Spark", 0, 0)
    bar(rules.domain, 0, len(STAGES))
    with started_spark(spark[0], folder, spark[1]) as session:
        workspace = Workspace(session, (folder / folder_of_job(deployment, rules)).as_uri())
        return reconcile_deployed(deployment, rules, workspace, options, on_stage)


def _show(report: Mapping[str, Any]) -> None:
    archive = report["archive"]
    state = "no drift" if not report["drift"] else f"{report['drift']:,} differences"
    say(f"{report['domain']}: {state} in {report['records']:,} records, {archive['rows']:,} archived deliveries")
    meanwhile = report["changed_meanwhile"]
    if meanwhile["differences"]:
        say(f"  {meanwhile['differences']:,} differences about what changed meanwhile, which were not compared")
    if report["warehouse"] is not None and report["warehouse"]["behind"]:
        say("  the warehouse has not come to where the index was: it was not compared")
    for kind, each in report["kinds"].items():
        say(f"  {each['count']:,} {kind}: {each['meaning']}")
    for sample in report["samples"][:SAMPLES_SHOWN]:
        say(f"    {sample['kind']}: {sample['first']} {sample['second'] or ''}".rstrip())
    if "repair" in report:
        repair, after = report["repair"], report["after_repair"]["drift"]
        say(
            f"  repaired {repair['records']:,} records, told {repair['told']:,} changes; {after:,} differences are left"
        )
        for sentence in repair["failed"]:
            say(f"  not repaired: {sentence}")
    if report["needs_rebuild"]:
        say(f"  {', '.join(report['needs_rebuild'])} need a new epoch: mdm-stream rebuild --domain {report['domain']}")
    for code, count in sorted(archive["rejected"].items()):
        say(f"  {count:,} archived records are not accepted by these rules: {code}")
    say(f"  {report['seconds']:.1f} s")


def _show_history(runs: RunHistory, domains: Mapping[str, Ruleset], *, as_json: bool) -> None:
    found = [report for domain in sorted(domains) for report in runs.runs(domain, RUNS_SHOWN)]
    if as_json:
        print_json({"runs": found})
        return
    print_table(
        "Reconciliations, newest first",
        ("domain", "began", "drift", "after repair", "records", "deliveries", "seconds"),
        [
            (
                report["domain"],
                format_time_us(report["began_us"]),
                f"{report['drift']:,}",
                f"{report['after_repair']['drift']:,}" if "after_repair" in report else "",
                f"{report['records']:,}",
                f"{report['archive']['rows']:,}",
                f"{report['seconds']:.1f}",
            )
            for report in found
        ],
    )
