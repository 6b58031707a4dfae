"""AWS Lambda entry point of the gatekeeper: objects that were written to S3, directly, by EventBridge or through SQS.

Through SQS a message that fails is delivered again alone (ReportBatchItemFailures); otherwise the invocation fails.
"""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from mdm_stream.aws.tracing import Tracing
from mdm_stream.metrics import namespace_of
from mdm_stream.telemetry.function_log import function_log
from producers.files.build import build_gatekeeper
from producers.files.serve import serve

logger, tracing = function_log("files"), Tracing("files")
metrics = Metrics(namespace=namespace_of(os.environ), service="files")
gatekeeper = build_gatekeeper(os.environ)


@logger.inject_lambda_context
@tracing.of_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Receive the objects of one event; on a schedule's tick, measure what waits."""
    return serve(event, gatekeeper, logger, metrics, tracing)
