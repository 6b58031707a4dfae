mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name          = "mdm-test"
  package       = "./main.tf" # any file: it is only hashed
  snowflake     = { account = "org-account", user = "MDM_WRITER", database = "MDM", schema = "GOLDEN", warehouse = "MDM_LOAD" }
  golden_stream = { name = "mdm-test-golden", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mdm-test-golden", retention_hours = 168 }
  archive       = { name = "mdm-test-archive", arn = "arn:aws:s3:::mdm-test-archive" }
  on_failure    = { name = "mdm-test-on-failure", arn = "arn:aws:s3:::mdm-test-on-failure" }
  kms_key_arn   = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "settings" {
  assert {
    condition     = output.environment["MDM_WAREHOUSE_KIND"] == "snowflake" && output.environment["MDM_WAREHOUSE_SNOWFLAKE_SCHEMA"] == "GOLDEN"
    error_message = "The consumer would write elsewhere."
  }

  assert {
    condition     = output.environment["MDM_WAREHOUSE_SNOWFLAKE_PRIVATE_KEY_SECRET_ARN"] == output.private_key_secret_arn
    error_message = "The consumer would look for its key elsewhere."
  }

  assert {
    condition     = !contains(keys(output.environment), "MDM_WAREHOUSE_SNOWFLAKE_ROLE") && !contains(keys(output.environment), "MDM_LINEAGE_URL")
    error_message = "What was left out is set."
  }

  assert {
    condition     = output.environment["MDM_WAREHOUSE_CLAIMS_URL"] == "s3://mdm-test-archive/archive/claims"
    error_message = "Claim checks lead elsewhere."
  }
}

run "encrypted_and_least_rights" {
  assert {
    condition     = aws_secretsmanager_secret.private_key.kms_key_id == var.kms_key_arn
    error_message = "The secret is not encrypted by the key."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.this.statement :
      !contains(statement.resources, "*") && alltrue([for action in statement.actions : !strcontains(action, "*") && !strcontains(action, ":Put")])
    ])
    error_message = "The policy has a star, or a right to write."
  }
}

run "attempts_are_bounded" {
  assert {
    condition     = output.event_source.settings.maximum_retry_attempts == 100 && output.event_source.settings.window_s == 300
    error_message = "A message that cannot be read would stop the feed, or each minute would wake the virtual warehouse."
  }
}

run "lineage" {
  variables {
    lineage = { url = "https://lineage.example.org", job = "mdm-test" }
  }

  assert {
    condition     = output.environment["MDM_LINEAGE_URL"] == "https://lineage.example.org" && output.environment["MDM_LINEAGE_JOB"] == "mdm-test"
    error_message = "Lineage is sent elsewhere."
  }
}

run "what_the_code_refuses_is_refused" {
  command = plan

  variables {
    snowflake    = { account = "a", user = "u", database = "d", schema = "s", writer = "merge", ingest = "streaming" }
    limits       = { socket_timeout_s = 10 }
    event_source = { maximum_retry_attempts = -1 }
  }

  expect_failures = [var.snowflake, var.limits, var.event_source]
}

run "a_time_below_that_of_a_statement_is_refused" {
  command = plan

  variables {
    timeout_s = 300
  }

  expect_failures = [var.timeout_s]
}

run "dynamic_tables_need_a_virtual_warehouse" {
  command = plan

  variables {
    snowflake = { account = "a", user = "u", database = "d", schema = "s" }
  }

  expect_failures = [var.snowflake]
}

run "views_need_none" {
  variables {
    snowflake = { account = "a", user = "u", database = "d", schema = "s", lag_s = 0 }
  }

  assert {
    condition     = output.environment["MDM_WAREHOUSE_SNOWFLAKE_LAG_S"] == "0" && !contains(keys(output.environment), "MDM_WAREHOUSE_SNOWFLAKE_WAREHOUSE")
    error_message = "The consumer would make dynamic tables."
  }
}
