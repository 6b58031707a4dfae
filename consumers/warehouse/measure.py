"""The metrics of the warehouse consumer."""

from __future__ import annotations

from collections.abc import Mapping

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from mdm_stream.warehouse import BatchOutcome


def report_metrics(metrics: Metrics, outcome: BatchOutcome, observed: Mapping[str, int]) -> None:
    """Write the metrics of a batch; ``observed`` are those of what takes note of batches."""
    metrics.add_metric("RecordsApplied", MetricUnit.Count, outcome.records_applied)
    metrics.add_metric("RecordsSkipped", MetricUnit.Count, outcome.records_skipped)
    metrics.add_metric("BatchesFailed", MetricUnit.Count, int(outcome.error is not None))
    if outcome.lag_ms_max is not None:
        metrics.add_metric("LagMsMax", MetricUnit.Milliseconds, outcome.lag_ms_max)
    for name, count in observed.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    metrics.flush_metrics()
