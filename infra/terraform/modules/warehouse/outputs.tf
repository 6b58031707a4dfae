output "function" {
  description = "The function: name, ARN, role, log group, time-out and digest of its package."
  value = {
    name           = module.function.name
    arn            = module.function.arn
    role_name      = module.function.role_name
    role_arn       = module.function.role_arn
    log_group_name = module.function.log_group_name
    timeout_s      = module.function.timeout_s
    code_sha256    = module.function.code_sha256
  }
}

output "environment" {
  description = "Settings of the consumer as the function has them."
  value       = module.function.environment
}

output "private_key_secret_arn" {
  description = "ARN of the secret that an operator puts the private key (PEM) into; the function cannot log in before."
  value       = aws_secretsmanager_secret.private_key.arn
}

output "event_source" {
  description = "The mapping: id, stream, the age at which a record is set aside, and settings."
  value = {
    uuid                 = module.event_source.uuid
    stream_name          = module.event_source.stream_name
    maximum_record_age_s = module.event_source.maximum_record_age_s
    settings             = module.event_source.settings
  }
}
