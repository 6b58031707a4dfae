mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "mdm-test"
  image       = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mdm-kcl@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  cluster_arn = "arn:aws:ecs:eu-central-1:123456789012:cluster/mdm-test"
  consumer    = { environment = { MDM_RULES = "person" }, policy_json = "{}" }
  stream      = { name = "mdm-test-changes", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mdm-test-changes" }
  vpc         = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }
  kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "leases" {
  assert {
    condition     = aws_dynamodb_table.leases.name == "mdm-test-kcl" && aws_dynamodb_table.leases.hash_key == "leaseKey"
    error_message = "The KCL would look for another table of leases, and make it."
  }

  assert {
    condition = alltrue([
      for index in aws_dynamodb_table.leases.global_secondary_index :
      index.name == "LeaseOwnerToLeaseKeyIndex" && index.hash_key == "leaseOwner" && index.range_key == "leaseKey" && index.projection_type == "KEYS_ONLY"
    ]) && length(aws_dynamodb_table.leases.global_secondary_index) == 1
    error_message = "The KCL would make its index, for which it has no right."
  }

  assert {
    condition     = aws_dynamodb_table.state["WorkerMetricStats"].hash_key == "wid" && aws_dynamodb_table.state["CoordinatorState"].hash_key == "key"
    error_message = "The KCL's other tables have other keys than it asks for."
  }

  assert {
    condition = alltrue([
      for table in concat([aws_dynamodb_table.leases], values(aws_dynamodb_table.state)) :
      table.server_side_encryption[0].kms_key_arn == var.kms_key_arn && table.point_in_time_recovery[0].enabled && table.deletion_protection_enabled
    ])
    error_message = "A table is not encrypted by the key, cannot be restored, or is deleted unasked."
  }
}

run "rights_name_what_they_are_for" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.kcl.statement :
      tolist(statement.actions) == tolist(["cloudwatch:PutMetricData"]) if contains(statement.resources, "*")
    ])
    error_message = "A star is on more than metrics."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.kcl.statement :
      !strcontains(join(" ", statement.actions), "Table") || contains(statement.actions, "dynamodb:DescribeTable")
    ]) && !strcontains(jsonencode(data.aws_iam_policy_document.kcl.statement), "CreateTable") && !strcontains(jsonencode(data.aws_iam_policy_document.kcl.statement), "UpdateTable")
    error_message = "The consumer may make or change tables."
  }
}

run "the_container" {
  assert {
    condition     = output.environment["MDM_RULES"] == "person" && output.environment["MDM_KCL_APPLICATION"] == "mdm-test-kcl" && output.environment["MDM_KCL_STREAM"] == "mdm-test-changes"
    error_message = "The container has other settings than the consumer's and its own."
  }

  assert {
    condition     = output.environment["MDM_KCL_SHUTDOWN_GRACE_MS"] == "30000" && output.environment["MDM_KCL_HEALTH_FOLDER"] == "/tmp/mdm-kcl-health"
    error_message = "A limit, or the folder that the health check looks into, is not set."
  }

  assert {
    condition     = !aws_ecs_service.this.network_configuration[0].assign_public_ip && !aws_ecs_service.this.enable_execute_command
    error_message = "A container has a public address, or takes commands."
  }

  assert {
    condition     = aws_ecs_service.this.deployment_circuit_breaker[0].rollback
    error_message = "A release that does not start stays."
  }
}

run "a_second_stream" {
  variables {
    role   = "kcl-steward"
    stream = { name = "mdm-test-steward", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mdm-test-steward" }
  }

  assert {
    condition     = output.application == "mdm-test-kcl-steward" && output.environment["MDM_KCL_STREAM"] == "mdm-test-steward"
    error_message = "The steward stream needs an application of its own."
  }
}

run "what_the_code_refuses_is_refused" {
  command = plan

  variables {
    limits = { timeout_s = 500, initial_position = "AT_TIMESTAMP", shutdown_grace_ms = 50000, restart_ms_base = 70000 }
  }

  expect_failures = [var.limits]
}
