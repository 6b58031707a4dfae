variable "name" {
  type        = string
  description = "Prefix of all names, such as mdm-prod."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name must be 3 to 24 small letters, digits and hyphens that begin with a letter, such as mdm-prod."
  }
}

variable "image" {
  type        = string
  description = "Container image by its digest, such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com/mdm-kcl@sha256:DIGEST."

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must name the image by its digest (...@sha256:DIGEST): a tag may name another image tomorrow."
  }
}

variable "cluster_arn" {
  type        = string
  description = "ARN of the ECS cluster that it runs in."
}

variable "size" {
  type = object({
    cpu       = optional(number, 1024)
    memory_mb = optional(number, 2048)
  })
  default     = {}
  description = "CPU units (1,024 are one CPU) and MiB of memory of the task, in one of Fargate's combinations."
}

variable "architecture" {
  type        = string
  default     = "ARM64"
  description = "Machine that the image was built for: ARM64 or X86_64."
}

variable "consumer" {
  type = object({
    environment = map(string)
    policy_json = string
  })
  description = "Settings and rights of the resolve consumer: module consumer."
}

variable "stream" {
  type = object({
    name = string
    arn  = string
  })
  description = "Stream that is read: the change stream, or in a second module of another role the steward stream."
}

variable "role" {
  type        = string
  default     = "kcl"
  description = "What this consumer is called behind the prefix, in the names of its tables, service and roles."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.role))
    error_message = "role must be 1 to 20 small letters, digits and hyphens that begin with a letter, such as kcl or kcl-steward."
  }
}

variable "desired_count" {
  type        = number
  default     = 2
  description = "Containers that share the shards; one that ends leaves its shards to the others."

  validation {
    condition     = var.desired_count >= 0 && floor(var.desired_count) == var.desired_count
    error_message = "desired_count must be a whole number from 0."
  }
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

variable "deletion_protection" {
  type        = bool
  default     = true
  description = "Whether the tables of leases resist being deleted. Without them a consumer begins again at initial_position."
}

variable "limits" {
  type = object({
    initial_position  = optional(string, "TRIM_HORIZON")
    metrics_level     = optional(string, "SUMMARY")
    metrics_port      = optional(number, 0)
    metrics_address   = optional(string, "127.0.0.1")
    retry_s_max       = optional(number, 300)
    backoff_ms_base   = optional(number, 200)
    backoff_ms_max    = optional(number, 20000)
    timeout_s         = optional(number, 900)
    tick_s            = optional(number, 60)
    max_records       = optional(number, 500)
    idle_ms           = optional(number, 1000)
    shutdown_grace_ms = optional(number, 30000)
    restarts_max      = optional(number, 10)
    restart_ms_base   = optional(number, 1000)
    restart_ms_max    = optional(number, 60000)
    steady_s          = optional(number, 600)
  })
  default     = {}
  description = "Settings of the KCL consumer by the code's names, each the variable MDM_KCL_ and its name in capitals (docs/reference/limits.md, 'KCL consumer')."

  validation {
    condition     = var.limits.timeout_s >= 2 * var.limits.retry_s_max
    error_message = "limits.timeout_s must be at least twice limits.retry_s_max, or the daemon ends before its child does."
  }

  validation {
    condition     = var.limits.backoff_ms_base <= var.limits.backoff_ms_max && var.limits.restart_ms_base <= var.limits.restart_ms_max
    error_message = "limits.backoff_ms_base and limits.restart_ms_base must not be above their _max."
  }

  validation {
    condition     = var.limits.shutdown_grace_ms <= 40000
    error_message = "limits.shutdown_grace_ms must be at most 40000: the container is killed 60 s after SIGTERM, and the daemon needs 15 s beyond its grace."
  }

  validation {
    condition     = contains(["TRIM_HORIZON", "LATEST"], var.limits.initial_position) && contains(["NONE", "SUMMARY", "DETAILED"], var.limits.metrics_level)
    error_message = "limits.initial_position must be TRIM_HORIZON or LATEST, and limits.metrics_level NONE, SUMMARY or DETAILED."
  }
}
