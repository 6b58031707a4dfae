"""AWS Lambda entry point of the resolve consumer: Kinesis batches of change events in, golden changes out.

Fails fast: the response names the first record that must be delivered again (ReportBatchItemFailures).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from consumers.lambda_kinesis import serve
from consumers.resolve.measure import report_batch, tick_measured, warn
from consumers.telling import told_batch
from mdm_stream.aws.deadline import Deadline
from mdm_stream.aws.tracing import Tracing
from mdm_stream.core.f_version import f_digest
from mdm_stream.decode.kinesis_event import KinesisRecord
from mdm_stream.metrics import namespace_of
from mdm_stream.resolve.build import build_resolver
from mdm_stream.telemetry.function_log import function_log

logger, tracing = function_log("resolve", f=f_digest()), Tracing("resolve")
metrics = Metrics(namespace=namespace_of(os.environ), service="resolve")
resolver = build_resolver(os.environ, tracing)


@logger.inject_lambda_context
@tracing.of_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Resolve one batch, or do on a tick what waits without one, in the time that the function has left."""
    deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000)
    return serve(event, lambda records: _resolve(records, deadline), lambda: _tick(deadline))


def _resolve(records: Sequence[KinesisRecord], deadline: Deadline) -> int | None:
    deliveries = [record.delivery for record in records]
    with told_batch(logger, tracing, "resolve", deliveries) as note:
        report = resolver.handle(deliveries, deadline)
        note(report.counts())
        report_batch(logger, metrics, deliveries, report, resolver.waiting(deadline))
    return report.first_failed


def _tick(deadline: Deadline) -> None:
    with tracing.batch("tick", {}) as note, tick_measured(metrics, logger, resolver, deadline):
        report = resolver.tick(deadline)
        note(report.counts())
    warn(logger, report)
    logger.info("tick", extra={"published": report.published, "refused": report.refused, "cause": report.cause})
