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

run "the_deployment_s_archive" {
  assert {
    condition     = output.environment["MDM_ARCHIVE_URL"] == "s3://mdm-test-archive/archive" && output.environment["MDM_KMS_KEY_ID"] == var.kms_key_arn
    error_message = "Another archive is compacted, or parts are encrypted by another key."
  }

  assert {
    condition     = output.rule_name == "mdm-test-compaction"
    error_message = "Nothing starts the task."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement :
      !contains(statement.resources, "*") && alltrue([for action in statement.actions : !strcontains(action, "*")])
    ])
    error_message = "A policy has a star."
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
