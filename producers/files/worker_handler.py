"""AWS Lambda entry point of the workers: messages of the queue of chunks, each a step of a load.

A message that fails is delivered again alone (ReportBatchItemFailures), and after the queue's attempts it goes to its
dead-letter queue; sent back from there the load goes on.
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

logger, tracing = function_log("files-worker"), Tracing("files-worker")
metrics = Metrics(namespace=namespace_of(os.environ), service="files-worker")
gatekeeper = build_gatekeeper(os.environ)


@logger.inject_lambda_context
@tracing.of_handler
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Do the steps of one batch of messages."""
    return serve(event, gatekeeper, logger, metrics, tracing)
