locals {
  timeouts_of_visibility = 6 # what Lambda asks for: a queue's visibility time-out over its function's

  functions = {
    gatekeeper = {
      name        = "${var.name}-files"
      description = "Gatekeeper of files: reads what vendors drop, and cuts it into chunks"
      handler     = "producers.files.gatekeeper_handler.handler"
      settings    = var.gatekeeper
      queue       = module.drops
    }
    worker = {
      name        = "${var.name}-files-worker"
      description = "Worker of files: checks and sends a chunk of a load"
      handler     = "producers.files.worker_handler.handler"
      settings    = var.worker
      queue       = module.chunks
    }
  }

  environment = merge(
    {
      MDM_RULES           = join(",", var.rules)
      MDM_FILES_URL       = "s3://${var.loads.name}/${var.loads.prefix}"
      MDM_CHANGES_STREAM  = var.change_stream.name
      MDM_GOLDEN_STREAM   = var.golden_stream.name
      MDM_QUARANTINE_URL  = "s3://${var.quarantine.name}/${var.quarantine.prefix}"
      MDM_NAMESPACE       = var.namespace
      MDM_FILES_QUEUE_URL = module.chunks.url
      MDM_FILES_TOPIC_ARN = aws_sns_topic.notices.arn
      MDM_FILES_BUS       = aws_cloudwatch_event_bus.this.name
      MDM_KMS_KEY_ID      = var.kms_key_arn
    },
    var.redis == null ? {} : { MDM_REDIS_URL = var.redis.url },
    var.signing == null ? {} : {
      MDM_FILES_SIGNING_KEY_ID = var.signing.key_id
      MDM_SIGNING_KEYS         = "secretsmanager:${var.signing.prefix}"
    },
    { for name, value in var.timeouts : "MDM_${upper(name)}" => tostring(value) },
    { for name, value in var.file_limits : "MDM_FILES_${upper(name)}" => tostring(value) },
  )
}

module "function" {
  source   = "../function"
  for_each = local.functions

  name               = each.value.name
  description        = each.value.description
  package            = var.package
  image              = var.image
  layers             = var.layers
  handler            = each.value.handler
  architecture       = var.architecture
  memory_mb          = each.value.settings.memory_mb
  timeout_s          = each.value.settings.timeout_s
  deployment_name    = var.name
  environment        = local.environment
  policy_json        = data.aws_iam_policy_document.this[each.key].json
  vpc                = var.vpc
  kms_key_arn        = var.kms_key_arn
  log_retention_days = var.log_retention_days
}

# One message an invocation: a file or a chunk is work for seconds, and each has the whole time of its function.
resource "aws_lambda_event_source_mapping" "this" {
  for_each = local.functions

  function_name           = module.function[each.key].arn
  event_source_arn        = each.value.queue.arn
  batch_size              = 1
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = each.value.settings.concurrency_max
  }
}

module "tick" {
  source = "../schedule"

  name        = "${var.name}-files-tick"
  description = "Lets the gatekeeper of files measure what waits"
  function    = { name = module.function["gatekeeper"].name, arn = module.function["gatekeeper"].arn }
}

# A tick that fails is done by the next one.
resource "aws_lambda_function_event_invoke_config" "tick" {
  function_name                = module.function["gatekeeper"].name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}
