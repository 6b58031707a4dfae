locals {
  streams = { changes = var.changes, steward = var.steward, golden = var.golden }
}

# Provider 5 has no argument for the size of a record, so it is the service's own 1 MiB; see README.md.
resource "aws_kinesis_stream" "this" {
  for_each = local.streams

  name             = "${var.name}-${each.key}"
  shard_count      = each.value.shards
  retention_period = each.value.retention_hours
  encryption_type  = "KMS"
  kms_key_id       = var.kms_key_arn

  stream_mode_details {
    stream_mode = each.value.shards == null ? "ON_DEMAND" : "PROVISIONED"
  }
}
