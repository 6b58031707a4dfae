module "function" {
  source = "../function"

  name                 = "${var.name}-resolve"
  description          = "Resolve consumer of mdm-stream: change events in, golden changes out"
  package              = var.package
  layers               = var.layers
  handler              = "consumers.resolve.handler.handler"
  architecture         = var.architecture
  memory_mb            = var.memory_mb
  timeout_s            = var.timeout_s
  deployment_name      = var.name
  environment          = var.consumer.environment
  policy_json          = var.consumer.policy_json
  vpc                  = var.vpc
  kms_key_arn          = var.kms_key_arn
  log_retention_days   = var.log_retention_days
  reserved_concurrency = var.reserved_concurrency
}

module "event_source" {
  source   = "../event_source"
  for_each = { changes = var.change_stream, steward = var.steward_stream }

  name        = each.key
  function    = { arn = module.function.arn, role_name = module.function.role_name }
  stream      = each.value
  on_failure  = var.on_failure
  kms_key_arn = var.kms_key_arn

  enabled                = var.event_source.enabled
  batch_size             = var.event_source.batch_size
  window_s               = var.event_source.window_s
  parallelization_factor = var.event_source.parallelization_factor
  starting_position      = var.event_source.starting_position
  bisect_on_error        = var.event_source.bisect_on_error
  maximum_retry_attempts = var.event_source.maximum_retry_attempts
  maximum_record_age_s   = var.event_source.maximum_record_age_s
}

module "tick" {
  source = "../schedule"

  name        = "${var.name}-resolve-tick"
  description = "Lets the resolve consumer do what waits without a batch"
  expression  = var.tick
  function    = { name = module.function.name, arn = module.function.arn }
}

# A tick that fails is done by the next one.
resource "aws_lambda_function_event_invoke_config" "tick" {
  function_name                = module.function.name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}
