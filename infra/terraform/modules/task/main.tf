data "aws_region" "current" {}

locals {
  container = "main"
  scratch   = "scratch"

  environment = merge({ MDM_DEPLOYMENT = var.deployment_name, POWERTOOLS_METRICS_NAMESPACE = var.deployment_name }, var.environment)

  health_check = var.health_check == null ? {} : {
    healthCheck = {
      command     = concat(["CMD"], var.health_check.command)
      interval    = var.health_check.interval_s
      timeout     = var.health_check.timeout_s
      startPeriod = var.health_check.start_period_s
      retries     = var.health_check.retries
    }
  }

  definition = merge(local.health_check, {
    name      = local.container
    image     = var.image
    essential = true
    command   = var.command
    user      = var.user

    privileged             = false
    readonlyRootFilesystem = true
    stopTimeout            = var.stop_timeout_s
    linuxParameters        = { initProcessEnabled = true }

    environment = [for name in sort(keys(local.environment)) : { name = name, value = local.environment[name] }]
    secrets     = [for name in sort(keys(var.secrets)) : { name = name, valueFrom = var.secrets[name] }]
    mountPoints = var.writes_to_tmp ? [{ sourceVolume = local.scratch, containerPath = "/tmp", readOnly = false }] : []

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.this.name
        awslogs-region        = data.aws_region.current.name
        awslogs-stream-prefix = "task"
      }
    }
  })
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.size.cpu
  memory                   = var.size.memory_mb
  task_role_arn            = aws_iam_role.program.arn
  execution_role_arn       = aws_iam_role.agent.arn
  container_definitions    = jsonencode([local.definition])

  runtime_platform {
    cpu_architecture        = var.architecture
    operating_system_family = "LINUX"
  }

  dynamic "volume" {
    for_each = var.writes_to_tmp ? [local.scratch] : []

    content {
      name = volume.value
    }
  }

  # The agent needs its rights from the first start on.
  depends_on = [aws_iam_role_policy.agent, aws_iam_role_policy.program]
}
