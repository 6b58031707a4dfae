output "family_arn" {
  description = "ARN of the task definition without its revision; a task of it that ends with another code than 0 is a failed run."
  value       = module.task.family_arn
}

output "rule_name" {
  description = "Name of the rule that starts a run."
  value       = module.schedule.rule_name
}

output "log_group_name" {
  description = "Name of the log group."
  value       = module.task.log_group_name
}

output "environment" {
  description = "Settings of the task."
  value       = module.task.environment
}
