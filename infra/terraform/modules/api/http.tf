# Tokens (JWT): an HTTP API. AWS WAF does not take one.

resource "aws_apigatewayv2_api" "this" {
  count = var.authorizer.jwt == null ? 0 : 1

  name                         = local.name
  description                  = "Events of applications onto the change stream of mdm-stream"
  protocol_type                = "HTTP"
  disable_execute_api_endpoint = var.domain != null
}

resource "aws_apigatewayv2_authorizer" "this" {
  count = var.authorizer.jwt == null ? 0 : 1

  api_id           = aws_apigatewayv2_api.this[0].id
  name             = "jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.authorizer.jwt.issuer
    audience = var.authorizer.jwt.audience
  }
}

resource "aws_apigatewayv2_integration" "this" {
  count = var.authorizer.jwt == null ? 0 : 1

  api_id                 = aws_apigatewayv2_api.this[0].id
  integration_type       = "AWS_PROXY"
  integration_uri        = module.function.invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = var.timeout_s * 1000
}

# All routes are the function's: what it does not know it answers itself, to a caller with a token.
resource "aws_apigatewayv2_route" "this" {
  count = var.authorizer.jwt == null ? 0 : 1

  api_id               = aws_apigatewayv2_api.this[0].id
  route_key            = "$default"
  target               = "integrations/${aws_apigatewayv2_integration.this[0].id}"
  authorization_type   = "JWT"
  authorizer_id        = aws_apigatewayv2_authorizer.this[0].id
  authorization_scopes = var.authorizer.jwt.scopes
}

resource "aws_apigatewayv2_stage" "this" {
  count = var.authorizer.jwt == null ? 0 : 1

  api_id      = aws_apigatewayv2_api.this[0].id
  name        = "$default"
  auto_deploy = true

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format          = jsonencode(local.access_log)
  }

  default_route_settings {
    detailed_metrics_enabled = true
    throttling_rate_limit    = var.throttle.rate
    throttling_burst_limit   = var.throttle.burst
  }
}
