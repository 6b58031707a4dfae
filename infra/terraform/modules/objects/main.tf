data "aws_caller_identity" "current" {}

locals {
  noncurrent_days_max = min(var.drop_days, local.workspace_days) # of what has values of records, and no erasure reaches

  account_id = data.aws_caller_identity.current.account_id

  archive_prefix    = "archive"
  claims_prefix     = "archive/claims"
  snapshots_prefix  = "archive/feed-snapshots"
  quarantine_prefix = "quarantine"
  loads_prefix      = "loads"
  packages_prefix   = "glue"
  workspace_prefix  = "reconcile"
  workspace_days    = 3 # a run that was stopped goes on within 12 hours, and its tables hold values of records

  # The archive, the store of loads and snapshots of the feed are what state is made of: no rule removes them.
  lifecycle_rules = {
    archive = [
      {
        id         = "archive"
        prefix     = "${local.archive_prefix}/"
        transition = { after_days = var.archive_tier_days, storage_class = "INTELLIGENT_TIERING" }
      },
      { id = "claims", prefix = "${local.claims_prefix}/", expire_after_days = var.claims_days },
    ]
    quarantine = [{ id = "rejected", prefix = "${local.quarantine_prefix}/", expire_after_days = var.dead_letter_days }]
    on-failure = [{ id = "failed", prefix = "", expire_after_days = var.dead_letter_days }]
    drop       = [{ id = "dropped", prefix = "", expire_after_days = var.drop_days }]
    loads      = []
    work       = [{ id = "runs", prefix = "${local.workspace_prefix}/", expire_after_days = local.workspace_days }]
  }
}

module "bucket" {
  source   = "../bucket"
  for_each = local.lifecycle_rules

  name            = "${var.name}-${each.key}-${local.account_id}"
  kms_key_arn     = var.kms_key_arn
  lifecycle_rules = each.value
  noncurrent_days = contains(["drop", "work"], each.key) ? min(var.noncurrent_days, local.noncurrent_days_max) : var.noncurrent_days
  force_destroy   = var.force_destroy
}
