output "archive" {
  description = "Bucket of the archive, and the prefix below which it lies (MDM_ARCHIVE_URL)."
  value       = { name = module.bucket["archive"].name, arn = module.bucket["archive"].arn, prefix = local.archive_prefix }
}

output "claims" {
  description = "Bucket of the data of large golden changes, and the prefix below which they lie (MDM_CLAIMS_URL)."
  value       = { name = module.bucket["archive"].name, arn = module.bucket["archive"].arn, prefix = local.claims_prefix }
}

output "snapshots" {
  description = "Bucket of snapshots of the golden feed, and the prefix below which they lie (MDM_SNAPSHOTS_URL)."
  value       = { name = module.bucket["archive"].name, arn = module.bucket["archive"].arn, prefix = local.snapshots_prefix }
}

output "quarantine" {
  description = "Bucket of rejected events, and the prefix below which they lie (MDM_QUARANTINE_URL)."
  value       = { name = module.bucket["quarantine"].name, arn = module.bucket["quarantine"].arn, prefix = local.quarantine_prefix }
}

output "on_failure" {
  description = "Bucket of batches whose last attempt failed, with their payload, the on-failure destination of event sources."
  value       = { name = module.bucket["on-failure"].name, arn = module.bucket["on-failure"].arn }
}

output "drop" {
  description = "Bucket in which vendors put files."
  value       = { name = module.bucket["drop"].name, arn = module.bucket["drop"].arn }
}

output "loads" {
  description = "Bucket of the store of loads, which no vendor may write, and the prefix below which they lie (MDM_FILES_URL)."
  value       = { name = module.bucket["loads"].name, arn = module.bucket["loads"].arn, prefix = local.loads_prefix }
}

output "workspace" {
  description = "Bucket of the tables of a reconciliation, and the prefix below which they lie; a lifecycle rule expires it."
  value       = { name = module.bucket["work"].name, arn = module.bucket["work"].arn, prefix = local.workspace_prefix }
}

output "packages" {
  description = "Bucket of the script, wheels and rules of jobs on Glue, and the prefix below which they lie."
  value       = { name = module.bucket["work"].name, arn = module.bucket["work"].arn, prefix = local.packages_prefix }
}
