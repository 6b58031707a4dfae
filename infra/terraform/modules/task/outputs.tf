output "task_definition_arn" {
  description = "ARN of the task definition's newest revision."
  value       = aws_ecs_task_definition.this.arn
}

output "family_arn" {
  description = "ARN of the task definition without its revision, for rights that outlive a deployment."
  value       = aws_ecs_task_definition.this.arn_without_revision
}

output "container_name" {
  description = "Name of the container in the task."
  value       = local.container
}

output "role_arns" {
  description = "ARNs of the roles of the program and of ECS's agent, which what starts the task must be allowed to pass."
  value       = [aws_iam_role.program.arn, aws_iam_role.agent.arn]
}

output "role_name" {
  description = "Name of the program's role."
  value       = aws_iam_role.program.name
}

output "log_group_name" {
  description = "Name of the task's log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "environment" {
  description = "Settings of the task, as it has them."
  value       = local.environment
}
