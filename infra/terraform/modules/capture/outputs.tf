output "service_name" {
  description = "Name of the ECS service."
  value       = aws_ecs_service.this.name
}

output "slot" {
  description = "Replication slot, the second dimension of the reader's metrics; drop it in the database when the source is retired."
  value       = var.slot
}

output "log_group_name" {
  description = "Name of the reader's log group, where its metrics are too (embedded metric format)."
  value       = module.task.log_group_name
}

output "role_name" {
  description = "Name of the reader's role."
  value       = module.task.role_name
}
