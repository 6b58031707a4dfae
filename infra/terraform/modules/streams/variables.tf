variable "name" {
  type        = string
  description = "Prefix of the deployment, such as mdm-prod; the streams are NAME-changes, NAME-steward and NAME-golden."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name must be 3 to 24 small letters, digits and hyphens that begin with a letter, such as mdm-prod."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key that encrypts the records."

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), and not an alias or an id."
  }
}

variable "changes" {
  type = object({
    shards          = optional(number)
    retention_hours = optional(number, 168)
  })
  default     = {}
  description = "Stream of change events: its shards, null for on demand, and how long it keeps a record. Keep it for longer than a weekend and a rebuild take."

  validation {
    condition     = var.changes.shards == null ? true : var.changes.shards >= 1 && floor(var.changes.shards) == var.changes.shards
    error_message = "changes.shards must be a whole number from 1 (1,000 records or 1 MB a second each), or null for on demand."
  }

  validation {
    condition     = var.changes.retention_hours >= 24 && var.changes.retention_hours <= 8760
    error_message = "changes.retention_hours must be from 24 to 8760, which is what Kinesis allows."
  }
}

variable "steward" {
  type = object({
    shards          = optional(number, 1)
    retention_hours = optional(number, 168)
  })
  default     = {}
  description = "Stream of verdicts, overrides, erasures and the ends of overrides: its shards, null for on demand, and how long it keeps a record."

  validation {
    condition     = var.steward.shards == null ? true : var.steward.shards >= 1 && floor(var.steward.shards) == var.steward.shards
    error_message = "steward.shards must be a whole number from 1, or null for on demand."
  }

  validation {
    condition     = var.steward.retention_hours >= 24 && var.steward.retention_hours <= 8760
    error_message = "steward.retention_hours must be from 24 to 8760, which is what Kinesis allows."
  }
}

variable "golden" {
  type = object({
    shards          = optional(number)
    retention_hours = optional(number, 168)
  })
  default     = {}
  description = "Stream of golden changes: its shards, null for on demand, and how long it keeps a record, which is how long the warehouse and other readers may lag."

  validation {
    condition     = var.golden.shards == null ? true : var.golden.shards >= 1 && floor(var.golden.shards) == var.golden.shards
    error_message = "golden.shards must be a whole number from 1, or null for on demand."
  }

  validation {
    condition     = var.golden.retention_hours >= 24 && var.golden.retention_hours <= 8760
    error_message = "golden.retention_hours must be from 24 to 8760, which is what Kinesis allows."
  }
}
