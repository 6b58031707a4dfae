output "uuid" {
  description = "Id of the mapping, by which an operator disables it; objects in on_failure are below aws/lambda/UUID."
  value       = aws_lambda_event_source_mapping.this.uuid
}

output "stream_name" {
  description = "Name of the stream that is read."
  value       = var.stream.name
}

output "maximum_record_age_s" {
  description = "Seconds after which a record goes to on_failure; an alarm on the iterator's age belongs at half of it."
  value       = local.record_age_s
}

output "settings" {
  description = "Settings of the mapping by the names that the local event source has (mdm_stream.local.event_source.mapping)."
  value = {
    batch_size                 = var.batch_size
    window_s                   = var.window_s
    parallelization_factor     = var.parallelization_factor
    starting_position          = var.starting_position
    bisect_on_error            = var.bisect_on_error
    maximum_record_age_s       = local.record_age_s
    maximum_retry_attempts     = var.maximum_retry_attempts
    report_batch_item_failures = true
    on_failure                 = "s3://${var.on_failure.name}"
  }
}
