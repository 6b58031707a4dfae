variable "name" {
  type        = string
  description = "Prefix of all names, such as mdm-prod."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name must be 3 to 24 small letters, digits and hyphens that begin with a letter, such as mdm-prod."
  }
}

variable "package" {
  type = object({
    script = string
    wheels = string
  })
  description = "Paths of what `make package-glue` has built: reconcile.py and mdm-stream.gluewheels.zip."
}

variable "package_bucket" {
  type = object({
    name   = string
    arn    = string
    prefix = optional(string, "glue")
  })
  description = "Bucket that script and wheels are copied to, and the prefix below which they lie."
}

variable "rules" {
  type        = list(string)
  description = "Rule sets, one a domain: names of packs, or s3://BUCKET/KEY of files below package_bucket."

  validation {
    condition     = length(var.rules) >= 1 && alltrue([for each in var.rules : can(regex("^([a-z][a-z0-9_]*|s3://[^,]+)$", each))])
    error_message = "rules needs at least one name of a pack, such as [\"person\"], or address of a file on S3."
  }
}

variable "deployment" {
  type        = map(string)
  description = "Settings of the resolve consumer: output deployment of module consumer."

  validation {
    condition     = alltrue([for name in keys(var.deployment) : startswith(name, "MDM_")])
    error_message = "deployment must hold variables of the consumer (MDM_...): give output deployment of module consumer."
  }
}

variable "warehouse" {
  type = object({
    environment            = map(string)
    private_key_secret_arn = string
  })
  default     = null
  description = "Settings of the warehouse consumer, and the secret of its key: outputs of module warehouse; null: the warehouse is not compared."
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

variable "golden_stream" {
  type = object({
    name = string
    arn  = string
  })
  description = "Stream of golden changes, which a repair writes to."
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

variable "workspace" {
  type = object({
    name   = string
    arn    = string
    prefix = optional(string, "reconcile")
  })
  description = "Bucket and prefix of the job's tables, which hold values of records. Let a lifecycle rule expire the prefix after two days or more."
}

variable "job" {
  type = object({
    domain         = optional(string, "")
    repair         = optional(bool, false)
    skip_unchanged = optional(bool, false)
    samples        = optional(number, 20)
  })
  default     = {}
  description = "What the job is asked for, by the names of consumers.reconcile.arguments.JobSettings; with repair it has the rights to write (docs/operate/reconcile.md)."

  validation {
    condition     = var.job.samples >= 0 && var.job.samples <= 1000
    error_message = "job.samples must be from 0 to 1000."
  }
}

variable "settle_s" {
  type        = number
  description = "Seconds until what was committed is archived: at least the time-out of the resolve function, which its module puts out."

  validation {
    condition     = var.settle_s >= 0
    error_message = "settle_s must be 0 or more; give function.timeout_s of module resolve."
  }
}

variable "workers" {
  type = object({
    type  = optional(string, "G.1X")
    count = optional(number, 10)
  })
  default     = {}
  description = "Machines of a run: their type, and how many at most (the stages need different numbers, and Glue scales between)."

  validation {
    condition     = contains(["G.1X", "G.2X", "G.4X", "G.8X"], var.workers.type) && var.workers.count >= 2
    error_message = "workers.type must be G.1X, G.2X, G.4X or G.8X, and workers.count at least 2."
  }
}

variable "timeout_min" {
  type        = number
  default     = 480
  description = "Minutes after which a run is stopped; the next one within 12 hours goes on with what it had recomputed."

  validation {
    condition     = var.timeout_min >= 1 && var.timeout_min <= 10080
    error_message = "timeout_min must be from 1 to 10080 (seven days)."
  }
}

variable "schedule" {
  type        = string
  default     = "cron(0 3 * * ? *)"
  description = "When the job runs: cron(...) of Glue, in UTC; once a night."

  validation {
    condition     = can(regex("^cron\\(.+\\)$", var.schedule))
    error_message = "schedule must be cron(MINUTE HOUR DAY MONTH WEEKDAY YEAR), such as cron(0 3 * * ? *)."
  }
}

variable "vpc" {
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  description = "Private subnets and security groups from which the cache is reached; the first subnet is used."

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
