"""Lambda entry point: golden feed records from Kinesis to the warehouse.

Settings: ``MDM_WAREHOUSE_*``, ``MDM_LINEAGE_*``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from consumers.lambda_kinesis import serve
from mdm_stream.aws.tracing import Tracing
from mdm_stream.decode.kinesis_event import KinesisRecord
from mdm_stream.feed.claims import ClaimReader
from mdm_stream.warehouse import WarehouseConsumer, WarehouseSettings, open_warehouse
from mdm_stream.warehouse.lineage import lineage_of

logger, tracing = Logger(service="mdm-warehouse"), Tracing("mdm-warehouse")
metrics = Metrics(namespace="mdm-stream", service="mdm-warehouse")


@cache
def consumer() -> WarehouseConsumer:
    """Build the consumer at cold start; its connection lives as long as this process."""
    settings = WarehouseSettings.from_environment(os.environ)
    follow = ClaimReader(settings.claims_url)
    observer, idle_close_s = lineage_of(os.environ, settings), settings.idle_close_s
    return WarehouseConsumer(open_warehouse(settings), idle_close_s=idle_close_s, follow=follow, observer=observer)


@logger.inject_lambda_context(correlation_id_path="Records[0].eventID", clear_state=True)
@tracing.of_handler
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Apply one batch and report where to go on; a tick only lets an idle connection close."""
    return serve(event, _apply, lambda: logger.debug("schedule", closed=consumer().close_when_idle()))


def _apply(records: Sequence[KinesisRecord]) -> int | None:
    outcome = consumer().apply_records([record.delivery for record in records])
    metrics.add_metric("RecordsApplied", MetricUnit.Count, outcome.records_applied)
    metrics.add_metric("RecordsSkipped", MetricUnit.Count, outcome.records_skipped)
    metrics.add_metric("BatchesFailed", MetricUnit.Count, int(outcome.error is not None))
    if outcome.lag_ms_max is not None:
        metrics.add_metric("LagMsMax", MetricUnit.Milliseconds, outcome.lag_ms_max)
    for name, count in consumer().observed().items():
        metrics.add_metric(name, MetricUnit.Count, count)
    metrics.flush_metrics()
    if outcome.first_failed is not None:
        number = records[outcome.first_failed].sequence_number
        logger.error("batch stopped", reason=str(outcome.error), sequence_number=number)
    return outcome.first_failed
