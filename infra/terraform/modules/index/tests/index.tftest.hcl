mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name               = "mdm-test"
  kms_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  subnet_ids         = ["subnet-a", "subnet-b"]
  security_group_ids = ["sg-1"]
}

run "encrypted" {
  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled && aws_elasticache_replication_group.this.transit_encryption_mode == "required"
    error_message = "The cache takes what comes without TLS."
  }

  assert {
    condition     = aws_elasticache_replication_group.this.at_rest_encryption_enabled == "true" && aws_elasticache_replication_group.this.kms_key_id == var.kms_key_arn
    error_message = "The cache is not encrypted by the key."
  }

  assert {
    condition     = aws_cloudwatch_log_group.engine.kms_key_id == var.kms_key_arn
    error_message = "The engine's log is not encrypted by the key."
  }
}

run "never_evicts" {
  assert {
    condition = anytrue([
      for parameter in aws_elasticache_parameter_group.this.parameter : parameter.name == "maxmemory-policy" && parameter.value == "noeviction"
    ])
    error_message = "The cache evicts keys, and an evicted key is a lost record."
  }

  assert {
    condition     = aws_elasticache_parameter_group.this.family == "valkey8"
    error_message = "The parameters are of another engine."
  }
}

run "outlives_a_zone" {
  assert {
    condition = (
      aws_elasticache_replication_group.this.multi_az_enabled && aws_elasticache_replication_group.this.automatic_failover_enabled &&
      aws_elasticache_replication_group.this.num_node_groups == 1 && aws_elasticache_replication_group.this.replicas_per_node_group == 1
    )
    error_message = "It is not one shard with a replica in another zone."
  }
}

run "nodes" {
  assert {
    condition     = output.nodes == { "0001-001" = "mdm-test-index-0001-001", "0001-002" = "mdm-test-index-0001-002" }
    error_message = "The nodes are called otherwise than ElastiCache calls them."
  }
}

run "logs_in_by_iam" {
  assert {
    condition     = aws_elasticache_user.this.authentication_mode[0].type == "iam" && aws_elasticache_user.this.passwords == null
    error_message = "The user has a password."
  }

  assert {
    condition     = aws_elasticache_user.this.user_id == aws_elasticache_user.this.user_name
    error_message = "Id and name of the user differ, so IAM does not know it."
  }

  assert {
    condition     = startswith(output.redis.url, "rediss://mdm-test-index@") && endswith(output.redis.url, "?iam=elasticache:mdm-test-index")
    error_message = "The address does not log in by IAM over TLS."
  }

  assert {
    condition     = length(output.redis.connect_arns) == 2
    error_message = "A role that may log in is not bound to the cache and its user."
  }
}

run "no_values_in_logs" {
  assert {
    condition     = toset([for log in aws_elasticache_replication_group.this.log_delivery_configuration : log.log_type]) == toset(["engine-log"])
    error_message = "A log is delivered that may hold arguments of commands."
  }
}

run "short_snapshots" {
  assert {
    condition     = aws_elasticache_replication_group.this.snapshot_retention_limit == 1
    error_message = "Snapshots, which no erasure reaches, are kept for more than the day of the default."
  }
}

run "refuses_what_loses" {
  command = plan

  variables {
    node_type      = "serverless"
    engine_version = "7.0"
    replicas       = 0
    shards         = 0
    snapshots      = { retention_days = 35 }
    subnet_ids     = ["subnet-a"]
  }

  expect_failures = [
    var.node_type, var.engine_version, var.replicas, var.shards, var.snapshots, var.subnet_ids,
  ]
}
