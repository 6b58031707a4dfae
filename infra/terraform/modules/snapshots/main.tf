data "aws_region" "current" {}

locals {
  name = "${var.name}-snapshots"

  environment = {
    AWS_DEFAULT_REGION = data.aws_region.current.name
    MDM_KMS_KEY_ID     = var.kms_key_arn
  }

  command = concat(
    ["feed", "snapshot", "--golden-stream", var.golden_stream.name],
    ["--archive", "s3://${var.archive.name}/${var.archive.prefix}"],
    ["--claims", "s3://${var.claims.name}/${var.claims.prefix}"],
    ["--snapshots", "s3://${var.snapshots.name}/${var.snapshots.prefix}"],
    var.newest ? ["--newest"] : [],
    ["--json"],
  )
}

data "aws_iam_policy_document" "this" {
  statement {
    sid = "ReadStream"
    actions = [
      "kinesis:DescribeStreamSummary",
      "kinesis:GetRecords",
      "kinesis:GetShardIterator",
      "kinesis:ListShards",
    ]
    resources = [var.golden_stream.arn]
  }

  statement {
    sid       = "ReadLargeChanges"
    actions   = ["s3:GetObject"]
    resources = ["${var.claims.arn}/${var.claims.prefix}/*"]
  }

  statement {
    sid = "ReplaceSnapshots"
    actions = [
      "s3:DeleteObject",
      "s3:DeleteObjectVersion",
      "s3:GetObject",
      "s3:PutObject",
    ]
    resources = ["${var.snapshots.arn}/${var.snapshots.prefix}/*"]
  }

  # Without it a missing object is answered as one that is forbidden.
  statement {
    sid       = "ListObjects"
    actions   = ["s3:ListBucket", "s3:ListBucketVersions"]
    resources = distinct([var.claims.arn, var.snapshots.arn])
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}

module "task" {
  source = "../task"

  name               = local.name
  image              = var.image
  command            = local.command
  deployment_name    = var.name
  environment        = local.environment
  policy_json        = data.aws_iam_policy_document.this.json
  size               = var.size
  architecture       = var.architecture
  user               = "10003:10003"
  writes_to_tmp      = true
  stop_timeout_s     = 60
  kms_key_arn        = var.kms_key_arn
  log_retention_days = var.log_retention_days
}

module "schedule" {
  source = "../task_schedule"

  name        = local.name
  description = "Takes a snapshot of the golden feed of mdm-stream"
  expression  = var.expression
  task        = { family_arn = module.task.family_arn, role_arns = module.task.role_arns }
  cluster_arn = var.cluster_arn
  vpc         = var.vpc
}
