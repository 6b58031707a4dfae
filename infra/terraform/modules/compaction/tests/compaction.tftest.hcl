mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "mdm-test"
  image       = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mdm-commands@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  cluster_arn = "arn:aws:ecs:eu-central-1:123456789012:cluster/mdm-test"
  archive     = { name = "mdm-test-archive", arn = "arn:aws:s3:::mdm-test-archive" }
  vpc         = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }
  kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "once_a_day" {
  assert {
    condition     = aws_cloudwatch_event_rule.this.schedule_expression == "cron(30 2 * * ? *)"
    error_message = "The archive is not compacted once a day."
  }

  assert {
    condition     = !aws_cloudwatch_event_target.this.ecs_target[0].network_configuration[0].assign_public_ip && !aws_cloudwatch_event_target.this.ecs_target[0].enable_execute_command
    error_message = "The task has a public address, or takes commands."
  }

  assert {
    condition     = output.environment["MDM_ARCHIVE_URL"] == "s3://mdm-test-archive/archive" && output.environment["MDM_KMS_KEY_ID"] == var.kms_key_arn
    error_message = "Another archive is compacted, or parts are encrypted by another key."
  }
}

run "rights_name_what_they_are_for" {
  assert {
    condition = alltrue([
      for statement in concat(data.aws_iam_policy_document.this.statement, data.aws_iam_policy_document.scheduler.statement) :
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

run "an_image_by_a_tag_is_refused" {
  command = plan

  variables {
    image      = "mdm-commands:latest"
    expression = "every night"
  }

  expect_failures = [var.image, var.expression]
}
