"""Lambda entry point: golden feed records from Kinesis to the warehouse.

Settings: ``MDM_WAREHOUSE_*``, ``MDM_LINEAGE_*``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from aws_lambda_powertools import Metrics

from consumers.lambda_kinesis import serve
from consumers.warehouse.measure import report_metrics
from mdm_stream.aws.tracing import Tracing
from mdm_stream.decode.batch_place import place_of_batch
from mdm_stream.decode.kinesis_event import KinesisRecord
from mdm_stream.feed.claims import ClaimReader
from mdm_stream.metrics import namespace_of
from mdm_stream.telemetry.function_log import function_log
from mdm_stream.telemetry.otel import span_backends
from mdm_stream.warehouse import WarehouseConsumer, WarehouseSettings, open_warehouse
from mdm_stream.warehouse.lineage import lineage_of

logger = function_log("mdm-warehouse")
tracing = Tracing("mdm-warehouse", *span_backends("mdm-warehouse", os.environ))
metrics = Metrics(namespace=namespace_of(os.environ), service="mdm-warehouse")


@cache
def consumer() -> WarehouseConsumer:
    """Build the consumer at cold start; its connection lives as long as this process."""
    settings = WarehouseSettings.from_environment(os.environ)
    follow = ClaimReader(settings.claims_url)
    observer, idle_close_s = lineage_of(os.environ, settings), settings.idle_close_s
    return WarehouseConsumer(
        open_warehouse(settings), idle_close_s=idle_close_s, follow=follow, observer=observer, spans=tracing
    )


@logger.inject_lambda_context(clear_state=True)
@tracing.of_handler
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Apply one batch and report where to go on; a tick only lets an idle connection close."""
    return serve(event, _apply, lambda: logger.debug("schedule", closed=consumer().close_when_idle()))


def _apply(records: Sequence[KinesisRecord]) -> int | None:
    deliveries = [record.delivery for record in records]
    place = place_of_batch(deliveries)
    with logger.append_context_keys(**place), tracing.batch("warehouse", place) as note:
        outcome = consumer().apply_records(deliveries)
        counts = {"applied": outcome.records_applied, "skipped": outcome.records_skipped}
        failed = {} if outcome.first_failed is None else {"first_failed": outcome.first_failed}
        note(counts | failed)
        report_metrics(metrics, outcome, consumer().observed())
        logger.info("batch", extra=counts | failed)
        if outcome.first_failed is not None:
            number = records[outcome.first_failed].sequence_number
            logger.error("batch stopped", reason=str(outcome.error), sequence_number=number)
    return outcome.first_failed
