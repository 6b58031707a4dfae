output "environment" {
  description = "Settings of the resolve consumer, for its function or container; commands read the same with --environment."
  value       = local.environment
}

output "deployment" {
  description = "The same without those of the engine: what the job on Glue takes."
  value       = local.deployment
}

output "policy_json" {
  description = "What the consumer itself may do, beside reading its streams."
  value       = data.aws_iam_policy_document.this.json
}

output "batch_s_min" {
  description = "Seconds that must be left for a batch to be begun; with less, every batch fails with OutOfTimeError."
  value       = local.batch_s_min
}
