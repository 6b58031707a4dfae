data "aws_region" "current" {}

locals {
  name = "${var.name}-capture-${var.source_name}"

  command = concat(
    [var.database.address, "--stream", var.change_stream.name, "--region", data.aws_region.current.name],
    ["--slot", var.slot, "--publication", var.publication],
    flatten([for each in var.rules : ["--rules", each]]),
    ["--status-interval", tostring(var.status_interval_s), "--emf"],
    var.allow_truncate ? ["--allow-truncate"] : [],
  )
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "Publish"
    actions   = ["kinesis:PutRecords"]
    resources = [var.change_stream.arn]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}

# The image has no health check: the reader ends when it cannot go on, and its metrics say how far behind it is.
module "task" {
  source = "../task"

  name               = local.name
  image              = var.image
  command            = local.command
  deployment_name    = var.name
  secrets            = { PGPASSWORD = var.database.password_from }
  policy_json        = data.aws_iam_policy_document.this.json
  size               = var.size
  architecture       = var.architecture
  user               = "10001:10001"
  stop_timeout_s     = 60
  kms_key_arn        = var.kms_key_arn
  log_retention_days = var.log_retention_days
}

# One reader a slot: PostgreSQL refuses a second one, so the old one ends before the new one starts.
resource "aws_ecs_service" "this" {
  name            = local.name
  cluster         = var.cluster_arn
  task_definition = module.task.task_definition_arn
  desired_count   = 1
  launch_type     = "FARGATE"
  propagate_tags  = "SERVICE"

  enable_execute_command             = false
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.vpc.subnet_ids
    security_groups  = var.vpc.security_group_ids
    assign_public_ip = false
  }
}
