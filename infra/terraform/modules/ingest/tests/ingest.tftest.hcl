mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name          = "mdm-test"
  package       = "./main.tf" # any file: it is only hashed
  rules         = ["person"]
  drop          = { name = "mdm-test-drop", arn = "arn:aws:s3:::mdm-test-drop" }
  loads         = { name = "mdm-test-loads", arn = "arn:aws:s3:::mdm-test-loads", prefix = "loads" }
  quarantine    = { name = "mdm-test-quarantine", arn = "arn:aws:s3:::mdm-test-quarantine", prefix = "quarantine" }
  change_stream = { name = "mdm-test-changes", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mdm-test-changes" }
  golden_stream = { name = "mdm-test-golden", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mdm-test-golden" }
  kms_key_arn   = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  redis = {
    url            = "rediss://mdm-test-index@cache.example:6379/0?iam=elasticache:mdm-test-index"
    connect_action = "elasticache:Connect"
    connect_arns   = ["arn:aws:elasticache:eu-central-1:123456789012:replicationgroup:mdm-test-index"]
  }
  vpc = { subnet_ids = ["subnet-a"], security_group_ids = ["sg-1"] }
}

run "settings" {
  assert {
    condition = (
      output.functions.gatekeeper.environment["MDM_FILES_URL"] == "s3://mdm-test-loads/loads" &&
      output.functions.gatekeeper.environment["MDM_QUARANTINE_URL"] == "s3://mdm-test-quarantine/quarantine" &&
      output.functions.gatekeeper.environment["MDM_CHANGES_STREAM"] == "mdm-test-changes" &&
      output.functions.gatekeeper.environment["MDM_REDIS_URL"] == var.redis.url &&
      output.functions.gatekeeper.environment["MDM_KMS_KEY_ID"] == var.kms_key_arn
    )
    error_message = "The gatekeeper does not find its surroundings."
  }

  assert {
    condition     = output.functions.gatekeeper.environment == output.functions.worker.environment
    error_message = "The worker has other surroundings than the gatekeeper."
  }

  assert {
    condition     = output.functions.worker.environment["MDM_FILES_SPARK_BYTES_MIN"] == "2147483648"
    error_message = "A large number is not written as the code reads it."
  }
}

run "queues_wait_for_their_functions" {
  assert {
    condition     = module.function["gatekeeper"].timeout_s == 900 && module.function["worker"].timeout_s == 300
    error_message = "The functions have other time-outs than those of the queues."
  }

  assert {
    condition = alltrue([
      for mapping in aws_lambda_event_source_mapping.this :
      mapping.function_response_types == toset(["ReportBatchItemFailures"]) && mapping.batch_size == 1
    ])
    error_message = "A message that fails takes others with it."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.this["worker"].scaling_config[0].maximum_concurrency == 4
    error_message = "Workers send more than the change stream takes."
  }

  assert {
    condition     = alltrue([for queue in output.queues : queue.dead_letter_arn != null])
    error_message = "A queue has no dead-letter queue."
  }
}

run "drops_are_told" {
  assert {
    condition     = aws_s3_bucket_notification.drop.bucket == "mdm-test-drop" && aws_s3_bucket_notification.drop.queue[0].events == toset(["s3:ObjectCreated:*"])
    error_message = "A dropped file is not told of."
  }
}

run "notices_are_encrypted" {
  assert {
    condition     = aws_sns_topic.notices.kms_master_key_id == var.kms_key_arn && aws_cloudwatch_event_bus.this.kms_key_identifier == var.kms_key_arn
    error_message = "Notices, which have names of files, are not encrypted by the key."
  }

  assert {
    condition     = data.aws_iam_policy_document.notices.statement[0].effect == "Deny"
    error_message = "The topic takes what comes without TLS."
  }
}

run "without_an_index" {
  variables {
    redis = null
    vpc   = null
  }

  assert {
    condition     = !contains(keys(output.functions.gatekeeper.environment), "MDM_REDIS_URL")
    error_message = "The functions look for an index that there is not."
  }
}

run "signed" {
  variables {
    signing = {
      key_id     = "files-1"
      prefix     = "mdm-test/signing/"
      secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mdm-test/signing/files-1-AbCdEf"
    }
  }

  assert {
    condition     = output.functions.worker.environment["MDM_SIGNING_KEYS"] == "secretsmanager:mdm-test/signing/"
    error_message = "The functions do not find the key that signs."
  }
}

run "refuses_what_cannot_work" {
  command = plan

  variables {
    rules      = []
    vpc        = null
    gatekeeper = { memory_mb = 128 }
    worker     = { concurrency_max = 1 }
  }

  expect_failures = [var.rules, var.redis, var.gatekeeper, var.worker]
}

run "refuses_a_process_that_outlives_its_function" {
  command = plan

  variables {
    gatekeeper  = { timeout_s = 500 }
    file_limits = { direct_bytes_max = 4294967296 }
  }

  expect_failures = [var.file_limits]
}
