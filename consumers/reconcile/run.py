"""All domains of a job, one after the other: reports are kept, figures written, and what is left is an error."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import orjson

from consumers.reconcile.arguments import Arguments
from mdm_stream.errors import MdmError, TerminalError
from mdm_stream.reconcile.compare import CompareSettings
from mdm_stream.reconcile.deployed import folder_of_job, is_up_to_date, reconcile_deployed, rules_of
from mdm_stream.reconcile.job import JobOptions
from mdm_stream.reconcile.report import as_metrics
from mdm_stream.reconcile.run_history import RunHistory
from mdm_stream.reconcile.task_faults import faults_of_tasks
from mdm_stream.reconcile.workspace import Workspace
from mdm_stream.telemetry.log_lines import log_line

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from mdm_stream.core.ruleset import Ruleset


class DriftFoundError(TerminalError):
    """Something that is live is not what was delivered, or could not be compared."""


def reconcile_domains(wanted: Arguments, spark: SparkSession) -> None:
    """Reconcile each domain; ``DriftFoundError`` after the last one if any has differences left, or has failed."""
    deployment = wanted.deployment
    runs = RunHistory(deployment.store(deployment.archive_url))
    domains = [name for name in wanted.job.domain.split(",") if name]
    wrong = []
    for domain, rules in rules_of(deployment.rulesets(), domains).items():
        try:
            with faults_of_tasks():
                said = _reconciled(wanted, rules, spark, runs)
        except MdmError as error:
            said = f"{domain}: not compared: {error}"
        if said is not None:
            wrong.append(said)
    if wrong:
        raise DriftFoundError("; ".join(wrong))


def _reconciled(wanted: Arguments, rules: Ruleset, spark: SparkSession, runs: RunHistory) -> str | None:
    """Reconcile one domain; return what is wrong with it."""
    if wanted.job.skip_unchanged and is_up_to_date(wanted.deployment, rules, runs):
        _tell("skipped", domain=rules.domain, why="nothing was archived or committed since the last clean run")
        return None
    options = JobOptions(wanted.job.repair, CompareSettings(wanted.job.settle_s, wanted.job.samples))
    place = f"{wanted.job.workspace.rstrip('/')}/{folder_of_job(wanted.deployment, rules)}"
    run, report = reconcile_deployed(
        wanted.deployment,
        rules,
        Workspace(spark, place, opened=wanted.deployment.store),
        options,
        lambda stage, seconds: _tell("stage", domain=rules.domain, stage=stage, seconds=round(seconds, 1)),
    )
    page = runs.keep(report)
    _write(as_metrics(run.after or run.found, time.time_ns() // 1_000_000, wanted.job.metrics_namespace))
    _tell("compared", domain=rules.domain, clean=run.is_clean, report=page)
    return None if run.is_clean else f"{rules.domain}: {_left(report)}; the report is {page}"


def _left(report: dict[str, Any]) -> str:
    found = report.get("after_repair", report)
    kinds = ", ".join(f"{each['count']:,} {kind}" for kind, each in found["kinds"].items())
    return f"{found['drift']:,} differences are left{' after the repair' if found is not report else ''} ({kinds})"


def _tell(message: str, **facts: object) -> None:
    """Write a line of the log."""
    _write(log_line("reconcile", message, **facts))


def _write(document: dict[str, Any]) -> None:
    """Write a line for CloudWatch, which Glue gets from the driver's standard output."""
    sys.stdout.write(f"{orjson.dumps(document).decode()}\n")
    sys.stdout.flush()
