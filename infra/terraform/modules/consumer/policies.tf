data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  secrets = "arn:${data.aws_partition.current.partition}:secretsmanager:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:secret"
}

# What reading the streams needs is in the policies of module event_source.
data "aws_iam_policy_document" "this" {
  statement {
    sid       = "Publish"
    actions   = ["kinesis:PutRecords"]
    resources = [var.golden_stream.arn, var.steward_stream.arn]
  }

  statement {
    sid     = "KeepObjects"
    actions = ["s3:GetObject", "s3:PutObject"]
    resources = [
      "${var.archive.arn}/${var.archive.prefix}/*",
      "${var.quarantine.arn}/${var.quarantine.prefix}/*",
    ]
  }

  # A claim object that was erased while it was written is removed again, with its versions.
  statement {
    sid       = "RemoveClaims"
    actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    resources = ["${var.archive.arn}/${var.archive.prefix}/claims/*"]
  }

  # Without it S3 answers that an object is forbidden where it is absent.
  statement {
    sid       = "ListObjects"
    actions   = ["s3:ListBucket"]
    resources = [var.archive.arn, var.quarantine.arn]
  }

  statement {
    sid       = "ListVersions"
    actions   = ["s3:ListBucketVersions"]
    resources = [var.archive.arn]
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

  dynamic "statement" {
    for_each = var.signing_keys_prefix == null ? [] : [var.signing_keys_prefix]

    content {
      sid       = "ReadSigningKeys"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = ["${local.secrets}:${statement.value}*"]
    }
  }
}
