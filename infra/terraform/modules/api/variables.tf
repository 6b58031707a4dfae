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

variable "deployment" {
  type        = map(string)
  description = "Settings of the resolve consumer, which the API shares: output deployment of module consumer."

  validation {
    condition     = alltrue([for name in ["MDM_RULES", "MDM_REDIS_URL", "MDM_CHANGES_STREAM", "MDM_QUARANTINE_URL"] : contains(keys(var.deployment), name)])
    error_message = "deployment needs MDM_RULES, MDM_REDIS_URL, MDM_CHANGES_STREAM and MDM_QUARANTINE_URL: give output deployment of module consumer."
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

variable "signing_keys_prefix" {
  type        = string
  default     = null
  description = "Beginning of the names of the secrets with the keys that the policy names, as module consumer has it; null: it names none."
}

variable "change_stream" {
  type = object({
    name = string
    arn  = string
  })
  description = "Stream that events are put on."
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

variable "authorizer" {
  type = object({
    jwt = optional(object({
      issuer        = string
      audience      = list(string)
      scopes        = optional(list(string), [])
      sources_claim = optional(string, "mdm_sources")
    }))
    iam = optional(object({
      web_acl = optional(object({ arn = string }))
    }))
  })
  description = "Who may call: jwt makes an HTTP API whose authorizer verifies tokens; iam makes a REST API whose callers sign their requests, with an ACL of AWS WAF if one is named. One of the two."

  validation {
    condition     = (var.authorizer.jwt == null) != (var.authorizer.iam == null)
    error_message = "authorizer must have jwt or iam, and not both: no request may come in unidentified."
  }

  validation {
    condition     = var.authorizer.jwt == null ? true : startswith(var.authorizer.jwt.issuer, "https://") && length(var.authorizer.jwt.audience) >= 1
    error_message = "authorizer.jwt needs an issuer that begins with https:// and at least one audience: a token for another service must not count here."
  }

  validation {
    condition     = var.authorizer.iam == null ? true : can(jsondecode(var.deployment["MDM_AUTHORITY"]).callers)
    error_message = "authorizer.iam needs callers in the policy (authority of module consumer): without them no caller may write (docs/operate/trust-model.md)."
  }
}

variable "domain" {
  type = object({
    name            = string
    certificate_arn = string
  })
  default     = null
  description = "Host name of the API with its certificate in ACM, in the same region; then the address that AWS gives does not answer. Null: that address."
}

variable "throttle" {
  type = object({
    rate  = optional(number, 100)
    burst = optional(number, 200)
  })
  default     = {}
  description = "Requests a second of all callers together, and how many more at once; further ones are answered with 429."

  validation {
    condition     = var.throttle.rate >= 1 && var.throttle.burst >= 1
    error_message = "throttle.rate and throttle.burst must be at least 1."
  }
}

variable "memory_mb" {
  type        = number
  default     = 1024
  description = "Memory of the function in MiB."
}

variable "timeout_s" {
  type        = number
  default     = 29
  description = "Longest time of one request in seconds; API Gateway waits no longer than 29."

  validation {
    condition     = var.timeout_s >= 3 && var.timeout_s <= 29
    error_message = "timeout_s must be from 3 to 29: API Gateway waits no longer."
  }
}

variable "reserved_concurrency" {
  type        = number
  default     = null
  description = "Invocations at a time that are kept for the function, which are also the most that it has; null for what the account has left."
}

variable "id_key" {
  type        = string
  default     = "events-api"
  description = "Name of the key that seals ids of events. With another key, earlier ids are unknown."

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{1,64}$", var.id_key))
    error_message = "id_key must be 1 to 64 letters, digits, dots, hyphens and underscores."
  }
}

variable "secret_recovery_days" {
  type        = number
  default     = 30
  description = "Days for which a deleted secret can be brought back; 0 for a trial whose names are used again at once."

  validation {
    condition     = var.secret_recovery_days == 0 || (var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30)
    error_message = "secret_recovery_days must be from 7 to 30, or 0."
  }
}

variable "limits" {
  type = object({
    api_event_bytes_max   = optional(number, 1047552)
    api_batch_bytes_max   = optional(number, 4194304)
    api_batch_events_max  = optional(number, 500)
    api_header_bytes_max  = optional(number, 10240)
    api_attempts_max      = optional(number, 3)
    api_retry_after_s     = optional(number, 2)
    api_idempotency_hours = optional(number, 24)
  })
  default     = {}
  description = "Limits of the API by the names of producers.events_api.settings.EventsApiSettings, each the variable MDM_NAME; docs/reference/limits.md has what happens at each."

  validation {
    condition     = var.limits.api_event_bytes_max <= 1047552 && var.limits.api_batch_bytes_max <= 4194304 && var.limits.api_batch_events_max <= 500
    error_message = "limits.api_event_bytes_max, api_batch_bytes_max and api_batch_events_max must not be above 1047552, 4194304 and 500: the stream and Lambda take no more."
  }

  validation {
    condition     = var.limits.api_idempotency_hours >= 1 && var.limits.api_idempotency_hours <= 720
    error_message = "limits.api_idempotency_hours must be from 1 to 720."
  }
}
