mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name           = "mdm-test"
  package        = { script = "./main.tf", wheels = "./versions.tf" } # any files: they are only hashed
  package_bucket = { name = "mdm-test-loads", arn = "arn:aws:s3:::mdm-test-loads" }
  rules          = ["person"]
  deployment     = { MDM_RULES = "person", MDM_REDIS_URL = "rediss://mdm@cache:6379/0?iam=elasticache:mdm-test-index", MDM_NAMESPACE = "main" }
  golden_stream  = { name = "mdm-test-golden", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/mdm-test-golden" }
  archive        = { name = "mdm-test-archive", arn = "arn:aws:s3:::mdm-test-archive", prefix = "archive" }
  workspace      = { name = "mdm-test-loads", arn = "arn:aws:s3:::mdm-test-loads" }
  settle_s       = 180
  vpc            = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }
  kms_key_arn    = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"

  redis = {
    url            = "rediss://mdm-test-index@cache.example.internal:6379/0?iam=elasticache:mdm-test-index"
    connect_action = "elasticache:Connect"
    connect_arns   = ["arn:aws:elasticache:eu-central-1:123456789012:replicationgroup:mdm-test-index", "arn:aws:elasticache:eu-central-1:123456789012:user:mdm-test-index"]
  }

  warehouse = {
    environment            = { MDM_WAREHOUSE_KIND = "snowflake", MDM_LINEAGE_URL = "https://lineage.example.org" }
    private_key_secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:snowflake-AbCdEf"
  }
}

run "arguments_are_settings" {
  assert {
    condition     = output.arguments["--RULES"] == "person" && output.arguments["--WAREHOUSE_KIND"] == "snowflake" && output.arguments["--SETTLE_S"] == "180"
    error_message = "The job has other settings than the consumers."
  }

  assert {
    condition     = !contains(keys(output.arguments), "--LINEAGE_URL") && !contains(keys(output.arguments), "--DOMAIN")
    error_message = "The job would refuse an argument that is no setting of its own, and an empty domain is all of them."
  }

  assert {
    condition     = output.arguments["--METRICS_NAMESPACE"] == "mdm-test" && output.arguments["--WORKSPACE"] == "s3://mdm-test-loads/reconcile" && output.arguments["--REPAIR"] == "false"
    error_message = "The job works or measures elsewhere, or repairs unasked."
  }

  assert {
    condition     = output.arguments["--python-modules-installer-option"] == "--no-index" && output.arguments["--job-bookmark-option"] == "job-bookmark-disable" && output.arguments["--enable-auto-scaling"] == "true"
    error_message = "The job is started otherwise than docs/operate/reconcile.md says."
  }
}

run "one_run_and_no_retry" {
  assert {
    condition     = aws_glue_job.this.execution_property[0].max_concurrent_runs == 1 && aws_glue_job.this.max_retries == 0
    error_message = "Two runs would share a workspace, or a difference would be looked for twice."
  }

  assert {
    condition     = aws_glue_job.this.glue_version == "5.0"
    error_message = "The package is for Glue 5."
  }

  assert {
    condition     = aws_glue_trigger.this.type == "SCHEDULED" && aws_glue_trigger.this.start_on_creation
    error_message = "Nothing starts the job."
  }
}

run "encrypted" {
  assert {
    condition = alltrue([
      aws_glue_security_configuration.this.encryption_configuration[0].s3_encryption[0].s3_encryption_mode == "SSE-KMS",
      aws_glue_security_configuration.this.encryption_configuration[0].s3_encryption[0].kms_key_arn == var.kms_key_arn,
      aws_glue_security_configuration.this.encryption_configuration[0].cloudwatch_encryption[0].cloudwatch_encryption_mode == "SSE-KMS",
      aws_glue_security_configuration.this.encryption_configuration[0].job_bookmarks_encryption[0].job_bookmarks_encryption_mode == "CSE-KMS",
    ])
    error_message = "Tables, log lines or bookmarks are not encrypted by the key."
  }

  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.this : group.kms_key_id == var.kms_key_arn && group.retention_in_days == 30])
    error_message = "A log group is not encrypted by the key, or keeps its lines for ever."
  }
}

run "looking_is_no_right_to_write" {
  assert {
    condition     = !strcontains(jsonencode(data.aws_iam_policy_document.own.statement), "kinesis:PutRecords")
    error_message = "A job that is not to repair may write to the feed."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.own.statement :
      toset(statement.resources) == toset(["arn:aws:s3:::mdm-test-archive/archive/reconcile-runs/*", "arn:aws:s3:::mdm-test-loads/reconcile/*"])
      if contains(statement.actions, "s3:PutObject")
    ])
    error_message = "A job that is not to repair may write to more than its workspace and its reports."
  }

  assert {
    condition = alltrue([
      for statement in concat(data.aws_iam_policy_document.own.statement, data.aws_iam_policy_document.glue.statement) :
      alltrue([for action in statement.actions : startswith(action, "ec2:Describe")]) if contains(statement.resources, "*")
    ])
    error_message = "A star is on more than what describes the network."
  }
}

run "repairing_is" {
  variables {
    job = { repair = true }
  }

  assert {
    condition     = strcontains(jsonencode(data.aws_iam_policy_document.own.statement), "kinesis:PutRecords") && output.arguments["--REPAIR"] == "true"
    error_message = "A job that is to repair may not."
  }
}

run "settings_of_others_are_refused" {
  command = plan

  variables {
    deployment = { PATH = "/bin" }
    workers    = { count = 1 }
    schedule   = "rate(1 day)"
  }

  expect_failures = [var.deployment, var.workers, var.schedule]
}
