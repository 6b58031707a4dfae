mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name                 = "mdm-test-files-chunks"
  kms_key_arn          = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  visibility_timeout_s = 1080
}

run "encrypted" {
  assert {
    condition     = aws_sqs_queue.this.kms_master_key_id == var.kms_key_arn && aws_sqs_queue.dead_letter.kms_master_key_id == var.kms_key_arn
    error_message = "A queue is not encrypted by the key."
  }
}

run "dead_letters" {
  assert {
    condition     = jsondecode(aws_sqs_queue.this.redrive_policy).deadLetterTargetArn == aws_sqs_queue.dead_letter.arn
    error_message = "What fails does not go to the dead-letter queue."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.this.redrive_policy).maxReceiveCount == 5
    error_message = "A message is not tried five times."
  }

  assert {
    condition     = aws_sqs_queue.dead_letter.message_retention_seconds == 1209600
    error_message = "Dead letters are not kept for 14 days."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_allow_policy.dead_letter.redrive_allow_policy).redrivePermission == "byQueue"
    error_message = "Other queues may use the dead-letter queue."
  }
}

run "tls_only" {
  assert {
    condition = alltrue([
      for document in data.aws_iam_policy_document.queue :
      document.statement[0].effect == "Deny" && one(document.statement[0].condition[*].variable) == "aws:SecureTransport"
    ])
    error_message = "A queue takes what comes without TLS."
  }

  assert {
    condition     = toset(keys(aws_sqs_queue_policy.this)) == toset(["queue", "dead_letter"])
    error_message = "A queue has no policy."
  }
}

run "senders" {
  variables {
    senders = [{ service = "s3.amazonaws.com", source_arn = "arn:aws:s3:::drop" }]
  }

  assert {
    condition     = length(data.aws_iam_policy_document.queue["queue"].statement) == 2
    error_message = "The bucket may not send."
  }

  assert {
    condition     = length(data.aws_iam_policy_document.queue["queue"].statement[1].condition) == 2
    error_message = "A sender is not bound to its source and to the account."
  }

  assert {
    condition     = length(data.aws_iam_policy_document.queue["dead_letter"].statement) == 1
    error_message = "Services may send to the dead-letter queue."
  }
}

run "refuses_what_sqs_would" {
  command = plan

  variables {
    visibility_timeout_s = 50000
    max_receive_count    = 1
    retention_s          = 30
    kms_key_arn          = "alias/aws/sqs"
    senders              = [{ service = "s3", source_arn = "drop" }]
  }

  expect_failures = [var.visibility_timeout_s, var.max_receive_count, var.retention_s, var.kms_key_arn, var.senders]
}
