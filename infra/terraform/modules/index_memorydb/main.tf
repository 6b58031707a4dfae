locals {
  id   = "${var.name}-index"
  port = 6379
}

module "rights" {
  source = "../index_rights"

  namespace = var.namespace
}

resource "aws_memorydb_subnet_group" "this" {
  name        = local.id
  description = "Private subnets of the index of ${var.name}"
  subnet_ids  = var.subnet_ids
}

resource "aws_memorydb_parameter_group" "this" {
  name        = "${local.id}-valkey${split(".", var.engine_version)[0]}"
  description = "No eviction: an evicted key is a lost record"
  family      = "memorydb_valkey${split(".", var.engine_version)[0]}"

  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }

  lifecycle {
    create_before_destroy = true
  }
}

# The user logs in by IAM, so there is no password: not in the state, not in settings, and none to replace.
resource "aws_memorydb_user" "this" {
  user_name     = local.id
  access_string = module.rights.access_string

  authentication_mode {
    type = "iam"
  }
}

resource "aws_memorydb_acl" "this" {
  name       = local.id
  user_names = [aws_memorydb_user.this.user_name]
}

resource "aws_memorydb_cluster" "this" {
  name                 = local.id
  description          = "Index of ${var.name}"
  engine               = "valkey"
  engine_version       = var.engine_version
  node_type            = var.node_type
  port                 = local.port
  parameter_group_name = aws_memorydb_parameter_group.this.name
  acl_name             = aws_memorydb_acl.this.name

  num_shards             = var.shards
  num_replicas_per_shard = var.replicas

  subnet_group_name  = aws_memorydb_subnet_group.this.name
  security_group_ids = var.security_group_ids
  tls_enabled        = true
  kms_key_arn        = var.kms_key_arn

  snapshot_retention_limit   = var.snapshots.retention_days
  snapshot_window            = var.snapshots.window
  maintenance_window         = var.maintenance_window
  auto_minor_version_upgrade = true
  sns_topic_arn              = var.events_topic_arn
}
