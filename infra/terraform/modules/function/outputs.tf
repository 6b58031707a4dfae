output "arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "invoke_arn" {
  description = "ARN by which API Gateway invokes the function."
  value       = aws_lambda_function.this.invoke_arn
}

output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "role_arn" {
  description = "ARN of the function's role."
  value       = aws_iam_role.this.arn
}

output "role_name" {
  description = "Name of the function's role."
  value       = aws_iam_role.this.name
}

output "log_group_name" {
  description = "Name of the function's log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "environment" {
  description = "Settings of the function, as it has them."
  value       = local.environment
}

output "timeout_s" {
  description = "Longest time of one invocation in seconds, which visibility time-outs follow from."
  value       = var.timeout_s
}

output "code_sha256" {
  description = "SHA-256 of the package in base64, which Lambda calls CodeSha256; null for an image."
  value       = var.package == null ? null : filebase64sha256(var.package)
}
