"""AWS Lambda entry point of the events API, behind a REST or an HTTP API of API Gateway (payloads 1.0 and 2.0)."""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, APIGatewayRestResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from mdm_stream.aws.tracing import Tracing
from mdm_stream.telemetry.function_log import function_log
from producers.events_api.build import build_api
from producers.events_api.routes import add_routes, lambda_request, serve

logger, tracing = function_log("events-api"), Tracing("events-api")
api = build_api(os.environ)
rest, http = APIGatewayRestResolver(), APIGatewayHttpResolver()
for resolver in (rest, http):
    add_routes(resolver, api, lambda_request)


@logger.inject_lambda_context
@tracing.of_handler
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request. A tick, which keeps a function warm, asks nothing of this one."""
    return serve(event, lambda request: answered(request, context))


def answered(request: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request by the resolver of its payload's version."""
    with tracing.batch("request", {}):
        answer = (http if request.get("version") == "2.0" else rest).resolve(request, context)
    logger.info("request", extra={"status": answer["statusCode"], "correlation_id": context.aws_request_id})
    return answer
