output "redis" {
  description = "The index as consumers, APIs and jobs take it: MDM_REDIS_URL, which holds no secret, and the action of IAM with the ARNs that a role needs to log in."
  value = {
    url            = "rediss://${aws_memorydb_user.this.user_name}@${aws_memorydb_cluster.this.cluster_endpoint[0].address}:${local.port}/0?iam=memorydb:${aws_memorydb_cluster.this.name}"
    connect_action = "memorydb:Connect"
    connect_arns   = [aws_memorydb_cluster.this.arn, aws_memorydb_user.this.arn]
  }
}

output "id" {
  description = "Name of the cluster, as alarms and dashboards name it."
  value       = aws_memorydb_cluster.this.name
}

output "endpoint" {
  description = "Endpoint of the cluster."
  value       = aws_memorydb_cluster.this.cluster_endpoint[0].address
}

output "user_name" {
  description = "User of consumers, APIs and commands."
  value       = aws_memorydb_user.this.user_name
}
