mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name           = "mdm-test"
  package        = "./main.tf" # any file: it is only hashed
  consumer       = { environment = { MDM_RULES = "person" }, policy_json = "{}", batch_s_min = 53.5 }
  change_stream  = { name = "mdm-test-changes", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mdm-test-changes", retention_hours = 168 }
  steward_stream = { name = "mdm-test-steward", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mdm-test-steward", retention_hours = 24 }
  on_failure     = { name = "mdm-test-on-failure", arn = "arn:aws:s3:::mdm-test-on-failure" }
  vpc            = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }
  kms_key_arn    = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "one_function_for_both_streams" {
  assert {
    condition     = keys(output.event_sources) == ["changes", "steward"]
    error_message = "Changes and what stewards say are to be read by one function."
  }

  assert {
    condition     = output.event_sources["changes"].maximum_record_age_s == 518400 && output.event_sources["steward"].maximum_record_age_s == 82800
    error_message = "A record's age is to follow from its own stream's retention."
  }

  assert {
    condition     = output.event_sources["changes"].settings.report_batch_item_failures && output.event_sources["changes"].settings.on_failure == "s3://mdm-test-on-failure"
    error_message = "Batches that fail would be lost."
  }

  assert {
    condition     = output.function.name == "mdm-test-resolve" && output.function.timeout_s == 180
    error_message = "The function has another name or time than documented."
  }

  assert {
    condition     = tomap(output.environment) == tomap({ MDM_DEPLOYMENT = "mdm-test", MDM_RULES = "person", POWERTOOLS_METRICS_NAMESPACE = "mdm-test" })
    error_message = "The function has other settings than the consumer's."
  }

  assert {
    condition     = output.tick_rule_name == "mdm-test-resolve-tick"
    error_message = "Nothing ticks the function."
  }
}

run "too_short_a_time_is_refused" {
  command = plan

  variables {
    timeout_s = 53
  }

  expect_failures = [var.timeout_s]
}
