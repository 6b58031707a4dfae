"""What the resolve consumer tells of a batch: its metrics, and warnings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from mdm_stream.decode import Delivery
from mdm_stream.resolve.report import StreamReport


def report_metrics(metrics: Metrics, deliveries: Sequence[Delivery], report: StreamReport) -> None:
    """Add the batch's counts, and the time from arrival on the stream to golden change of every record done."""
    totals = report.totals
    for name, count in (
        ("Events", report.records),
        ("Quarantined", report.quarantined),
        ("EngineFaults", len(report.faults) + len(totals.stuck)),
        ("Held", report.held),
        ("Ignored", report.ignored),
        ("Absorbed", totals.absorbed),
        ("AbsorbedLater", sum(totals.absorbed_later.values())),
        ("VersionCollisions", totals.collisions),
        ("CandidatePairs", totals.pairs),
        ("Conflicts", totals.conflicts),
        ("Reevaluated", totals.reevaluated),
        ("GoldenChanges", totals.changes),
        ("Merges", totals.merges),
        ("MergeStorms", len(report.storms)),
        ("GoldenLarge", len(report.large)),
        ("FeedRefused", len(report.refused)),
    ):
        metrics.add_metric(name, MetricUnit.Count, count)
    now_ms = time.time() * 1_000
    for delivery in deliveries[: report.first_failed]:
        metrics.add_metric(
            "EventToGolden", MetricUnit.Milliseconds, max(0.0, now_ms - delivery.arrival_time_us / 1_000)
        )


def warn_of_large(logger: Logger, report: StreamReport) -> None:
    """Write one line for each golden record that has grown large: its id, members and bytes, and no value."""
    for golden in report.large:
        logger.warning("golden_large", extra=asdict(golden))
