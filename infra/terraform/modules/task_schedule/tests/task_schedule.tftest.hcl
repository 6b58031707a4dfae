mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "mdm-test-compaction"
  description = "Compacts the archive"
  expression  = "cron(30 2 * * ? *)"
  cluster_arn = "arn:aws:ecs:eu-central-1:123456789012:cluster/mdm-test"
  vpc         = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }

  task = {
    family_arn = "arn:aws:ecs:eu-central-1:123456789012:task-definition/mdm-test-compaction"
    role_arns  = ["arn:aws:iam::123456789012:role/mdm-test-compaction", "arn:aws:iam::123456789012:role/mdm-test-compaction-agent"]
  }
}

run "a_task_in_the_private_network" {
  assert {
    condition     = aws_cloudwatch_event_rule.this.schedule_expression == "cron(30 2 * * ? *)"
    error_message = "The task is started at another time."
  }

  assert {
    condition     = !aws_cloudwatch_event_target.this.ecs_target[0].network_configuration[0].assign_public_ip && !aws_cloudwatch_event_target.this.ecs_target[0].enable_execute_command
    error_message = "The task has a public address, or takes commands."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.scheduler.statement :
      !contains(statement.resources, "*") && alltrue([for action in statement.actions : !strcontains(action, "*")])
    ])
    error_message = "A policy has a star."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.scheduler.statement :
      length(statement.condition) == 1
    ])
    error_message = "The schedule may start tasks elsewhere, or give roles to other services."
  }
}

run "what_eventbridge_does_not_know_is_refused" {
  command = plan

  variables {
    expression = "every night"
    vpc        = { subnet_ids = [], security_group_ids = [] }
  }

  expect_failures = [var.expression, var.vpc]
}
