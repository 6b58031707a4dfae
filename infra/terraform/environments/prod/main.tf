# A day of 100,000 events and more: streams on demand, three zones, and two replicas, so that the loss of a node leaves one.
module "deployment" {
  source = "../../modules/deployment"

  name               = var.name
  rules              = var.rules
  packages           = var.packages
  authority          = var.authority
  log_retention_days = 30

  network = { cidr = "10.42.0.0/20", availability_zones = 3 }
  index   = { elasticache = { node_type = "cache.r7g.large", replicas = 2 } }
  resolve = { reserved_concurrency = var.resolve_concurrency }

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
