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
  description = "Container image by its digest, such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com/mdm-commands@sha256:DIGEST."

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

variable "expression" {
  type        = string
  default     = "cron(0 1 * * ? *)"
  description = "When a snapshot is taken: cron(...) or rate(...) of EventBridge, in UTC; once a day, and in any case several times within the golden stream's retention."

  validation {
    condition     = can(regex("^(rate|cron)\\(.+\\)$", var.expression))
    error_message = "expression must be cron(MINUTE HOUR DAY MONTH WEEKDAY YEAR) or rate(N hours), such as cron(0 1 * * ? *)."
  }
}

variable "newest" {
  type        = bool
  default     = false
  description = "Whether snapshots keep the newest message of each key alone: a warehouse made of them then has no history."
}

variable "golden_stream" {
  type = object({
    name            = string
    arn             = string
    retention_hours = number
  })
  description = "Stream of golden changes."

  validation {
    condition     = var.golden_stream.retention_hours >= 48
    error_message = "golden_stream.retention_hours must be 48 or more: a snapshot a day that fails once would come too late."
  }
}

variable "archive" {
  type = object({
    name   = string
    arn    = string
    prefix = string
  })
  description = "Bucket of the archive, and the prefix below which it lies."
}

variable "claims" {
  type = object({
    name   = string
    arn    = string
    prefix = string
  })
  description = "Bucket of the data of large golden changes, and the prefix below which they lie."
}

variable "snapshots" {
  type = object({
    name   = string
    arn    = string
    prefix = string
  })
  description = "Bucket of snapshots, and the prefix below which they lie."
}

variable "vpc" {
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  description = "Private subnets and security groups in which the task runs."

  validation {
    condition     = length(var.vpc.subnet_ids) >= 1 && length(var.vpc.security_group_ids) >= 1
    error_message = "vpc needs at least one subnet and one security group, in which the task runs."
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
