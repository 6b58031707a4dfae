# The deployment of one environment with what an emulator of AWS cannot run left out or replaced: the cache is one that
# there is, and the functions of files are the zip of `make package` in the place of an image.
locals {
  account_id = data.aws_caller_identity.current.account_id

  redis = {
    url            = var.redis_url
    connect_action = "elasticache:Connect"
    connect_arns = [
      "arn:aws:elasticache:${var.region}:${local.account_id}:replicationgroup:${var.name}",
      "arn:aws:elasticache:${var.region}:${local.account_id}:user:${var.name}",
    ]
  }
}

data "aws_caller_identity" "current" {}

module "deployment" {
  source = "../../modules/deployment"

  name       = var.name
  rules      = var.rules
  packages   = var.packages
  index      = { existing = local.redis }
  warehouse  = { snowflake = var.snowflake }
  disposable = true

  streams = {
    changes = { shards = 1, retention_hours = 24 }
    steward = { shards = 1, retention_hours = 24 }
    golden  = { shards = 1, retention_hours = 24 }
  }
}

module "ingest" {
  source = "../../modules/ingest"

  name          = var.name
  package       = "${var.packages.folder}/files-${var.packages.architecture}.zip"
  architecture  = var.packages.architecture
  rules         = var.rules
  drop          = module.deployment.buckets.drop
  loads         = module.deployment.buckets.loads
  quarantine    = module.deployment.buckets.quarantine
  change_stream = module.deployment.streams.changes
  golden_stream = module.deployment.streams.golden
  redis         = local.redis
  vpc           = module.deployment.functions_vpc
  kms_key_arn   = module.deployment.kms_key_arn
}

# What an index has as its user in place of that which module index makes.
module "index_rights" {
  source = "../../modules/index_rights"
}
