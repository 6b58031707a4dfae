# As prod is, but smaller: what is tried here behaves as it will there.
module "deployment" {
  source = "../../modules/deployment"

  name               = var.name
  rules              = var.rules
  packages           = var.packages
  authority          = var.authority
  log_retention_days = 14

  network = { cidr = "10.41.0.0/20" }
  streams = {
    changes = { shards = 1 }
    golden  = { shards = 1 }
  }
  index = { elasticache = { node_type = "cache.t4g.medium" } }

  files      = var.files_image == null ? null : { image = var.files_image }
  api        = var.api_authorizer == null ? null : { authorizer = var.api_authorizer }
  warehouse  = var.snowflake == null ? null : { snowflake = var.snowflake }
  compaction = var.commands_image == null ? null : { image = var.commands_image }
  snapshots  = var.commands_image == null ? null : { image = var.commands_image }
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
