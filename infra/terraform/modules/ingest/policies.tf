# Both may do the same but for the queue that they read: a worker reads a file again where its rules have changed.
data "aws_iam_policy_document" "this" {
  for_each = { gatekeeper = module.drops.arn, worker = module.chunks.arn }

  statement {
    sid       = "ReadMessages"
    actions   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = [each.value]
  }

  statement {
    sid       = "SendSteps"
    actions   = ["sqs:SendMessage"]
    resources = [module.chunks.arn]
  }

  statement {
    sid       = "ReadDrops"
    actions   = ["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionTagging"]
    resources = ["${var.drop.arn}/*"]
  }

  statement {
    sid       = "KeepLoads"
    actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:PutObject"]
    resources = ["${var.loads.arn}/${var.loads.prefix}/*"]
  }

  statement {
    sid       = "KeepRejectedRows"
    actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject"]
    resources = ["${var.quarantine.arn}/${var.quarantine.prefix}/*"]
  }

  # Without it S3 answers that an object is forbidden where it is absent.
  statement {
    sid       = "ListObjects"
    actions   = ["s3:ListBucket"]
    resources = [var.drop.arn, var.loads.arn, var.quarantine.arn]
  }

  statement {
    sid       = "ListVersions"
    actions   = ["s3:ListBucketVersions"]
    resources = [var.loads.arn, var.quarantine.arn]
  }

  statement {
    sid       = "SendEvents"
    actions   = ["kinesis:PutRecords"]
    resources = [var.change_stream.arn, var.golden_stream.arn]
  }

  statement {
    sid       = "SendNotices"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.notices.arn]
  }

  statement {
    sid       = "PutNotices"
    actions   = ["events:PutEvents"]
    resources = [aws_cloudwatch_event_bus.this.arn]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }

  dynamic "statement" {
    for_each = var.redis == null ? [] : [var.redis]

    content {
      sid       = "AskIndex"
      actions   = [statement.value.connect_action]
      resources = statement.value.connect_arns
    }
  }

  dynamic "statement" {
    for_each = var.signing == null ? [] : [var.signing]

    content {
      sid       = "ReadSigningKey"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [statement.value.secret_arn]
    }
  }
}
