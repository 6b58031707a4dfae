mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "mdm-test"
  kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "encrypted" {
  assert {
    condition = alltrue([
      for stream in aws_kinesis_stream.this : stream.encryption_type == "KMS" && stream.kms_key_id == var.kms_key_arn
    ])
    error_message = "A stream is not encrypted by the key."
  }

  assert {
    condition     = toset([for stream in aws_kinesis_stream.this : stream.name]) == toset(["mdm-test-changes", "mdm-test-steward", "mdm-test-golden"])
    error_message = "There are other streams than the three of a deployment."
  }
}

run "defaults" {
  assert {
    condition     = alltrue([for stream in aws_kinesis_stream.this : stream.retention_period == 168])
    error_message = "A stream forgets before a weekend and a rebuild are over."
  }

  assert {
    condition = (
      aws_kinesis_stream.this["changes"].stream_mode_details[0].stream_mode == "ON_DEMAND" &&
      aws_kinesis_stream.this["golden"].stream_mode_details[0].stream_mode == "ON_DEMAND" &&
      aws_kinesis_stream.this["steward"].shard_count == 1
    )
    error_message = "Change and golden stream are not on demand, or stewards have more than the one shard that they need."
  }
}

run "provisioned" {
  variables {
    changes = { shards = 4, retention_hours = 24 }
  }

  assert {
    condition = (
      aws_kinesis_stream.this["changes"].stream_mode_details[0].stream_mode == "PROVISIONED" &&
      aws_kinesis_stream.this["changes"].shard_count == 4
    )
    error_message = "The shards asked for are not there."
  }

  assert {
    condition     = output.change_stream.name == "mdm-test-changes" && output.change_stream.retention_hours == 24
    error_message = "The output is of another stream."
  }
}

run "refuses_what_kinesis_would" {
  command = plan

  variables {
    changes = { shards = 0 }
    steward = { retention_hours = 12 }
    golden  = { retention_hours = 9000 }
  }

  expect_failures = [var.changes, var.steward, var.golden]
}
