variable "name" {
  type        = string
  description = "Prefix of the deployment, such as mdm-prod; buckets are NAME-KIND-ACCOUNT."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name must be 3 to 24 small letters, digits and hyphens that begin with a letter, such as mdm-prod."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key that encrypts all buckets."

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), and not an alias or an id."
  }
}

variable "claims_days" {
  type        = number
  default     = 35
  description = "Days that data of large golden changes are kept: longer than the golden stream keeps a message, the warehouse may lag and a dead letter may wait (docs/reference/warehouse.md)."

  validation {
    condition     = var.claims_days >= 2 && floor(var.claims_days) == var.claims_days
    error_message = "claims_days must be a whole number from 2: what a message of the feed refers to must outlive the message."
  }
}

variable "dead_letter_days" {
  type        = number
  default     = 90
  description = "Days that batches whose last attempt failed, and rejected events, wait for `mdm-stream dlq redrive`; after them they are gone."

  validation {
    condition     = var.dead_letter_days >= 14 && floor(var.dead_letter_days) == var.dead_letter_days
    error_message = "dead_letter_days must be a whole number from 14: what is removed was never applied, so give people time to look at it."
  }
}

variable "drop_days" {
  type        = number
  default     = 7
  description = "Days that a vendor's file is kept as it was dropped. An erasure does not reach it, so let it be few."

  validation {
    condition     = var.drop_days >= 1 && var.drop_days <= 90 && floor(var.drop_days) == var.drop_days
    error_message = "drop_days must be a whole number from 1 to 90: no erasure reaches dropped files (docs/operate/erasure.md)."
  }
}

variable "archive_tier_days" {
  type        = number
  default     = 90
  description = "Days after which objects of the archive move to INTELLIGENT_TIERING, where what is not read costs less; they are never removed."

  validation {
    condition     = var.archive_tier_days >= 30 && floor(var.archive_tier_days) == var.archive_tier_days
    error_message = "archive_tier_days must be a whole number from 30: compaction rewrites what is younger."
  }
}

variable "noncurrent_days" {
  type        = number
  default     = 7
  description = "Days that an overwritten or removed object can still be brought back."

  validation {
    condition     = var.noncurrent_days >= 1 && var.noncurrent_days <= 90 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "noncurrent_days must be a whole number from 1 to 90."
  }
}

variable "force_destroy" {
  type        = bool
  default     = false
  description = "Whether `terraform destroy` removes the buckets with all that they hold. The archive is all that was ever delivered: for trials alone."
}
