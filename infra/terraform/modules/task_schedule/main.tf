data "aws_caller_identity" "current" {}

locals {
  tasks_arn = replace(var.cluster_arn, ":cluster/", ":task/")
}

resource "aws_cloudwatch_event_rule" "this" {
  name                = var.name
  description         = var.description
  schedule_expression = var.expression
}

resource "aws_cloudwatch_event_target" "this" {
  rule     = aws_cloudwatch_event_rule.this.name
  arn      = var.cluster_arn
  role_arn = aws_iam_role.scheduler.arn

  ecs_target {
    task_definition_arn    = var.task.family_arn
    launch_type            = "FARGATE"
    task_count             = 1
    propagate_tags         = "TASK_DEFINITION"
    enable_execute_command = false

    network_configuration {
      subnets          = var.vpc.subnet_ids
      security_groups  = var.vpc.security_group_ids
      assign_public_ip = false
    }
  }

  # A run that could not be started is no loss: the next one does its work.
  retry_policy {
    maximum_retry_attempts       = 3
    maximum_event_age_in_seconds = 3600
  }
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role" "scheduler" {
  name               = "${var.name}-schedule"
  description        = "Starts the task ${var.name}"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "StartTask"
    actions   = ["ecs:RunTask"]
    resources = [var.task.family_arn, "${var.task.family_arn}:*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [var.cluster_arn]
    }
  }

  statement {
    sid       = "TagTask"
    actions   = ["ecs:TagResource"]
    resources = ["${local.tasks_arn}/*"]

    condition {
      test     = "StringEquals"
      variable = "ecs:CreateAction"
      values   = ["RunTask"]
    }
  }

  statement {
    sid       = "GiveRoles"
    actions   = ["iam:PassRole"]
    resources = var.task.role_arns

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "own"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}
