mock_provider "aws" {
  source = "../../mocks"
}

variables {
  rules          = ["person", "company"]
  change_stream  = { name = "mdm-test-changes", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mdm-test-changes" }
  steward_stream = { name = "mdm-test-steward", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mdm-test-steward" }
  golden_stream  = { name = "mdm-test-golden", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mdm-test-golden" }
  archive        = { name = "mdm-test-archive", arn = "arn:aws:s3:::mdm-test-archive" }
  quarantine     = { name = "mdm-test-quarantine", arn = "arn:aws:s3:::mdm-test-quarantine" }
  kms_key_arn    = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"

  redis = {
    url            = "rediss://mdm-test-index@cache.example.internal:6379/0?iam=elasticache:mdm-test-index"
    connect_action = "elasticache:Connect"
    connect_arns   = ["arn:aws:elasticache:eu-central-1:123456789012:replicationgroup:mdm-test-index", "arn:aws:elasticache:eu-central-1:123456789012:user:mdm-test-index"]
  }
}

run "settings" {
  assert {
    condition     = output.environment["MDM_REDIS_URL"] == var.redis.url
    error_message = "The index's address is another one."
  }

  assert {
    condition     = output.environment["MDM_RULES"] == "person,company" && output.environment["MDM_KMS_KEY_ID"] == var.kms_key_arn
    error_message = "Rules or key are others than those given."
  }

  assert {
    condition     = output.environment["MDM_ARCHIVE_URL"] == "s3://mdm-test-archive/archive" && output.environment["MDM_CLAIMS_URL"] == "s3://mdm-test-archive/archive/claims"
    error_message = "Claim objects do not lie beside the archive."
  }

  assert {
    condition     = output.environment["MDM_REDIS_TIMEOUT_S"] == "5" && output.environment["MDM_MERGE_HOLD"] == "false" && output.environment["MDM_FEED_RECORD_BYTES_MAX"] == "1048576"
    error_message = "Limits are not written as the code reads them."
  }

  assert {
    condition     = output.environment["MDM_COMMIT_ATTEMPTS_MAX"] == "50" && !contains(keys(output.deployment), "MDM_COMMIT_ATTEMPTS_MAX")
    error_message = "The engine's limits are to be in the environment, and not in what the job on Glue takes."
  }

  assert {
    condition     = !contains(keys(output.environment), "MDM_AUTHORITY") && !contains(keys(output.environment), "MDM_SIGNING_KEYS")
    error_message = "A policy is set that was not given."
  }

  assert {
    condition     = output.batch_s_min == 53.5
    error_message = "docs/operate/lambda.md says 53.5 s."
  }
}

run "rights_name_what_they_are_for" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement :
      !contains(statement.resources, "*") && alltrue([for action in statement.actions : !strcontains(action, "*")])
    ])
    error_message = "The policy has a star."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement :
      tolist(statement.resources) == tolist(["arn:aws:s3:::mdm-test-archive/archive/claims/*"])
      if contains(statement.actions, "s3:DeleteObject")
    ])
    error_message = "The consumer may remove more than claim objects."
  }

  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.this.statement :
      contains(statement.actions, "elasticache:Connect") && toset(statement.resources) == toset(var.redis.connect_arns)
    ])
    error_message = "The consumer cannot log in to its cache, or could to others."
  }

  assert {
    condition     = alltrue([for statement in data.aws_iam_policy_document.this.statement : !contains(statement.actions, "secretsmanager:GetSecretValue")])
    error_message = "The consumer may read secrets, of which it needs none."
  }
}

run "a_policy_with_keys" {
  variables {
    authority           = "{\"signed_sources\": [\"shop\"]}"
    signing_keys_prefix = "mdm-test/signing/"
    limits              = { redis_timeout_s = 1, aws_timeout_s = 3 }
  }

  assert {
    condition     = output.environment["MDM_SIGNING_KEYS"] == "secretsmanager:mdm-test/signing/" && jsondecode(output.environment["MDM_AUTHORITY"]).signed_sources == ["shop"]
    error_message = "The policy is not handed on."
  }

  assert {
    condition = anytrue([
      for statement in data.aws_iam_policy_document.this.statement :
      contains(statement.resources, "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mdm-test/signing/*")
    ])
    error_message = "The keys that the policy names cannot be read."
  }

  assert {
    condition     = output.batch_s_min == 17.5
    error_message = "docs/operate/lambda.md says 17.5 s."
  }
}

run "a_password_in_the_address_is_refused" {
  command = plan

  variables {
    redis = { url = "rediss://mdm:word@cache:6379/0?iam=elasticache:c", connect_action = "elasticache:Connect", connect_arns = ["arn:a", "arn:b"] }
  }

  expect_failures = [var.redis]
}

run "without_tls_is_refused" {
  command = plan

  variables {
    redis = { url = "redis://mdm@cache:6379/0?iam=elasticache:c", connect_action = "elasticache:Connect", connect_arns = ["arn:a", "arn:b"] }
  }

  expect_failures = [var.redis]
}

run "what_the_code_refuses_is_refused" {
  command = plan

  variables {
    rules     = []
    limits    = { feed_record_bytes_max = 1000 }
    engine    = { backoff_ms_base = 3000 }
    authority = "no JSON"
  }

  expect_failures = [var.rules, var.limits, var.engine, var.authority]
}
