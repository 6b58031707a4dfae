"""What the resolve consumer tells of a batch: its metrics, and warnings."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict

import orjson
from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from mdm_stream.aws.deadline import Deadline
from mdm_stream.decode import Delivery
from mdm_stream.errors import MdmError
from mdm_stream.index.errors import DomainHeldError, IndexInDoubtError
from mdm_stream.index.port import IndexDepths
from mdm_stream.metrics import METRICS, emf_document
from mdm_stream.resolve.report import StreamReport
from mdm_stream.resolve.resolver import Resolver

STOPPED_BY = {IndexInDoubtError.__name__: "IndexInDoubt", DomainHeldError.__name__: "DomainHeld"}
"""Metrics of what stops a domain until a person has acted, by the error that says so."""
LINES = {IndexInDoubtError.__name__: "index_in_doubt", DomainHeldError.__name__: "domain_held"}

DIGESTS_TOLD_MAX = 16
"""Suspended keys of one expression that the log line of a batch names; all are counted."""


def report_metrics(metrics: Metrics, deliveries: Sequence[Delivery], report: StreamReport) -> None:
    """Add the batch's counts, and the time from arrival on the stream to golden change of every record done."""
    totals = report.totals
    for name, count in (
        ("Events", report.records),
        ("BatchesFailed", int(report.first_failed is not None)),
        *_stopped_by(report.fault),
        ("Quarantined", report.quarantined),
        ("EngineFaults", len(report.faults) + len(totals.stuck)),
        ("Held", report.held),
        ("Ignored", report.ignored),
        ("Absorbed", totals.absorbed),
        ("AbsorbedLater", sum(totals.absorbed_later.values())),
        ("SuspectedHistories", len(report.falls)),
        ("VersionCollisions", totals.collisions),
        ("CandidatePairs", totals.pairs),
        ("Conflicts", totals.conflicts),
        ("Reevaluated", totals.reevaluated),
        ("GoldenChanges", totals.changes),
        ("Merges", totals.merges),
        ("MergeStorms", len(report.storms)),
        ("GoldenLarge", len(report.large)),
        ("FeedRefused", len(report.refused)),
        ("ValuesSetAside", sum(totals.set_aside.values())),
        ("KeysSuspended", len(totals.suspended)),
        ("Unreplicated", len(report.unreplicated)),
        ("IndexCommands", report.commands),
        ("IndexBytesWritten", report.bytes_written),
    ):
        metrics.add_metric(name, METRICS[name].unit, count)
    now_ms = time.time() * 1_000
    for delivery in deliveries[: report.first_failed]:
        since_ms = max(0.0, now_ms - delivery.arrival_time_us / 1_000)
        metrics.add_metric("EventToGolden", METRICS["EventToGolden"].unit, round(since_ms, 3))

    _report_by(metrics, "Quarantined", "reason", report.reasons)
    _report_by(metrics, "ValuesSetAside", "attribute", _by_attribute(totals.set_aside))
    _report_by(metrics, "KeysSuspended", "blocking_key", totals.suspended_by_expression)


def report_depths(metrics: Metrics, depths: Mapping[str, IndexDepths]) -> None:
    """Write how much waits in each domain, a line each: under the service alone, where the deepest is the maximum, and
    under service and domain.
    """
    service = metrics.service or ""
    for domain, waiting in depths.items():
        figures = {
            "OutboxDepth": waiting.outbox,
            "OutboxAge": round(waiting.outbox_age_s, 3),
            "ReevaluationDepth": waiting.reevaluation,
            "ReviewDepth": waiting.review,
            "ReviewAge": round(waiting.review_age_s, 3),
        }
        dimensions, sets = {"service": service, "domain": domain}, (("service",), ("service", "domain"))
        line = emf_document(metrics.namespace or "", time.time_ns() // 1_000_000, dimensions, figures, sets)
        sys.stdout.write(f"{orjson.dumps(line).decode()}\n")


def report_batch(
    logger: Logger,
    metrics: Metrics,
    deliveries: Sequence[Delivery],
    report: StreamReport,
    waiting: Mapping[str, IndexDepths],
) -> None:
    """Write all that is told of a batch that was worked: its metrics, how much waits after it, warnings, its line."""
    report_metrics(metrics, deliveries, report)
    report_depths(metrics, waiting)
    warn(logger, report)
    logger.info("batch", extra=report.summary())


@contextmanager
def tick_measured(metrics: Metrics, logger: Logger, resolver: Resolver, deadline: Deadline) -> Iterator[None]:
    """Report what is done inside as a tick, and how much waits after it in any case; what it raises goes on."""
    try:
        yield
    except MdmError as error:
        report_tick(metrics, logger, error)
        raise
    else:
        report_tick(metrics, logger, None)
    finally:
        report_depths(metrics, resolver.waiting(deadline, at_once=True))


def report_tick(metrics: Metrics, logger: Logger, fault: MdmError | None) -> None:
    """Count and log what keeps a tick from its work: it shows when no batch comes, too."""
    name = type(fault).__name__ if fault is not None else ""
    for metric, count in _stopped_by(name):
        metrics.add_metric(metric, MetricUnit.Count, count)
    if fault is not None:
        logger.warning(LINES.get(name, "tick_failed"), extra={"fault": name, "cause": str(fault)})


def _stopped_by(fault: str) -> Iterator[tuple[str, int]]:
    """Yield the states of a domain that stop its consumer until a person has acted, each with 1 if this is it."""
    for error, metric in STOPPED_BY.items():
        yield metric, int(fault == error)


def _report_by(metrics: Metrics, name: str, dimension: str, counts: Mapping[str, int]) -> None:
    """Write a metric once more for each thing that it is of: names of the rules, which are few, and no value."""
    for what, count in counts.items():
        own = {"service": metrics.service or "", dimension: what}
        with single_metric(name, MetricUnit.Count, count, namespace=metrics.namespace, default_dimensions=own):
            pass


def _by_attribute(set_aside: Mapping[str, int]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for why, count in set_aside.items():
        counts[why.partition(":")[0]] += count
    return counts


def warn(logger: Logger, report: StreamReport) -> None:
    """Write a line for a batch that failed, for each domain that no replica follows any more, for each golden record
    that has grown large, and for each expression with keys newly suspended.

    No value is in them: ids, counts, and digests by which ``mdm-stream profile --shared`` names the keys.
    """
    if report.first_failed is not None:
        told = {"fault": report.fault, "cause": report.cause, "first_failed": report.first_failed}
        logger.warning(LINES.get(report.fault, "batch_failed"), extra=told)
    for domain in report.replicas_gone:
        logger.warning("replicas_gone", extra={"domain": domain})
    for golden in report.large:
        logger.warning("golden_large", extra=asdict(golden))
    digests: dict[tuple[str, str], list[str]] = {}
    for key in report.totals.suspended:
        digests.setdefault((key.domain, key.expression), []).append(key.digest)
    for (domain, expression), found in digests.items():
        told = {"domain": domain, "blocking_key": expression, "keys": len(found), "digests": found[:DIGESTS_TOLD_MAX]}
        logger.warning("keys_suspended", extra=told)
