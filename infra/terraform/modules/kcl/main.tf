data "aws_region" "current" {}

locals {
  name        = "${var.name}-${var.role}"
  application = local.name
  # As the health check of the image (infra/docker/kcl/Dockerfile), whose own ECS does not look at.
  check = ["python", "-m", "mdm_stream.cli.main", "kcl", "--check"]

  environment = merge(
    var.consumer.environment,
    {
      # Which botocore reads where a container has none of Lambda's variables: the cache's tokens are signed for it.
      AWS_DEFAULT_REGION    = data.aws_region.current.name
      MDM_KCL_APPLICATION   = local.application
      MDM_KCL_STREAM        = var.stream.name
      MDM_KCL_REGION        = data.aws_region.current.name
      MDM_KCL_HEALTH_FOLDER = "/tmp/mdm-kcl-health"
    },
    { for name, value in var.limits : "MDM_KCL_${upper(name)}" => tostring(value) },
  )
}

data "aws_iam_policy_document" "this" {
  source_policy_documents = [var.consumer.policy_json, data.aws_iam_policy_document.kcl.json]
}

module "task" {
  source = "../task"

  name               = local.name
  image              = var.image
  deployment_name    = var.name
  environment        = local.environment
  policy_json        = data.aws_iam_policy_document.this.json
  size               = var.size
  architecture       = var.architecture
  user               = "10002:10002"
  writes_to_tmp      = true
  stop_timeout_s     = 60
  health_check       = { command = local.check }
  kms_key_arn        = var.kms_key_arn
  log_retention_days = var.log_retention_days
}

resource "aws_ecs_service" "this" {
  name            = local.name
  cluster         = var.cluster_arn
  task_definition = module.task.task_definition_arn
  desired_count   = var.desired_count
  launch_type     = "FARGATE"
  propagate_tags  = "SERVICE"

  enable_execute_command             = false
  deployment_minimum_healthy_percent = 50
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.vpc.subnet_ids
    security_groups  = var.vpc.security_group_ids
    assign_public_ip = false
  }

  depends_on = [aws_dynamodb_table.leases, aws_dynamodb_table.state]
}
