module "consumer" {
  source = "../consumer"

  rules               = var.rules
  redis               = local.redis
  change_stream       = module.streams.change_stream
  steward_stream      = module.streams.steward_stream
  golden_stream       = module.streams.golden_stream
  archive             = module.objects.archive
  quarantine          = module.objects.quarantine
  namespace           = var.namespace
  authority           = try(var.authority.policy, null)
  signing_keys_prefix = try(var.authority.signing_keys_prefix, null)
  kms_key_arn         = module.key.arn
  limits              = var.limits
  engine              = var.engine
}

module "resolve" {
  source = "../resolve"
  count  = var.resolve == null ? 0 : 1

  name                 = var.name
  package              = "${var.packages.folder}/resolve-${var.packages.architecture}.zip"
  architecture         = var.packages.architecture
  layers               = var.packages.layers
  consumer             = module.consumer
  change_stream        = module.streams.change_stream
  steward_stream       = module.streams.steward_stream
  on_failure           = module.objects.on_failure
  vpc                  = module.network.functions_vpc
  kms_key_arn          = module.key.arn
  log_retention_days   = var.log_retention_days
  memory_mb            = var.resolve.memory_mb
  timeout_s            = var.resolve.timeout_s
  reserved_concurrency = var.resolve.reserved_concurrency
  event_source         = var.resolve.event_source
}

module "kcl" {
  source = "../kcl"
  for_each = var.kcl == null ? {} : {
    kcl         = { stream = module.streams.change_stream, desired_count = var.kcl.desired_count }
    kcl-steward = { stream = module.streams.steward_stream, desired_count = 1 }
  }

  name                = var.name
  role                = each.key
  image               = var.kcl.image
  architecture        = var.kcl.architecture
  desired_count       = each.value.desired_count
  cluster_arn         = module.cluster[0].arn
  consumer            = module.consumer
  stream              = each.value.stream
  vpc                 = module.network.functions_vpc
  kms_key_arn         = module.key.arn
  log_retention_days  = var.log_retention_days
  deletion_protection = !var.disposable
}

module "warehouse" {
  source = "../warehouse"
  count  = var.warehouse == null ? 0 : 1

  name               = var.name
  package            = "${var.packages.folder}/${var.warehouse.lineage == null ? "warehouse" : "warehouse-lineage"}-${var.packages.architecture}.zip"
  architecture       = var.packages.architecture
  snowflake          = var.warehouse.snowflake
  lineage            = var.warehouse.lineage
  golden_stream      = module.streams.golden_stream
  archive            = module.objects.archive
  on_failure         = module.objects.on_failure
  kms_key_arn        = module.key.arn
  log_retention_days = var.log_retention_days
  event_source       = { window_s = var.warehouse.window_s }
  private_key_secret = { recovery_window_days = local.recovery_days }
}
