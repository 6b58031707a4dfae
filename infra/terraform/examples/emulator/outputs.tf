output "settings" {
  description = "Settings of each function as it has them, by what it is."
  value = merge(module.deployment.settings, {
    for name, function in module.ingest.functions : "files-${name}" => function.environment
  })
}

output "functions" {
  description = "Functions by what they are: name, ARN, role and log group."
  value       = merge(module.deployment.functions, { for name, function in module.ingest.functions : "files-${name}" => function })
}

output "streams" {
  description = "Streams by what they carry: name and ARN."
  value       = module.deployment.streams
}

output "buckets" {
  description = "Buckets by what they hold: name, ARN and, where it has one, prefix."
  value       = module.deployment.buckets
}

output "secrets_to_fill" {
  description = "Secrets that an operator puts a value into before the process that reads it works."
  value       = module.deployment.secrets_to_fill
}

output "index_access_string" {
  description = "Access string that the user of the cache is to have."
  value       = module.index_rights.access_string
}
