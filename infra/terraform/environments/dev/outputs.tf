output "settings" {
  description = "Settings of each process as it has them, by what it is; those of commands are what `mdm-stream ... --environment` reads."
  value       = module.deployment.settings
}

output "functions" {
  description = "Functions by what they are: name, ARN, role and log group."
  value       = module.deployment.functions
}

output "streams" {
  description = "Streams by what they carry: name and ARN."
  value       = module.deployment.streams
}

output "buckets" {
  description = "Buckets by what they hold: name, ARN and, where it has one, prefix."
  value       = module.deployment.buckets
}

output "api_url" {
  description = "Address of the events API; null without one."
  value       = module.deployment.api_url
}

output "secrets_to_fill" {
  description = "Secrets that an operator puts a value into before the process that reads it works."
  value       = module.deployment.secrets_to_fill
}

output "alarm_topic_arns" {
  description = "Topics of alarms by severity (page, ticket)."
  value       = module.deployment.alarm_topic_arns
}

output "inventory" {
  description = "What `mdm-stream doctor --environment` looks at: the name of each thing, and what it has to be."
  value       = module.deployment.inventory
}
