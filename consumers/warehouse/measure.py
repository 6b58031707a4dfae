"""The metrics of the warehouse consumer."""

from __future__ import annotations

from collections.abc import Mapping

from aws_lambda_powertools import Metrics

from mdm_stream.metrics import METRICS
from mdm_stream.warehouse import BatchOutcome


def report_metrics(metrics: Metrics, outcome: BatchOutcome, observed: Mapping[str, int]) -> None:
    """Write the metrics of a batch; ``observed`` are those of what takes note of batches."""
    for name, count in (
        ("RecordsApplied", outcome.records_applied),
        ("RecordsSkipped", outcome.records_skipped),
        ("BatchesFailed", int(outcome.error is not None)),
        ("WarehouseStatements", outcome.statements),
        *observed.items(),
    ):
        metrics.add_metric(name, METRICS[name].unit, count)
    for lag_ms in outcome.lags_ms:
        metrics.add_metric("GoldenToWarehouse", METRICS["GoldenToWarehouse"].unit, round(lag_ms, 3))
    metrics.flush_metrics()
