locals {
  deployment = merge(
    {
      MDM_RULES          = join(",", var.rules)
      MDM_REDIS_URL      = var.redis.url
      MDM_CHANGES_STREAM = var.change_stream.name
      MDM_STEWARD_STREAM = var.steward_stream.name
      MDM_GOLDEN_STREAM  = var.golden_stream.name
      MDM_ARCHIVE_URL    = "s3://${var.archive.name}/${var.archive.prefix}"
      MDM_CLAIMS_URL     = "s3://${var.archive.name}/${var.archive.prefix}/claims"
      MDM_QUARANTINE_URL = "s3://${var.quarantine.name}/${var.quarantine.prefix}"
      MDM_KMS_KEY_ID     = var.kms_key_arn
      MDM_NAMESPACE      = var.namespace
    },
    var.authority == null ? {} : { MDM_AUTHORITY = var.authority },
    var.signing_keys_prefix == null ? {} : { MDM_SIGNING_KEYS = "secretsmanager:${var.signing_keys_prefix}" },
    { for name, value in var.limits : "MDM_${upper(name)}" => tostring(value) },
  )

  environment = merge(
    local.deployment,
    { for name, value in var.engine : "MDM_${upper(name)}" => tostring(value) },
  )

  # docs/operate/lambda.md, 'Its time': two calls to Redis, one to Kinesis, one request to S3 with its three attempts and
  # 3 s between them, and what the answer takes.
  answer_s    = 0.5
  object_s    = 3 * var.limits.aws_timeout_s + 3
  batch_s_min = 2 * var.limits.redis_timeout_s + var.limits.aws_timeout_s + local.object_s + local.answer_s
}
