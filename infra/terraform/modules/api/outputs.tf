output "url" {
  description = "Address of the API, to which /v1/events is added."
  value       = var.domain == null ? local.aws_url : "https://${var.domain.name}"
}

output "domain_target" {
  description = "What the DNS record of domain points to (an alias, with its zone's id); null without a domain."
  value = var.domain == null ? null : {
    name    = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].target_domain_name
    zone_id = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].hosted_zone_id
  }
}

output "gateway" {
  description = "The API on API Gateway, as module observability takes it: kind, id (the name of a REST API) and stage."
  value = {
    kind  = local.is_http ? "http" : "rest"
    id    = local.is_http ? local.api_id : local.name
    stage = local.is_http ? "$default" : "live"
  }
}

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
  description = "Settings of the API as the function has them."
  value       = module.function.environment
}

output "access_log_group_name" {
  description = "Name of the log group of requests: status and times, nothing of a person."
  value       = aws_cloudwatch_log_group.access.name
}

output "id_key_secret_arn" {
  description = "ARN of the secret that an operator puts the key into that seals ids; the function does not start before."
  value       = aws_secretsmanager_secret.id_key.arn
}
