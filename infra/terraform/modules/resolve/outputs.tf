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

output "event_sources" {
  description = "Mappings by stream (changes, steward): id, stream, the age at which a record is set aside, and settings."
  value = {
    for name, mapping in module.event_source : name => {
      uuid                 = mapping.uuid
      stream_name          = mapping.stream_name
      maximum_record_age_s = mapping.maximum_record_age_s
      settings             = mapping.settings
    }
  }
}

output "tick_rule_name" {
  description = "Name of the rule that ticks the function."
  value       = module.tick.rule_name
}
