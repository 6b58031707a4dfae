data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.name
  account_id = data.aws_caller_identity.current.account_id

  network_of = "arn:${local.partition}:ec2:${local.region}:${local.account_id}"

  archive   = "${var.archive.arn}/${var.archive.prefix}"
  workspace = "${var.workspace.arn}/${var.workspace.prefix}"
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["glue.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = local.name
  description        = "Runs the reconciliation of mdm-stream on Glue"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

# What Glue does with the job's role: log lines, and the network interfaces of its machines.
data "aws_iam_policy_document" "glue" {
  statement {
    sid       = "Logs"
    actions   = ["logs:AssociateKmsKey", "logs:CreateLogStream", "logs:PutLogEvents"]
    resources = flatten([for group in aws_cloudwatch_log_group.this : [group.arn, "${group.arn}:*"]])
  }

  statement {
    sid     = "Connection"
    actions = ["glue:GetConnection"]
    resources = [
      "arn:${local.partition}:glue:${local.region}:${local.account_id}:catalog",
      aws_glue_connection.this.arn,
    ]
  }

  statement {
    sid = "LookAtNetwork"
    actions = [
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeRouteTables",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeVpcAttribute",
      "ec2:DescribeVpcEndpoints",
    ]
    # star: EC2's describing actions know no resources
    resources = ["*"]
  }

  statement {
    sid     = "MakeInterfaces"
    actions = ["ec2:CreateNetworkInterface"]
    resources = concat(
      ["${local.network_of}:network-interface/*"],
      ["${local.network_of}:subnet/${data.aws_subnet.this.id}"],
      [for id in local.security_group_ids : "${local.network_of}:security-group/${id}"],
    )
  }

  statement {
    sid       = "RemoveInterfaces"
    actions   = ["ec2:DeleteNetworkInterface"]
    resources = ["${local.network_of}:network-interface/*"]

    condition {
      test     = "ArnEquals"
      variable = "ec2:Subnet"
      values   = ["${local.network_of}:subnet/${data.aws_subnet.this.id}"]
    }
  }

  statement {
    sid       = "TagInterfaces"
    actions   = ["ec2:CreateTags", "ec2:DeleteTags"]
    resources = ["${local.network_of}:network-interface/*"]

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "aws:TagKeys"
      values   = ["aws-glue-service-resource"]
    }
  }
}

resource "aws_iam_role_policy" "glue" {
  name   = "glue"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.glue.json
}

# docs/operate/reconcile.md, 'What it may do'.
data "aws_iam_policy_document" "own" {
  statement {
    sid     = "ReadObjects"
    actions = ["s3:GetObject"]
    resources = [
      "${local.archive}/*",
      "${var.package_bucket.arn}/${var.package_bucket.prefix}/*",
    ]
  }

  statement {
    sid       = "ListObjects"
    actions   = ["s3:ListBucket", "s3:ListBucketVersions"]
    resources = distinct([var.archive.arn, var.workspace.arn, var.package_bucket.arn])
  }

  statement {
    sid     = "KeepTablesAndReports"
    actions = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject"]
    resources = [
      "${local.archive}/reconcile-runs/*",
      "${local.workspace}/*",
    ]
  }

  statement {
    sid       = "ReadTables"
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts"]
    resources = ["${local.workspace}/*"]
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
    for_each = var.warehouse == null ? [] : [var.warehouse.private_key_secret_arn]

    content {
      sid       = "ReadPrivateKey"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = var.job.repair ? [1] : []

    content {
      sid       = "RepairArchive"
      actions   = ["s3:PutObject"]
      resources = ["${local.archive}/*"]
    }
  }

  dynamic "statement" {
    for_each = var.job.repair ? [1] : []

    content {
      sid       = "RepairFeed"
      actions   = ["kinesis:PutRecords"]
      resources = [var.golden_stream.arn]
    }
  }
}

resource "aws_iam_role_policy" "own" {
  name   = "own"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.own.json
}
