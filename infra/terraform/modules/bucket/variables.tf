variable "name" {
  type        = string
  description = "Name of the bucket, which no other bucket of AWS may have: the deployment's prefix, what it holds, and an account id, such as mdm-prod-archive-123456789012."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 63 small letters, digits and hyphens, begin with a letter and not end with a hyphen: a dot would break TLS by host name."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key that encrypts what is written without naming a key."

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), and not an alias or an id."
  }
}

variable "lifecycle_rules" {
  type = list(object({
    id                = string
    prefix            = optional(string, "")
    expire_after_days = optional(number)
    transition = optional(object({
      after_days    = number
      storage_class = string
    }))
  }))
  default     = []
  description = "What happens to objects by age, under each prefix: removed after some days, or moved to another storage class. Empty: all are kept."

  validation {
    condition     = length(distinct(var.lifecycle_rules[*].id)) == length(var.lifecycle_rules)
    error_message = "lifecycle_rules[*].id must differ from each other."
  }

  validation {
    condition = alltrue([
      for rule in var.lifecycle_rules : rule.expire_after_days != null || rule.transition != null
    ])
    error_message = "Each of lifecycle_rules needs expire_after_days or transition, or both: without them it does nothing."
  }

  validation {
    condition = alltrue([
      for rule in var.lifecycle_rules : rule.transition == null ? true : contains(
        ["STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR"], rule.transition.storage_class
      )
    ])
    error_message = "transition.storage_class must be STANDARD_IA, INTELLIGENT_TIERING or GLACIER_IR: what has to be restored first cannot be read by a rebuild."
  }
}

variable "noncurrent_days" {
  type        = number
  default     = 7
  description = "Days that an overwritten or removed object can still be brought back. An erasure removes all versions of an object at once."

  validation {
    condition     = var.noncurrent_days >= 1 && var.noncurrent_days <= 90 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "noncurrent_days must be a whole number from 1 to 90: versions that are kept for longer hold what was meant to be gone."
  }
}

variable "policies" {
  type        = list(string)
  default     = []
  description = "Further statements of the bucket's policy, each a policy as JSON; that TLS is needed is always in it."
}

variable "access_log_bucket" {
  type        = string
  default     = null
  description = "Name of a bucket that gets S3's server access logs under NAME/; null: none are written."
}

variable "force_destroy" {
  type        = bool
  default     = false
  description = "Whether `terraform destroy` removes the bucket with all that it holds; for trials alone."
}
