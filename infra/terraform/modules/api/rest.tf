# Signed requests (IAM): a REST API, which AWS WAF takes. The account needs API Gateway's role for logs
# (aws_api_gateway_account), which is one for all its APIs in a region and so is not made here.

resource "aws_api_gateway_rest_api" "this" {
  count = var.authorizer.iam == null ? 0 : 1

  name                         = local.name
  description                  = "Events of applications onto the change stream of mdm-stream"
  disable_execute_api_endpoint = var.domain != null

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

# All paths are the function's: what it does not know it answers itself, to a caller that has signed.
resource "aws_api_gateway_resource" "this" {
  count = var.authorizer.iam == null ? 0 : 1

  rest_api_id = aws_api_gateway_rest_api.this[0].id
  parent_id   = aws_api_gateway_rest_api.this[0].root_resource_id
  path_part   = "{path+}"
}

resource "aws_api_gateway_method" "this" {
  count = var.authorizer.iam == null ? 0 : 1

  rest_api_id   = aws_api_gateway_rest_api.this[0].id
  resource_id   = aws_api_gateway_resource.this[0].id
  http_method   = "ANY"
  authorization = "AWS_IAM"
}

resource "aws_api_gateway_integration" "this" {
  count = var.authorizer.iam == null ? 0 : 1

  rest_api_id             = aws_api_gateway_rest_api.this[0].id
  resource_id             = aws_api_gateway_resource.this[0].id
  http_method             = aws_api_gateway_method.this[0].http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = module.function.invoke_arn
  timeout_milliseconds    = var.timeout_s * 1000
}

resource "aws_api_gateway_deployment" "this" {
  count = var.authorizer.iam == null ? 0 : 1

  rest_api_id = aws_api_gateway_rest_api.this[0].id

  triggers = {
    redeployment = sha256(jsonencode([
      aws_api_gateway_resource.this[0].path_part,
      aws_api_gateway_method.this[0].authorization,
      aws_api_gateway_integration.this[0].uri,
      aws_api_gateway_integration.this[0].timeout_milliseconds,
    ]))
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "this" {
  count = var.authorizer.iam == null ? 0 : 1

  rest_api_id          = aws_api_gateway_rest_api.this[0].id
  deployment_id        = aws_api_gateway_deployment.this[0].id
  stage_name           = "live"
  xray_tracing_enabled = true

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format          = jsonencode(local.access_log)
  }
}

resource "aws_api_gateway_method_settings" "this" {
  count = var.authorizer.iam == null ? 0 : 1

  rest_api_id = aws_api_gateway_rest_api.this[0].id
  stage_name  = aws_api_gateway_stage.this[0].stage_name
  method_path = "*/*"

  # Execution logs have paths and headers in them, and with data_trace_enabled the events.
  settings {
    metrics_enabled        = true
    logging_level          = "OFF"
    data_trace_enabled     = false
    caching_enabled        = false
    throttling_rate_limit  = var.throttle.rate
    throttling_burst_limit = var.throttle.burst
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  count = var.authorizer.iam == null ? 0 : var.authorizer.iam.web_acl == null ? 0 : 1

  resource_arn = aws_api_gateway_stage.this[0].arn
  web_acl_arn  = var.authorizer.iam.web_acl.arn
}
