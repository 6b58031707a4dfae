data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  severities = {
    page   = "at once"
    ticket = "in working hours"
  }
  of_account = "${data.aws_partition.current.partition}:%s:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}"
}

resource "aws_sns_topic" "this" {
  for_each = local.severities

  name              = "${var.name}-alarms-${each.key}"
  display_name      = "${var.name}: look ${each.value}"
  kms_master_key_id = var.kms_key_arn
}

data "aws_iam_policy_document" "topic" {
  for_each = local.severities

  statement {
    sid       = "Alarms"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this[each.key].arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${format(local.of_account, "cloudwatch")}:alarm:${var.name}-*"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "ticket" ? merge(aws_cloudwatch_event_rule.reconcile, aws_cloudwatch_event_rule.task) : {}

    content {
      sid       = "Jobs${replace(title(statement.key), "/[^A-Za-z0-9]/", "")}"
      actions   = ["sns:Publish"]
      resources = [aws_sns_topic.this[each.key].arn]

      principals {
        type        = "Service"
        identifiers = ["events.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [statement.value.arn]
      }
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this[each.key].arn]

    principals {
      type = "*"
      # star: what is denied is denied to everyone
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sns_topic_policy" "this" {
  for_each = local.severities

  arn    = aws_sns_topic.this[each.key].arn
  policy = data.aws_iam_policy_document.topic[each.key].json
}

resource "aws_sns_topic_subscription" "this" {
  for_each = merge([
    for name, subscription in var.subscriptions : {
      for severity in subscription.severities : "${name}/${severity}" => merge(subscription, { severity = severity })
    }
  ]...)

  topic_arn = aws_sns_topic.this[each.value.severity].arn
  protocol  = each.value.protocol
  endpoint  = each.value.endpoint
}

# A job that fails writes no metric of its own, so its end is heard of as an event.

locals {
  reconcile_jobs = var.reconcile_job_name == null ? {} : { reconcile = var.reconcile_job_name }
}

resource "aws_cloudwatch_event_rule" "reconcile" {
  for_each = local.reconcile_jobs

  name        = "${var.name}-reconcile-ended-badly"
  description = "Runs of ${each.value} that failed or timed out"
  event_pattern = jsonencode({
    source        = ["aws.glue"]
    "detail-type" = ["Glue Job State Change"]
    detail        = { jobName = [each.value], state = ["FAILED", "TIMEOUT", "ERROR"] }
  })
}

resource "aws_cloudwatch_event_target" "reconcile" {
  for_each = local.reconcile_jobs

  rule = aws_cloudwatch_event_rule.reconcile[each.key].name
  arn  = aws_sns_topic.this["ticket"].arn

  input_transformer {
    input_paths    = { job = "$.detail.jobName", run = "$.detail.jobRunId", state = "$.detail.state" }
    input_template = "\"The job <job> ended as <state>, run <run>. Runbook: ${var.runbooks_url}/drift.md\""
  }
}
