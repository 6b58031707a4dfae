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
    condition     = aws_memorydb_cluster.this.tls_enabled && aws_memorydb_cluster.this.kms_key_arn == var.kms_key_arn
    error_message = "The cluster takes what comes without TLS, or is not encrypted by the key."
  }
}

run "never_evicts" {
  assert {
    condition = anytrue([
      for parameter in aws_memorydb_parameter_group.this.parameter : parameter.name == "maxmemory-policy" && parameter.value == "noeviction"
    ])
    error_message = "The cluster evicts keys, and an evicted key is a lost record."
  }
}

run "logs_in_by_iam" {
  assert {
    condition     = aws_memorydb_user.this.authentication_mode[0].type == "iam"
    error_message = "The user has a password."
  }

  assert {
    condition     = output.redis.url == "rediss://mdm-test-index@clustercfg.mock.memorydb.eu-central-1.amazonaws.com:6379/0?iam=memorydb:mdm-test-index"
    error_message = "The address does not log in by IAM over TLS."
  }
}

run "outlives_a_zone" {
  assert {
    condition     = aws_memorydb_cluster.this.num_shards == 1 && aws_memorydb_cluster.this.num_replicas_per_shard == 1
    error_message = "It is not one shard with a replica."
  }
}

run "refuses_what_loses" {
  command = plan

  variables {
    node_type      = "cache.r7g.large"
    engine_version = "6.2"
    replicas       = 0
    shards         = 0
    snapshots      = { retention_days = 35 }
    subnet_ids     = ["subnet-a"]
  }

  expect_failures = [
    var.node_type, var.engine_version, var.replicas, var.shards, var.snapshots, var.subnet_ids,
  ]
}
