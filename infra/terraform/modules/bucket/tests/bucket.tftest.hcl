mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name        = "mdm-test-archive-123456789012"
  kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "encrypted" {
  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_server_side_encryption_configuration.this.rule :
      rule.bucket_key_enabled && rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" &&
      rule.apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn
    ])
    error_message = "The bucket does not encrypt by the key."
  }
}

run "nothing_public" {
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "The bucket can be made public."
  }

  assert {
    condition     = aws_s3_bucket_ownership_controls.this.rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "Access lists of objects count."
  }
}

run "tls_only" {
  assert {
    condition     = toset([for statement in data.aws_iam_policy_document.this.statement : statement.sid]) == toset(["TlsOnly", "NoOldTls"])
    error_message = "The bucket answers without TLS, or by an old one."
  }

  assert {
    condition     = alltrue([for statement in data.aws_iam_policy_document.this.statement : statement.effect == "Deny"])
    error_message = "The bucket's policy allows what no caller asked for."
  }
}

run "versions" {
  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "The bucket keeps no versions."
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this.rule[0].noncurrent_version_expiration[0].noncurrent_days == 7
    error_message = "Versions are kept for longer than the 7 days of the default."
  }

  assert {
    condition     = !aws_s3_bucket.this.force_destroy
    error_message = "A destroy removes what the bucket holds."
  }
}

run "lifecycle" {
  variables {
    lifecycle_rules = [
      { id = "snapshots", prefix = "snapshots/", expire_after_days = 30 },
      { id = "old", transition = { after_days = 90, storage_class = "GLACIER_IR" } },
    ]
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this.rule[1].expiration[0].days == 30
    error_message = "Snapshots are not removed."
  }

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.this.rule[2].transition).storage_class == "GLACIER_IR"
    error_message = "Old objects are not moved."
  }
}

run "refuses_what_cannot_be_read_again" {
  command = plan

  variables {
    name            = "mdm.test"
    noncurrent_days = 0
    lifecycle_rules = [{ id = "old", transition = { after_days = 90, storage_class = "DEEP_ARCHIVE" } }]
  }

  expect_failures = [var.name, var.noncurrent_days, var.lifecycle_rules]
}
