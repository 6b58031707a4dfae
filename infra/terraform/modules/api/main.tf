locals {
  name           = "${var.name}-events-api"
  id_keys_prefix = "${var.name}/events-api/"

  # The API says what the consumer would say, so these have to be the same.
  shared = [
    "MDM_RULES",
    "MDM_REDIS_URL",
    "MDM_CHANGES_STREAM",
    "MDM_STEWARD_STREAM",
    "MDM_QUARANTINE_URL",
    "MDM_NAMESPACE",
    "MDM_AUTHORITY",
    "MDM_SIGNING_KEYS",
    "MDM_REDIS_TIMEOUT_S",
    "MDM_AWS_TIMEOUT_S",
  ]

  environment = merge(
    { for name in local.shared : name => var.deployment[name] if contains(keys(var.deployment), name) },
    {
      MDM_API_ID_KEYS = "secretsmanager:${local.id_keys_prefix}"
      MDM_API_ID_KEY  = var.id_key
    },
    var.authorizer.jwt == null ? {} : { MDM_API_SOURCES_CLAIM = var.authorizer.jwt.sources_claim },
    { for name, value in var.limits : "MDM_${upper(name)}" => tostring(value) },
  )
}

# An operator puts the key into it, so that neither a plan nor the state holds it.
resource "aws_secretsmanager_secret" "id_key" {
  name                    = "${local.id_keys_prefix}${var.id_key}"
  description             = "Key that seals ids of events, in base64; with another one, earlier ids are unknown"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.secret_recovery_days
}

module "function" {
  source = "../function"

  name                 = local.name
  description          = "Events API of mdm-stream: events of applications onto the change stream"
  package              = var.package
  layers               = var.layers
  handler              = "producers.events_api.handler.handler"
  architecture         = var.architecture
  memory_mb            = var.memory_mb
  timeout_s            = var.timeout_s
  deployment_name      = var.name
  environment          = local.environment
  policy_json          = data.aws_iam_policy_document.this.json
  vpc                  = var.vpc
  kms_key_arn          = var.kms_key_arn
  log_retention_days   = var.log_retention_days
  reserved_concurrency = var.reserved_concurrency
}

resource "aws_lambda_permission" "this" {
  statement_id  = "api-gateway"
  action        = "lambda:InvokeFunction"
  function_name = module.function.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${local.execution_arn}/*/*"
}

resource "aws_cloudwatch_log_group" "access" {
  name              = "/aws/apigateway/${local.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}
