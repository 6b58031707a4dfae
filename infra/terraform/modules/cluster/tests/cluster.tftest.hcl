mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name = "mdm-test"
}

run "on_fargate_with_metrics" {
  assert {
    condition     = anytrue([for setting in aws_ecs_cluster.this.setting : setting.name == "containerInsights" && setting.value == "enabled"])
    error_message = "Nothing measures the containers."
  }

  assert {
    condition     = aws_ecs_cluster_capacity_providers.this.capacity_providers == toset(["FARGATE"])
    error_message = "Tasks run elsewhere than on Fargate."
  }
}
