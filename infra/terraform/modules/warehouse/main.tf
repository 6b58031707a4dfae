locals {
  environment = merge(
    {
      MDM_WAREHOUSE_KIND                             = "snowflake"
      MDM_WAREHOUSE_SNOWFLAKE_PRIVATE_KEY_SECRET_ARN = aws_secretsmanager_secret.private_key.arn
      MDM_WAREHOUSE_IDLE_CLOSE_S                     = tostring(var.idle_close_s)
      MDM_WAREHOUSE_CLAIMS_URL                       = "s3://${var.archive.name}/${var.archive.prefix}/claims"
    },
    { for name, value in var.snowflake : "MDM_WAREHOUSE_SNOWFLAKE_${upper(name)}" => tostring(value) if value != null },
    { for name, value in var.limits : "MDM_WAREHOUSE_SNOWFLAKE_${upper(name)}" => tostring(value) },
    var.lineage == null ? {} : { for name, value in var.lineage : "MDM_LINEAGE_${upper(name)}" => tostring(value) },
  )
}

resource "aws_secretsmanager_secret" "private_key" {
  name                    = coalesce(var.private_key_secret.name, "${var.name}/snowflake-private-key")
  description             = "Private key (PEM) of the Snowflake user that writes; it is read again for each login"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.private_key_secret.recovery_window_days
}

module "function" {
  source = "../function"

  name                 = "${var.name}-warehouse"
  description          = "Warehouse consumer of mdm-stream: golden changes into Snowflake"
  package              = var.package
  handler              = "consumers.warehouse.handler.handler"
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

module "event_source" {
  source = "../event_source"

  name        = "golden"
  function    = { arn = module.function.arn, role_name = module.function.role_name }
  stream      = var.golden_stream
  on_failure  = var.on_failure
  kms_key_arn = var.kms_key_arn

  enabled                     = var.event_source.enabled
  batch_size                  = var.event_source.batch_size
  window_s                    = var.event_source.window_s
  parallelization_factor      = var.event_source.parallelization_factor
  starting_position           = var.event_source.starting_position
  starting_position_timestamp = var.event_source.starting_position_timestamp
  bisect_on_error             = var.event_source.bisect_on_error
  maximum_retry_attempts      = var.event_source.maximum_retry_attempts
  maximum_record_age_s        = var.event_source.maximum_record_age_s
}

module "tick" {
  source = "../schedule"

  name        = "${var.name}-warehouse-tick"
  description = "Lets the warehouse consumer close a connection that has been idle"
  expression  = var.tick
  function    = { name = module.function.name, arn = module.function.arn }
}

# A tick that fails is done by the next one.
resource "aws_lambda_function_event_invoke_config" "tick" {
  function_name                = module.function.name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}
