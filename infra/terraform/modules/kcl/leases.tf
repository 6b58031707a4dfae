locals {
  # The KCL's own names of its tables beside the lease table, with their keys.
  state_tables = {
    WorkerMetricStats = "wid"
    CoordinatorState  = "key"
  }
  owner_index = "LeaseOwnerToLeaseKeyIndex"
}

# The tables that the KCL would make itself: here, so that they have the deployment's key, and the consumer no right to
# make or change a table.
resource "aws_dynamodb_table" "leases" {
  name         = local.application
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "leaseKey"

  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "leaseKey"
    type = "S"
  }

  attribute {
    name = "leaseOwner"
    type = "S"
  }

  global_secondary_index {
    name            = local.owner_index
    hash_key        = "leaseOwner"
    range_key       = "leaseKey"
    projection_type = "KEYS_ONLY"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}

resource "aws_dynamodb_table" "state" {
  for_each = local.state_tables

  name         = "${local.application}-${each.key}"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = each.value

  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = each.value
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}

data "aws_iam_policy_document" "kcl" {
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
    sid = "Leases"
    actions = [
      "dynamodb:DeleteItem",
      "dynamodb:DescribeTable",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Scan",
      "dynamodb:UpdateItem",
    ]
    resources = concat([aws_dynamodb_table.leases.arn], values(aws_dynamodb_table.state)[*].arn)
  }

  statement {
    sid       = "LeasesOfWorker"
    actions   = ["dynamodb:Query"]
    resources = ["${aws_dynamodb_table.leases.arn}/index/${local.owner_index}"]
  }

  statement {
    sid     = "Metrics"
    actions = ["cloudwatch:PutMetricData"]
    # star: metrics are no resources; the namespace is the application's own
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = [local.application]
    }
  }
}
