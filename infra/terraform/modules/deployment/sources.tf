module "ingest" {
  source = "../ingest"
  count  = var.files == null ? 0 : 1

  name               = var.name
  image              = { uri = var.files.image }
  architecture       = var.files.architecture
  rules              = var.rules
  drop               = module.objects.drop
  loads              = module.objects.loads
  quarantine         = module.objects.quarantine
  change_stream      = module.streams.change_stream
  golden_stream      = module.streams.golden_stream
  redis              = local.redis
  vpc                = module.network.functions_vpc
  namespace          = var.namespace
  kms_key_arn        = module.key.arn
  log_retention_days = var.log_retention_days
  notice_emails      = var.files.notice_emails
}

module "api" {
  source = "../api"
  count  = var.api == null ? 0 : 1

  name                 = var.name
  package              = "${var.packages.folder}/events-api-${var.packages.architecture}.zip"
  architecture         = var.packages.architecture
  layers               = var.packages.layers
  deployment           = module.consumer.deployment
  redis                = local.redis
  signing_keys_prefix  = try(var.authority.signing_keys_prefix, null)
  change_stream        = module.streams.change_stream
  quarantine           = module.objects.quarantine
  vpc                  = module.network.functions_vpc
  authorizer           = var.api.authorizer
  domain               = var.api.domain
  throttle             = var.api.throttle
  secret_recovery_days = local.recovery_days
  kms_key_arn          = module.key.arn
  log_retention_days   = var.log_retention_days
}

module "capture" {
  source   = "../capture"
  for_each = var.captures

  name               = var.name
  source_name        = each.key
  image              = each.value.image
  architecture       = each.value.architecture
  cluster_arn        = module.cluster[0].arn
  change_stream      = module.streams.change_stream
  database           = { address = each.value.address, password_from = each.value.password_from }
  rules              = each.value.rules
  slot               = each.value.slot
  publication        = each.value.publication
  kms_key_arn        = module.key.arn
  log_retention_days = var.log_retention_days

  vpc = {
    subnet_ids         = module.network.private_subnet_ids
    security_group_ids = concat([module.network.function_security_group_id], each.value.security_group_ids)
  }
}
