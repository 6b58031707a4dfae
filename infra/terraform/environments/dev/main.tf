# A day of some ten thousand events, for trials: one shard each, the smallest nodes, endpoints in one zone, and nothing that is kept for long.
module "deployment" {
  source = "../../modules/deployment"

  name               = var.name
  rules              = var.rules
  packages           = var.packages
  authority          = var.authority
  log_retention_days = 7

  network = { cidr = "10.40.0.0/20", endpoint_zones = 1 }
  streams = {
    changes = { shards = 1, retention_hours = 24 }
    steward = { shards = 1, retention_hours = 24 }
    golden  = { shards = 1, retention_hours = 24 }
  }
  index      = { elasticache = { node_type = "cache.t4g.small", apply_immediately = true } }
  disposable = true

  files      = var.files_image == null ? null : { image = var.files_image }
  api        = var.api_authorizer == null ? null : { authorizer = var.api_authorizer }
  warehouse  = var.snowflake == null ? null : { snowflake = var.snowflake }
  compaction = var.commands_image == null ? null : { image = var.commands_image }
  reconcile  = length(var.reconciled_domains) == 0 ? null : { domains = var.reconciled_domains }

  alarms = {
    runbooks_url  = var.runbooks_url
    subscriptions = { for address in var.alarm_emails : replace(address, "/[^A-Za-z0-9]/", "-") => { protocol = "email", endpoint = address } }
  }

  budget = {
    monthly_usd = var.monthly_usd
    emails      = tolist(var.alarm_emails)
  }
}
