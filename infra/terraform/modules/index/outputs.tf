output "redis" {
  description = "The index as consumers, APIs and jobs take it: MDM_REDIS_URL, which holds no secret, and the action of IAM with the ARNs that a role needs to log in."
  value = {
    url            = "rediss://${aws_elasticache_user.this.user_name}@${aws_elasticache_replication_group.this.configuration_endpoint_address}:${local.port}/0?iam=elasticache:${aws_elasticache_replication_group.this.replication_group_id}"
    connect_action = "elasticache:Connect"
    connect_arns   = [aws_elasticache_replication_group.this.arn, aws_elasticache_user.this.arn]
  }
}

output "id" {
  description = "Id of the replication group, as alarms and dashboards name it."
  value       = aws_elasticache_replication_group.this.replication_group_id
}

output "nodes" {
  description = "Ids of the nodes, by which CloudWatch has their metrics, by shard and place in it. They are known before the nodes are there."
  value = {
    for node in setproduct(range(1, var.shards + 1), range(1, var.replicas + 2)) :
    format("%04d-%03d", node...) => format("%s-%04d-%03d", local.id, node...)
  }
}

output "endpoint" {
  description = "Configuration endpoint of the cluster."
  value       = aws_elasticache_replication_group.this.configuration_endpoint_address
}

output "user_name" {
  description = "User of consumers, APIs and commands."
  value       = aws_elasticache_user.this.user_name
}

output "log_group_name" {
  description = "Name of the log group of the engine."
  value       = aws_cloudwatch_log_group.engine.name
}
