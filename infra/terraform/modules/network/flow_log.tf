resource "aws_cloudwatch_log_group" "flow" {
  for_each = local.made

  name              = "/mdm/${var.name}/refused-connections"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "flow_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

resource "aws_iam_role" "flow" {
  for_each = local.made

  name               = "${var.name}-flow-log"
  description        = "Writes the flow log of ${var.name}"
  assume_role_policy = data.aws_iam_policy_document.flow_assume.json
}

data "aws_iam_policy_document" "flow" {
  for_each = local.made

  statement {
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.flow[each.key].arn}:*"]
  }
}

resource "aws_iam_role_policy" "flow" {
  for_each = local.made

  name   = "write"
  role   = aws_iam_role.flow[each.key].id
  policy = data.aws_iam_policy_document.flow[each.key].json
}

resource "aws_flow_log" "this" {
  for_each = local.made

  vpc_id          = aws_vpc.this[each.key].id
  traffic_type    = "REJECT"
  iam_role_arn    = aws_iam_role.flow[each.key].arn
  log_destination = aws_cloudwatch_log_group.flow[each.key].arn
}
