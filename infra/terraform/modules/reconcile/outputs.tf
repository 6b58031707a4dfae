output "job_name" {
  description = "Name of the job on Glue."
  value       = aws_glue_job.this.name
}

output "trigger_name" {
  description = "Name of the trigger, which an operator stops to stop the schedule."
  value       = aws_glue_trigger.this.name
}

output "arguments" {
  description = "Arguments of the job as it has them."
  value       = local.arguments
}

output "log_group_names" {
  description = "Names of the log groups; output has the metrics Drift and so on (embedded metric format)."
  value       = { for name, group in aws_cloudwatch_log_group.this : name => group.name }
}

output "role_name" {
  description = "Name of the job's role."
  value       = aws_iam_role.this.name
}
