data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  secrets = "arn:${data.aws_partition.current.partition}:secretsmanager:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:secret"
}

data "aws_iam_policy_document" "this" {
  # Reading is for outcomes of events without a version or a time of their own.
  statement {
    sid       = "PutEvents"
    actions   = ["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:PutRecords"]
    resources = [var.change_stream.arn]
  }

  statement {
    sid       = "ReadQuarantine"
    actions   = ["s3:GetObject"]
    resources = ["${var.quarantine.arn}/${var.quarantine.prefix}/*"]
  }

  # Without it S3 answers that an object is forbidden where it is absent.
  statement {
    sid       = "ListQuarantine"
    actions   = ["s3:ListBucket"]
    resources = [var.quarantine.arn]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }

  statement {
    sid       = "LogInToIndex"
    actions   = [var.redis.connect_action]
    resources = var.redis.connect_arns
  }

  statement {
    sid     = "ReadSecrets"
    actions = ["secretsmanager:GetSecretValue"]
    resources = concat(
      [aws_secretsmanager_secret.id_key.arn],
      var.signing_keys_prefix == null ? [] : ["${local.secrets}:${var.signing_keys_prefix}*"],
    )
  }
}
