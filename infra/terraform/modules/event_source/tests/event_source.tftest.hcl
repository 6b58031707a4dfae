mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "changes"
  function    = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:mdm-test-resolve", role_name = "mdm-test-resolve" }
  stream      = { name = "mdm-test-changes", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mdm-test-changes", retention_hours = 168 }
  on_failure  = { name = "mdm-test-on-failure", arn = "arn:aws:s3:::mdm-test-on-failure" }
  kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "as_the_page_says" {
  assert {
    condition     = aws_lambda_event_source_mapping.this.batch_size == 500 && aws_lambda_event_source_mapping.this.maximum_batching_window_in_seconds == 1
    error_message = "Batches are not those of docs/operate/lambda.md."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "The response would not name the first record that is not done: Lambda would take the batch for done."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.bisect_batch_on_function_error && aws_lambda_event_source_mapping.this.maximum_retry_attempts == -1
    error_message = "One bad record would take its batch along, or a long fault of Redis would."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.maximum_record_age_in_seconds == 518400
    error_message = "Of a stream of seven days, a record is to be set aside a day before it is forgotten."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.destination_config[0].on_failure[0].destination_arn == var.on_failure.arn
    error_message = "What is set aside has no destination with its payload."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this.parallelization_factor == 1 && aws_lambda_event_source_mapping.this.starting_position == "TRIM_HORIZON"
    error_message = "The mapping begins elsewhere, or spreads a shard unasked."
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
    condition     = aws_iam_role_policy.this.role == "mdm-test-resolve"
    error_message = "The rights are of another role than the function's."
  }
}

run "one_day_of_retention" {
  variables {
    stream = { name = "s", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/s", retention_hours = 24 }
  }

  assert {
    condition     = output.maximum_record_age_s == 82800
    error_message = "Of a stream of 24 hours, a record is to be set aside an hour before it is forgotten."
  }
}

run "a_year_of_retention" {
  variables {
    stream = { name = "s", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/s", retention_hours = 8760 }
  }

  assert {
    condition     = output.maximum_record_age_s == 604800
    error_message = "Lambda knows no age above a week."
  }
}

run "an_age_above_the_retention_is_refused" {
  command = plan

  variables {
    stream               = { name = "s", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/s", retention_hours = 24 }
    maximum_record_age_s = 86400
  }

  expect_failures = [var.maximum_record_age_s]
}

run "no_limit_of_age_is_refused" {
  command = plan

  variables {
    maximum_record_age_s = -1
  }

  expect_failures = [var.maximum_record_age_s]
}

run "what_lambda_refuses_is_refused" {
  command = plan

  variables {
    batch_size             = 10001
    window_s               = 301
    parallelization_factor = 11
    maximum_retry_attempts = 10001
    starting_position      = "AT_TIMESTAMP"
  }

  expect_failures = [
    var.batch_size,
    var.window_s,
    var.parallelization_factor,
    var.maximum_retry_attempts,
    var.starting_position,
  ]
}
