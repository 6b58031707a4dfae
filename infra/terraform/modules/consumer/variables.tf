variable "rules" {
  type        = list(string)
  description = "Rule sets, one a domain: names of packs, or paths in the package or image, such as person."

  validation {
    condition     = length(var.rules) >= 1 && alltrue([for each in var.rules : can(regex("^[A-Za-z0-9_./-]+$", each))])
    error_message = "rules needs at least one name of a pack or path in the package, such as [\"person\"]; an address of S3 is for the job on Glue alone."
  }
}

variable "redis" {
  type = object({
    url            = string
    connect_action = string
    connect_arns   = list(string)
  })
  description = "The index: output redis of module index or index_memorydb."

  validation {
    condition     = can(regex("^rediss://[^:@/]+@[^@/]+/[0-9]+\\?iam=", var.redis.url))
    error_message = "redis.url must be rediss://USER@HOST:6379/0?iam=elasticache:NAME or ?iam=memorydb:NAME: a password would be in the settings and in Terraform's state (docs/operate/cache.md)."
  }

  validation {
    condition     = contains(["elasticache:Connect", "memorydb:Connect"], var.redis.connect_action) && length(var.redis.connect_arns) == 2
    error_message = "redis.connect_action must be elasticache:Connect or memorydb:Connect, and redis.connect_arns the cache and its user."
  }
}

variable "change_stream" {
  type = object({
    name = string
    arn  = string
  })
  description = "Stream of change events."
}

variable "steward_stream" {
  type = object({
    name = string
    arn  = string
  })
  description = "Stream of what stewards and operators say, and of the ends of overrides, which the consumer itself sends."
}

variable "golden_stream" {
  type = object({
    name = string
    arn  = string
  })
  description = "Stream of golden changes."
}

variable "archive" {
  type = object({
    name   = string
    arn    = string
    prefix = optional(string, "archive")
  })
  description = "Bucket of the archive, and the prefix below which it lies; claim objects are below PREFIX/claims."

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", var.archive.prefix))
    error_message = "archive.prefix must be one or several names with slashes between them, such as archive."
  }
}

variable "quarantine" {
  type = object({
    name   = string
    arn    = string
    prefix = optional(string, "quarantine")
  })
  description = "Bucket of the quarantine, and the prefix below which it lies."

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", var.quarantine.prefix))
    error_message = "quarantine.prefix must be one or several names with slashes between them, such as quarantine."
  }
}

variable "namespace" {
  type        = string
  default     = "main"
  description = "Separates deployments that share a cache."

  validation {
    condition     = can(regex("^[a-z][a-z0-9_-]{0,62}$", var.namespace))
    error_message = "namespace must be 1 to 63 small letters, digits, hyphens and underscores that begin with a letter."
  }
}

variable "authority" {
  type        = string
  default     = null
  description = "Who may say what (MDM_AUTHORITY): a JSON document; null: records on every stream, the rest on the steward stream alone."

  validation {
    condition     = var.authority == null ? true : can(jsondecode(var.authority)) && length(var.authority) <= 3072
    error_message = "authority must be a JSON document of at most 3,072 characters: a function has 4 KB for all its settings. Use file(\"authority.json\")."
  }
}

variable "signing_keys_prefix" {
  type        = string
  default     = null
  description = "Beginning of the names of the secrets with the keys that authority names, such as mdm-prod/signing/; null: it names none."

  validation {
    condition     = var.signing_keys_prefix == null ? true : can(regex("^[A-Za-z0-9/_+=.@-]{3,}$", var.signing_keys_prefix))
    error_message = "signing_keys_prefix must be at least 3 characters of a secret's name, such as mdm-prod/signing/."
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

variable "limits" {
  type = object({
    redis_timeout_s       = optional(number, 5)
    redis_replicas_min    = optional(number, 0)
    aws_timeout_s         = optional(number, 10)
    merges_per_minute_max = optional(number, 5000)
    merge_hold            = optional(bool, false)
    expiries_per_tick_max = optional(number, 500)
    feed_record_bytes_max = optional(number, 1048576)
    golden_bytes_warn     = optional(number, 262144)
  })
  default     = {}
  description = "Limits of the consumer by the names of mdm_stream.settings.ResolveSettings, each the variable MDM_NAME; docs/reference/limits.md has what happens at each."

  validation {
    condition     = var.limits.redis_timeout_s > 0 && var.limits.aws_timeout_s > 0
    error_message = "limits.redis_timeout_s and limits.aws_timeout_s must be above 0 seconds."
  }

  validation {
    condition     = var.limits.redis_replicas_min >= 0
    error_message = "limits.redis_replicas_min must be 0 or more; 0: one replica must have a batch while any follows the primary."
  }

  validation {
    condition     = var.limits.feed_record_bytes_max >= 65536 && var.limits.feed_record_bytes_max <= 10485760
    error_message = "limits.feed_record_bytes_max must be from 65536 to 10485760: what the golden stream takes (MaxRecordSizeInKiB), and no more than its readers do."
  }
}

variable "engine" {
  type = object({
    commit_attempts_max    = optional(number, 50)
    transient_attempts_max = optional(number, 5)
    backoff_ms_base        = optional(number, 20)
    backoff_ms_max         = optional(number, 2000)
    reevaluations_max      = optional(number, 500)
    record_cache_size      = optional(number, 50000)
    groups_per_commit_max  = optional(number, 32)
    events_per_plan_max    = optional(number, 1000)
    faults_in_a_row_max    = optional(number, 25)
    forget_after_s         = optional(number, 600)
    later_tolerance_s      = optional(number, 300)
  })
  default     = {}
  description = "How the engine works a batch, by the names of mdm_stream.settings.EngineSettings, each the variable MDM_NAME; docs/reference/limits.md has what happens at each."

  validation {
    condition     = alltrue([for name, value in var.engine : value >= 1 if name != "later_tolerance_s"]) && var.engine.later_tolerance_s >= 0
    error_message = "Each member of engine must be at least 1, and later_tolerance_s at least 0."
  }

  validation {
    condition     = var.engine.backoff_ms_base <= var.engine.backoff_ms_max
    error_message = "engine.backoff_ms_base must not be above engine.backoff_ms_max."
  }
}
