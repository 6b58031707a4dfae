output "settings" {
  description = "Settings of each process as it has them, by what it is."
  value       = module.deployment.settings
}

output "api_url" {
  description = "Address of the events API."
  value       = module.deployment.api_url
}

output "secrets_to_fill" {
  description = "Secrets that an operator puts a value into before the process that reads it works."
  value       = module.deployment.secrets_to_fill
}

output "inventory" {
  description = "What `mdm-stream doctor --environment` looks at: the name of each thing, and what it has to be."
  value       = module.deployment.inventory
}
