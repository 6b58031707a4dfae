"""AWS Lambda entry point of the resolve consumer: Kinesis batches of change events in, golden changes out.

Fails fast: the response names the first record that must be delivered again (ReportBatchItemFailures).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from consumers.lambda_kinesis import serve
from consumers.resolve.measure import report_metrics, tick_measured, warn
from mdm_stream.aws.deadline import Deadline
from mdm_stream.aws.tracing import Tracing
from mdm_stream.core.f_version import f_digest
from mdm_stream.decode.kinesis_event import KinesisRecord
from mdm_stream.resolve.build import build_resolver

logger, tracing = Logger(service="resolve", f=f_digest()), Tracing("resolve")
metrics = Metrics(namespace="mdm-stream", service="resolve")
resolver = build_resolver(os.environ)


@logger.inject_lambda_context
@tracing.of_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Resolve one batch, or do on a tick what waits without one, in the time that the function has left."""
    deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000)
    return serve(
        event,
        lambda records: _resolve(records, event["Records"][0]["eventID"], deadline),
        lambda: _tick(deadline),
    )


def _resolve(records: Sequence[KinesisRecord], correlation_id: str, deadline: Deadline) -> int | None:
    deliveries = [record.delivery for record in records]
    with tracing.part("## resolve"):
        report = resolver.handle(deliveries, deadline)
    report_metrics(metrics, deliveries, report)
    warn(logger, report)
    logger.info("batch", extra={"correlation_id": correlation_id, **report.summary()})
    return report.first_failed


def _tick(deadline: Deadline) -> None:
    with tick_measured(metrics, logger):
        report = resolver.tick(deadline)
    warn(logger, report)
    logger.info("tick", extra={"published": report.published, "refused": report.refused, "cause": report.cause})
