locals {
  is_http = var.authorizer.jwt != null

  api_id        = local.is_http ? aws_apigatewayv2_api.this[0].id : aws_api_gateway_rest_api.this[0].id
  execution_arn = local.is_http ? aws_apigatewayv2_api.this[0].execution_arn : aws_api_gateway_rest_api.this[0].execution_arn
  stage         = local.is_http ? aws_apigatewayv2_stage.this[0].id : aws_api_gateway_stage.this[0].stage_name
  aws_url       = local.is_http ? aws_apigatewayv2_api.this[0].api_endpoint : aws_api_gateway_stage.this[0].invoke_url

  # No address, caller, agent, path or query: the first four are of people, and an id in a path is of an event.
  access_log = {
    request_id          = "$context.requestId"
    time                = "$context.requestTimeEpoch"
    method              = "$context.httpMethod"
    protocol            = "$context.protocol"
    status              = "$context.status"
    response_bytes      = "$context.responseLength"
    response_ms         = "$context.responseLatency"
    integration_ms      = "$context.integrationLatency"
    integration_status  = "$context.integrationStatus"
    integration_request = "$context.integration.requestId"
    error_type          = "$context.error.responseType"
  }
}

resource "aws_apigatewayv2_domain_name" "this" {
  count = var.domain == null ? 0 : 1

  domain_name = var.domain.name

  domain_name_configuration {
    certificate_arn = var.domain.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "this" {
  count = var.domain == null ? 0 : 1

  api_id      = local.api_id
  domain_name = aws_apigatewayv2_domain_name.this[0].id
  stage       = local.stage
}
