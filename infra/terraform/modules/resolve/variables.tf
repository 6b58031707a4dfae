variable "name" {
  type        = string
  description = "Prefix of all names, such as mdm-prod."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name must be 3 to 24 small letters, digits and hyphens that begin with a letter, such as mdm-prod."
  }
}

variable "package" {
  type        = string
  description = "Path of the zip that `make package` has built."
}

variable "layers" {
  type        = list(string)
  default     = []
  description = "ARNs of layer versions of the zip, such as one with rule sets of your own, which are then below /opt."
}

variable "architecture" {
  type        = string
  default     = "arm64"
  description = "Machine that the package was built for: arm64 or x86_64."
}

variable "consumer" {
  type = object({
    environment = map(string)
    policy_json = string
    batch_s_min = number
  })
  description = "Settings and rights of the resolve consumer: module consumer."
}

variable "change_stream" {
  type = object({
    name            = string
    arn             = string
    retention_hours = number
  })
  description = "Stream of change events, and the hours that it keeps a record."
}

variable "steward_stream" {
  type = object({
    name            = string
    arn             = string
    retention_hours = number
  })
  description = "Stream of what stewards and operators say, and the hours that it keeps a record."
}

variable "on_failure" {
  type = object({
    name = string
    arn  = string
  })
  description = "Bucket of batches whose last attempt failed, with their payload; `mdm-stream dlq` reads it."
}

variable "vpc" {
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  description = "Private subnets and security groups from which the cache is reached."

  validation {
    condition     = length(var.vpc.subnet_ids) >= 1 && length(var.vpc.security_group_ids) >= 1
    error_message = "vpc needs at least one subnet and one security group: the cache has no public address."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key of the deployment."

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), and not an alias or an id."
  }
}

variable "log_retention_days" {
  type        = number
  default     = 30
  description = "Days that log lines are kept."

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827], var.log_retention_days)
    error_message = "log_retention_days must be one of the periods of CloudWatch Logs: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096 or 1827."
  }
}

variable "memory_mb" {
  type        = number
  default     = 1769
  description = "Memory of the function in MiB: 1,769 are one CPU, which a batch makes full use of."
}

variable "timeout_s" {
  type        = number
  default     = 180
  description = "Longest time of one invocation in seconds: three times what must be left for a batch to be begun."

  validation {
    condition     = var.timeout_s > var.consumer.batch_s_min
    error_message = "timeout_s must be more than consumer.batch_s_min (53.5 by default): no batch would be begun. Give three times as much, or lower limits.redis_timeout_s and limits.aws_timeout_s of module consumer (docs/operate/lambda.md)."
  }
}

variable "reserved_concurrency" {
  type        = number
  default     = null
  description = "Invocations at a time that are kept for the function, at least shards x parallelization factor of both streams; null for what the account has left."
}

variable "event_source" {
  type = object({
    enabled                = optional(bool, true)
    batch_size             = optional(number, 500)
    window_s               = optional(number, 1)
    parallelization_factor = optional(number, 1)
    starting_position      = optional(string, "TRIM_HORIZON")
    bisect_on_error        = optional(bool, true)
    maximum_retry_attempts = optional(number, -1)
    maximum_record_age_s   = optional(number)
  })
  default     = {}
  description = "How records of both streams become batches (docs/operate/lambda.md). maximum_record_age_s is below each stream's retention if it is left out."
}

variable "tick" {
  type        = string
  default     = "rate(1 minute)"
  description = "How often the function does what waits without a batch."
}
