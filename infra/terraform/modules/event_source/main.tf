locals {
  hour_s = 3600
  day_s  = 86400
  # The longest age that Lambda knows.
  age_s_max = 604800

  retention_s  = var.stream.retention_hours * local.hour_s
  margin_s     = local.retention_s >= 2 * local.day_s ? local.day_s : local.hour_s
  record_age_s = coalesce(var.maximum_record_age_s, min(local.age_s_max, local.retention_s - local.margin_s))
}

resource "aws_lambda_event_source_mapping" "this" {
  function_name    = var.function.arn
  event_source_arn = var.stream.arn
  enabled          = var.enabled

  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = var.window_s
  parallelization_factor             = var.parallelization_factor
  starting_position                  = var.starting_position
  starting_position_timestamp        = var.starting_position_timestamp

  bisect_batch_on_function_error = var.bisect_on_error
  maximum_record_age_in_seconds  = local.record_age_s
  maximum_retry_attempts         = var.maximum_retry_attempts

  # The handlers name the first record that is not done; without this Lambda would take such a batch for done.
  function_response_types = ["ReportBatchItemFailures"]

  # What the alarms of module observability look at.
  metrics_config {
    metrics = ["EventCount"]
  }

  destination_config {
    on_failure {
      destination_arn = var.on_failure.arn
    }
  }

  # Lambda looks at the stream with the function's role while it makes the mapping.
  depends_on = [aws_iam_role_policy.this]
}

data "aws_iam_policy_document" "this" {
  statement {
    sid = "ReadStream"
    actions = [
      "kinesis:DescribeStream",
      "kinesis:DescribeStreamSummary",
      "kinesis:GetRecords",
      "kinesis:GetShardIterator",
      "kinesis:ListShards",
    ]
    resources = [var.stream.arn]
  }

  statement {
    sid       = "SetAside"
    actions   = ["s3:PutObject"]
    resources = ["${var.on_failure.arn}/aws/lambda/*"]
  }

  statement {
    sid       = "FindBucket"
    actions   = ["s3:ListBucket"]
    resources = [var.on_failure.arn]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "event-source-${var.name}"
  role   = var.function.role_name
  policy = data.aws_iam_policy_document.this.json
}
