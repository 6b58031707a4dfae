mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name          = "mdm-test"
  image         = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mdm-commands@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  cluster_arn   = "arn:aws:ecs:eu-central-1:123456789012:cluster/mdm-test"
  golden_stream = { name = "mdm-test-golden", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mdm-test-golden", retention_hours = 168 }
  archive       = { name = "mdm-test-archive", arn = "arn:aws:s3:::mdm-test-archive", prefix = "archive" }
  claims        = { name = "mdm-test-archive", arn = "arn:aws:s3:::mdm-test-archive", prefix = "archive/claims" }
  snapshots     = { name = "mdm-test-archive", arn = "arn:aws:s3:::mdm-test-archive", prefix = "archive/feed-snapshots" }
  vpc           = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }
  kms_key_arn   = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "the_deployment_s_feed" {
  assert {
    condition     = join(" ", output.command) == "feed snapshot --golden-stream mdm-test-golden --archive s3://mdm-test-archive/archive --claims s3://mdm-test-archive/archive/claims --snapshots s3://mdm-test-archive/archive/feed-snapshots --json"
    error_message = "Another feed is taken, or its snapshots go elsewhere."
  }

  assert {
    condition     = local.environment["MDM_KMS_KEY_ID"] == var.kms_key_arn && output.rule_name == "mdm-test-snapshots"
    error_message = "Snapshots are encrypted by another key, or nothing starts the task."
  }
}

run "rights_name_what_they_are_for" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement :
      !contains(statement.resources, "*") && alltrue([for action in statement.actions : !strcontains(action, "*")])
    ])
    error_message = "A policy has a star."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement :
      alltrue([for resource in statement.resources : resource == "arn:aws:s3:::mdm-test-archive/archive/feed-snapshots/*"])
      if contains(statement.actions, "s3:PutObject")
    ])
    error_message = "The task may write elsewhere than among the snapshots."
  }
}

run "the_newest_alone" {
  variables {
    newest = true
  }

  assert {
    condition     = contains(output.command, "--newest")
    error_message = "Snapshots have history though it was not asked for."
  }
}

run "what_comes_too_late_is_refused" {
  command = plan

  variables {
    image         = "mdm-commands:latest"
    expression    = "every night"
    golden_stream = { name = "mdm-test-golden", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mdm-test-golden", retention_hours = 24 }
  }

  expect_failures = [var.image, var.expression, var.golden_stream]
}
