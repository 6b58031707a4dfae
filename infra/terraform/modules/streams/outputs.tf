output "change_stream" {
  description = "Stream of change events: name, ARN, hours that it keeps a record, and shards (null: on demand)."
  value = {
    name            = aws_kinesis_stream.this["changes"].name
    arn             = aws_kinesis_stream.this["changes"].arn
    retention_hours = var.changes.retention_hours
    shards          = var.changes.shards
  }
}

output "steward_stream" {
  description = "Stream of what stewards and operators say: name, ARN, hours that it keeps a record, and shards (null: on demand)."
  value = {
    name            = aws_kinesis_stream.this["steward"].name
    arn             = aws_kinesis_stream.this["steward"].arn
    retention_hours = var.steward.retention_hours
    shards          = var.steward.shards
  }
}

output "golden_stream" {
  description = "Stream of golden changes: name, ARN, hours that it keeps a record, and shards (null: on demand)."
  value = {
    name            = aws_kinesis_stream.this["golden"].name
    arn             = aws_kinesis_stream.this["golden"].arn
    retention_hours = var.golden.retention_hours
    shards          = var.golden.shards
  }
}
