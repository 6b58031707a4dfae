locals {
  # What the parts in the VPC ask for, and no more: an interface endpoint costs by the hour and zone. The job on Glue and
  # containers write their logs and metrics from there, where Lambda does so for its functions.
  endpoints = setunion(
    ["kinesis-streams", "xray"],
    var.authority == null && var.api == null ? [] : ["secretsmanager"],
    var.files == null ? [] : ["events", "sns", "sqs"],
    var.reconcile == null ? [] : ["kms", "logs", "monitoring", "secretsmanager"],
    local.has_containers ? ["ecr.api", "ecr.dkr", "kms", "logs", "monitoring", "secretsmanager"] : [],
    var.network.more_endpoints,
  )
  has_containers = var.kcl != null || var.compaction != null || var.snapshots != null || length(var.captures) > 0
  deletion_days  = var.disposable ? 7 : 30
  recovery_days  = var.disposable ? 0 : 30

  redis = coalesce(
    var.index.existing,
    one(module.index[*].redis),
    one(module.index_memorydb[*].redis),
  )
}

module "key" {
  source = "../key"

  name                 = var.name
  deletion_window_days = local.deletion_days
}

module "network" {
  source = "../network"

  name                = var.name
  kms_key_arn         = module.key.arn
  cidr                = var.network.cidr
  availability_zones  = var.network.availability_zones
  endpoint_zones      = var.network.endpoint_zones
  existing            = var.network.existing
  interface_endpoints = local.endpoints
  log_retention_days  = var.log_retention_days
}

module "streams" {
  source = "../streams"

  name        = var.name
  kms_key_arn = module.key.arn
  changes     = var.streams.changes
  steward     = var.streams.steward
  golden      = var.streams.golden
}

module "objects" {
  source = "../objects"

  name          = var.name
  kms_key_arn   = module.key.arn
  force_destroy = var.disposable
}

module "index" {
  source = "../index"
  count  = var.index.elasticache == null ? 0 : 1

  name               = var.name
  kms_key_arn        = module.key.arn
  subnet_ids         = module.network.private_subnet_ids
  security_group_ids = [module.network.index_security_group_id]
  node_type          = var.index.elasticache.node_type
  shards             = var.index.elasticache.shards
  replicas           = var.index.elasticache.replicas
  apply_immediately  = var.index.elasticache.apply_immediately
  log_retention_days = var.log_retention_days
}

module "index_memorydb" {
  source = "../index_memorydb"
  count  = var.index.memorydb == null ? 0 : 1

  name               = var.name
  kms_key_arn        = module.key.arn
  subnet_ids         = module.network.private_subnet_ids
  security_group_ids = [module.network.index_security_group_id]
  node_type          = var.index.memorydb.node_type
  shards             = var.index.memorydb.shards
  replicas           = var.index.memorydb.replicas
}

module "cluster" {
  source = "../cluster"
  count  = local.has_containers ? 1 : 0

  name = var.name
}
