data "aws_region" "current" {}

locals {
  name = "${var.name}-compaction"

  environment = {
    AWS_DEFAULT_REGION = data.aws_region.current.name
    MDM_ARCHIVE_URL    = "s3://${var.archive.name}/${var.archive.prefix}"
    MDM_KMS_KEY_ID     = var.kms_key_arn
  }
}

data "aws_iam_policy_document" "this" {
  statement {
    sid = "ReplaceObjects"
    actions = [
      "s3:DeleteObject",
      "s3:DeleteObjectVersion",
      "s3:GetObject",
      "s3:PutObject",
    ]
    resources = ["${var.archive.arn}/${var.archive.prefix}/*"]
  }

  statement {
    sid       = "ListObjects"
    actions   = ["s3:ListBucket", "s3:ListBucketVersions"]
    resources = [var.archive.arn]
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
  command            = ["archive", "compact", "--older-than-days", tostring(var.older_than_days), "--json"]
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
  description = "Compacts the archive of mdm-stream"
  expression  = var.expression
  task        = { family_arn = module.task.family_arn, role_arns = module.task.role_arns }
  cluster_arn = var.cluster_arn
  vpc         = var.vpc
}
