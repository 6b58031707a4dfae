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

variable "architecture" {
  type        = string
  default     = "arm64"
  description = "Machine that the package was built for: arm64 or x86_64."
}

variable "lineage" {
  type = object({
    url              = string
    endpoint         = optional(string, "api/v1/lineage")
    namespace        = optional(string, "mdm-stream")
    job              = optional(string, "warehouse")
    stream_namespace = optional(string, "kinesis")
    timeout_s        = optional(number, 2)
  })
  default     = null
  description = "Lineage server that each batch is reported to (docs/operate/lineage.md), for the package warehouse-lineage; null: nothing is sent. One that needs a key belongs behind a proxy that adds it: the function's settings hold no secret."

  validation {
    condition     = var.lineage == null ? true : startswith(var.lineage.url, "https://")
    error_message = "lineage.url must begin with https://."
  }
}

variable "snowflake" {
  type = object({
    account       = string
    user          = string
    database      = string
    schema        = string
    warehouse     = optional(string)
    role          = optional(string)
    writer        = optional(string)
    lag_s         = optional(number)
    ingest        = optional(string, "copy")
    streaming_url = optional(string)
  })
  description = "Where to log in and as whom, and how batches get in; each member is the variable MDM_WAREHOUSE_SNOWFLAKE_ and its name in capitals (docs/reference/warehouse.md). The private key is put into the secret that this module makes."

  validation {
    condition     = var.snowflake.writer == null ? true : contains(["append", "merge"], var.snowflake.writer)
    error_message = "snowflake.writer must be append or merge, or left out: then a schema stays what it is."
  }

  validation {
    condition     = var.snowflake.lag_s == null ? true : var.snowflake.lag_s == 0 || var.snowflake.lag_s >= 60
    error_message = "snowflake.lag_s must be 0 for views, or at least 60, which is the least lag of a dynamic table."
  }

  validation {
    condition     = var.snowflake.warehouse != null || coalesce(var.snowflake.writer, "append") == "merge" || try(var.snowflake.lag_s == 0, false)
    error_message = "snowflake.warehouse must name the virtual warehouse that refreshes the dynamic tables: without it every batch of a new schema fails. Or ask for views (lag_s = 0)."
  }

  validation {
    condition     = contains(["copy", "streaming"], var.snowflake.ingest) && !(var.snowflake.ingest == "streaming" && coalesce(var.snowflake.writer, "append") == "merge")
    error_message = "snowflake.ingest must be copy or streaming, and streaming needs writer append: it adds to golden_event, which a schema of the merge kind has not."
  }
}

variable "private_key_secret" {
  type = object({
    name                 = optional(string)
    recovery_window_days = optional(number, 30)
  })
  default     = {}
  description = "Secret that is made for the private key of snowflake.user, whose text an operator puts into it as PEM: its name (NAME/snowflake-private-key if left out), and the days for which a deleted one can be brought back."

  validation {
    condition     = var.private_key_secret.recovery_window_days == 0 || (var.private_key_secret.recovery_window_days >= 7 && var.private_key_secret.recovery_window_days <= 30)
    error_message = "private_key_secret.recovery_window_days must be from 7 to 30, or 0 for a trial whose names are used again at once."
  }
}

variable "limits" {
  type = object({
    login_timeout_s     = optional(number, 30)
    socket_timeout_s    = optional(number, 60)
    statement_timeout_s = optional(number, 300)
    lock_timeout_s      = optional(number, 120)
    retention_days      = optional(number, 1)
    look_every_s        = optional(number, 300)
  })
  default     = {}
  description = "Limits of a session by the code's names, each the variable MDM_WAREHOUSE_SNOWFLAKE_ and its name in capitals."

  validation {
    condition     = var.limits.socket_timeout_s >= 45
    error_message = "limits.socket_timeout_s must be at least 45: the server holds the request of a running statement that long."
  }
}

variable "idle_close_s" {
  type        = number
  default     = 900
  description = "Seconds without a batch before a tick closes the connection."
}

variable "golden_stream" {
  type = object({
    name            = string
    arn             = string
    retention_hours = number
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
  default     = null
  description = "Subnets and security groups of a function that reaches Snowflake by private connectivity; null: without a VPC, over TLS to the account's own address. The function needs no cache."
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
  default     = 1024
  description = "Memory of the function in MiB."
}

variable "timeout_s" {
  type        = number
  default     = 900
  description = "Longest time of one invocation in seconds."

  validation {
    condition     = var.timeout_s > var.limits.login_timeout_s + var.limits.statement_timeout_s
    error_message = "timeout_s must be more than limits.login_timeout_s + limits.statement_timeout_s (330 by default), or Lambda ends a batch before Snowflake ends its statement."
  }
}

variable "reserved_concurrency" {
  type        = number
  default     = null
  description = "Invocations at a time that are kept for the function, at least the stream's shards; null for what the account has left."
}

variable "event_source" {
  type = object({
    enabled                     = optional(bool, true)
    batch_size                  = optional(number, 10000)
    window_s                    = optional(number, 300)
    parallelization_factor      = optional(number, 1)
    starting_position           = optional(string, "TRIM_HORIZON")
    starting_position_timestamp = optional(string)
    bisect_on_error             = optional(bool, true)
    maximum_retry_attempts      = optional(number, 100)
    maximum_record_age_s        = optional(number)
  })
  default     = {}
  description = "How golden changes become batches. The window decides what Snowflake costs (docs/operate/warehouse-cost.md); attempts are bounded so that a message which cannot be read ends in on_failure and the feed goes on."

  validation {
    condition     = var.event_source.maximum_retry_attempts != -1
    error_message = "event_source.maximum_retry_attempts must have a limit, such as 100: a message that cannot be read would stop its shard until it is too old."
  }
}

variable "tick" {
  type        = string
  default     = "rate(15 minutes)"
  description = "How often the function looks whether its connection has been idle for idle_close_s."
}
