"""AWS Lambda entry point of the resolve consumer: Kinesis batches of change events in, golden changes out.

Fails fast: the response names the first record that must be delivered again (ReportBatchItemFailures).
"""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from consumers.lambda_kinesis import batch_response, report_metrics, stream_records, warn_of_large
from mdm_stream.core.f_version import f_digest
from mdm_stream.resolve.build import build_resolver

logger = Logger(service="resolve", f=f_digest())
tracer = Tracer(service="resolve")
metrics = Metrics(namespace="mdm-stream", service="resolve")
resolver = build_resolver(os.environ)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False, capture_error=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Resolve one batch; an event without records is a schedule's tick."""
    if "Records" not in event:
        report = resolver.tick()
        warn_of_large(logger, report)
        logger.info("tick", extra={"published": report.published, "refused": report.refused})
        return {}
    records = stream_records(event)
    with tracer.provider.in_subsegment("## resolve"):
        report = resolver.handle([record.stream for record in records])
    report_metrics(metrics, records, report)
    warn_of_large(logger, report)
    logger.info("batch", extra={"correlation_id": event["Records"][0]["eventID"], **report.summary()})
    return batch_response(records, report)
