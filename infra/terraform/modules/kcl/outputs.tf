output "service_name" {
  description = "Name of the ECS service."
  value       = aws_ecs_service.this.name
}

output "application" {
  description = "Name of the KCL's application: its lease table, and the namespace of its metrics."
  value       = local.application
}

output "table_names" {
  description = "Names of the DynamoDB tables: leases, metrics of workers, and state of the coordinator."
  value       = concat([aws_dynamodb_table.leases.name], values(aws_dynamodb_table.state)[*].name)
}

output "environment" {
  description = "Settings of the container."
  value       = module.task.environment
}

output "log_group_name" {
  description = "Name of the container's log group, where the consumer's metrics are too (embedded metric format)."
  value       = module.task.log_group_name
}

output "role_name" {
  description = "Name of the consumer's role."
  value       = module.task.role_name
}
