module "compaction" {
  source = "../compaction"
  count  = var.compaction == null ? 0 : 1

  name               = var.name
  image              = var.compaction.image
  architecture       = var.compaction.architecture
  older_than_days    = var.compaction.older_than_days
  cluster_arn        = module.cluster[0].arn
  archive            = module.objects.archive
  vpc                = module.network.functions_vpc
  kms_key_arn        = module.key.arn
  log_retention_days = var.log_retention_days
}

module "snapshots" {
  source = "../snapshots"
  count  = var.snapshots == null ? 0 : 1

  name               = var.name
  image              = var.snapshots.image
  architecture       = var.snapshots.architecture
  expression         = var.snapshots.schedule
  newest             = var.snapshots.newest
  cluster_arn        = module.cluster[0].arn
  golden_stream      = module.streams.golden_stream
  archive            = module.objects.archive
  claims             = module.objects.claims
  snapshots          = module.objects.snapshots
  vpc                = module.network.functions_vpc
  kms_key_arn        = module.key.arn
  log_retention_days = var.log_retention_days
}

module "reconcile" {
  source = "../reconcile"
  count  = var.reconcile == null ? 0 : 1

  name               = var.name
  package_bucket     = module.objects.packages
  workspace          = module.objects.workspace
  rules              = coalesce(var.reconcile.rules, var.rules)
  deployment         = module.consumer.deployment
  redis              = local.redis
  golden_stream      = module.streams.golden_stream
  archive            = module.objects.archive
  settle_s           = try(var.resolve.timeout_s, 180)
  schedule           = var.reconcile.schedule
  job                = { repair = var.reconcile.repair }
  workers            = var.reconcile.workers
  vpc                = module.network.functions_vpc
  kms_key_arn        = module.key.arn
  log_retention_days = var.log_retention_days

  package = {
    script = "${var.packages.glue_folder}/reconcile.py"
    wheels = "${var.packages.glue_folder}/mdm-stream.gluewheels.zip"
  }

  warehouse = var.reconcile.compare_warehouse ? {
    environment            = module.warehouse[0].environment
    private_key_secret_arn = module.warehouse[0].private_key_secret_arn
  } : null
}
