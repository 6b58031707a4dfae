"""What the warehouse consumer tells of a batch: its metrics and its log lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_lambda_powertools import Logger, Metrics

from mdm_stream.decode.kinesis_event import KinesisRecord
from mdm_stream.metrics import METRICS
from mdm_stream.warehouse import BatchOutcome


def report(
    logger: Logger,
    metrics: Metrics,
    outcome: BatchOutcome,
    observed: Mapping[str, int],
    records: Sequence[KinesisRecord],
) -> dict[str, int]:
    """Write metrics and lines, and return the counts; ``observed`` are metrics of what takes note of batches."""
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
    counts = {"applied": outcome.records_applied, "skipped": outcome.records_skipped}
    if outcome.first_failed is not None:
        counts["first_failed"] = outcome.first_failed
        number = records[outcome.first_failed].sequence_number
        logger.error("batch stopped", reason=str(outcome.error), sequence_number=number)
    logger.info("batch", extra=counts)
    return counts
