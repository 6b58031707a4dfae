data "aws_caller_identity" "current" {}

resource "aws_sns_topic" "notices" {
  name              = "${var.name}-files-notices"
  kms_master_key_id = var.kms_key_arn
}

data "aws_iam_policy_document" "notices" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.notices.arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # SNS asks for one that allows; roles of the account still need their own policies.
  statement {
    sid       = "Account"
    actions   = ["sns:Publish", "sns:Subscribe"]
    resources = [aws_sns_topic.notices.arn]

    principals {
      type        = "AWS"
      identifiers = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "notices" {
  arn    = aws_sns_topic.notices.arn
  policy = data.aws_iam_policy_document.notices.json
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.notice_emails

  topic_arn = aws_sns_topic.notices.arn
  protocol  = "email"
  endpoint  = each.key
}

resource "aws_cloudwatch_event_bus" "this" {
  name               = "${var.name}-files"
  kms_key_identifier = var.kms_key_arn
}
