mock_provider "aws" {
  source = "../../mocks"
}

variables {
  deployment_name = "mdm-test"
  name            = "mdm-test-kcl"
  image           = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mdm-kcl@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  policy_json     = "{}"
  size            = { cpu = 1024, memory_mb = 2048 }
  user            = "10002:10002"
  kms_key_arn     = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "hardened" {
  assert {
    condition = alltrue([
      jsondecode(aws_ecs_task_definition.this.container_definitions)[0].readonlyRootFilesystem,
      !jsondecode(aws_ecs_task_definition.this.container_definitions)[0].privileged,
      jsondecode(aws_ecs_task_definition.this.container_definitions)[0].user == "10002:10002",
    ])
    error_message = "The container may write to its image, or has rights that it does not need."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].stopTimeout == 60
    error_message = "The container is not given 60 s between SIGTERM and SIGKILL."
  }

  assert {
    condition     = length(aws_ecs_task_definition.this.volume) == 0
    error_message = "There is a volume that was not asked for."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "Log lines are not encrypted by the key, or kept for another time than the default's."
  }
}

run "the_agent_pulls_this_image_alone" {
  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.agent.statement :
      tolist(statement.resources) == tolist(["arn:aws:ecr:eu-central-1:123456789012:repository/mdm-kcl"])
    ])
    error_message = "The agent may not pull the image, or others too."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.agent.statement :
      tolist(statement.actions) == tolist(["ecr:GetAuthorizationToken"]) if contains(statement.resources, "*")
    ])
    error_message = "A star is on more than the registry's token."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.agent.statement : !contains(statement.actions, "secretsmanager:GetSecretValue")
    ])
    error_message = "The agent may read secrets that the task has none of."
  }
}

run "with_secrets_and_health" {
  variables {
    image         = "ghcr.io/example/reader@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    secrets       = { PGPASSWORD = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf:password::" }
    health_check  = { command = ["python", "-m", "mdm_stream.cli.main", "kcl", "--check"] }
    writes_to_tmp = true
  }

  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.agent.statement :
      tolist(statement.resources) == tolist(["arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf"])
      if contains(statement.actions, "secretsmanager:GetSecretValue")
    ])
    error_message = "The agent may not read the secret, or more than it."
  }

  assert {
    condition     = alltrue([for statement in data.aws_iam_policy_document.agent.statement : !strcontains(join(" ", statement.actions), "ecr:")])
    error_message = "The agent has rights on a registry that the image is not from."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].healthCheck.command[0] == "CMD"
    error_message = "The health check is not the command that was given."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].mountPoints[0].containerPath == "/tmp" && length(aws_ecs_task_definition.this.volume) == 1
    error_message = "The program cannot write to /tmp."
  }
}

run "what_may_change_or_be_read_is_refused" {
  command = plan

  variables {
    image   = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mdm-kcl:latest"
    secrets = { PGPASSWORD = "a password" }
    user    = "0:0"
  }

  expect_failures = [var.image, var.secrets, var.user]
}
