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
from consumers.telling import told_batch
from consumers.warehouse.measure import report
from mdm_stream.aws.tracing import Tracing
from mdm_stream.decode.kinesis_event import KinesisRecord
from mdm_stream.feed.claims import ClaimReader
from mdm_stream.metrics import namespace_of
from mdm_stream.telemetry.function_log import function_log
from mdm_stream.warehouse import WarehouseConsumer, WarehouseSettings, open_warehouse
from mdm_stream.warehouse.lineage import lineage_of

logger, tracing = function_log("mdm-warehouse"), Tracing("mdm-warehouse")
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
    with told_batch(logger, tracing, "warehouse", deliveries) as note:
        outcome = consumer().apply_records(deliveries)
        note(report(logger, metrics, outcome, consumer().observed(), records))
    return outcome.first_failed
