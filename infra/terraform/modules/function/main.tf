locals {
  environment = merge({ MDM_DEPLOYMENT = var.deployment_name, POWERTOOLS_METRICS_NAMESPACE = var.deployment_name }, var.environment)
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  function_name = var.name
  description   = var.description
  role          = aws_iam_role.this.arn
  architectures = [var.architecture]
  memory_size   = var.memory_mb
  timeout       = var.timeout_s
  kms_key_arn   = var.kms_key_arn

  reserved_concurrent_executions = var.reserved_concurrency == null ? -1 : var.reserved_concurrency

  package_type     = var.image == null ? "Zip" : "Image"
  filename         = var.package
  source_code_hash = var.package == null ? null : filebase64sha256(var.package)
  handler          = var.image == null ? var.handler : null
  runtime          = var.image == null ? var.runtime : null
  layers           = var.layers
  image_uri        = var.image == null ? null : var.image.uri

  dynamic "image_config" {
    for_each = var.image == null ? [] : [var.handler]

    content {
      command = [image_config.value]
    }
  }

  environment {
    variables = local.environment
  }

  dynamic "vpc_config" {
    for_each = var.vpc == null ? [] : [var.vpc]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = "Active"
  }

  # Without its rights a first invocation would fail, and a network interface could not be made or removed.
  depends_on = [aws_iam_role_policy.base, aws_iam_role_policy.own, aws_iam_role_policy.network]
}
