variable "name" {
  type        = string
  description = "Name of the task's family, roles and log group, such as mdm-prod-kcl."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,50}$", var.name))
    error_message = "name must be 3 to 51 small letters, digits and hyphens that begin with a letter, such as mdm-prod-kcl."
  }
}

variable "image" {
  type        = string
  description = "Container image by its digest, such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com/NAME@sha256:DIGEST."

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must name the image by its digest (...@sha256:DIGEST): a tag may name another image tomorrow."
  }
}

variable "command" {
  type        = list(string)
  default     = []
  description = "Arguments of the image's entry point. Readable to those who may see the task: no password belongs here."
}

variable "deployment_name" {
  type        = string
  description = "Name of the deployment: the namespace of the metrics that the task writes, and in each of its log lines, so that two in one account and region keep theirs apart."

  validation {
    condition     = can(regex("^[0-9A-Za-z][0-9A-Za-z._#-]{0,254}$", var.deployment_name))
    error_message = "deployment_name must be 1 to 255 letters, digits and . - _ #, of which the first is a letter or a digit, such as mdm-prod."
  }
}

variable "environment" {
  type        = map(string)
  default     = {}
  description = "Settings by the names that the code reads. No secret belongs here."
}

variable "secrets" {
  type        = map(string)
  default     = {}
  description = "Variables whose values come from Secrets Manager when the task starts: the ARN of a secret, or ARN:MEMBER:: for a member of its JSON."

  validation {
    condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^:]+(:[^:]*:[^:]*:[^:]*)?$", arn))])
    error_message = "secrets must be ARNs of Secrets Manager, each with :MEMBER:: behind it where one member of a JSON is meant."
  }
}

variable "policy_json" {
  type        = string
  description = "What the program in the task may do: an IAM policy as JSON, from aws_iam_policy_document."
}

variable "size" {
  type = object({
    cpu       = number
    memory_mb = number
  })
  description = "CPU units (1,024 are one CPU) and MiB of memory, in one of Fargate's combinations."

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.size.cpu)
    error_message = "size.cpu must be 256, 512, 1024, 2048, 4096, 8192 or 16384, which are Fargate's."
  }

  validation {
    condition     = var.size.memory_mb >= 2 * var.size.cpu && var.size.memory_mb <= 8 * var.size.cpu
    error_message = "size.memory_mb must be from 2 to 8 times size.cpu, which Fargate asks for."
  }
}

variable "architecture" {
  type        = string
  default     = "ARM64"
  description = "Machine that the image was built for: ARM64 or X86_64."

  validation {
    condition     = contains(["ARM64", "X86_64"], var.architecture)
    error_message = "architecture must be ARM64 or X86_64, as the image was built."
  }
}

variable "user" {
  type        = string
  description = "User of the image that the program runs as, by number (UID:GID)."

  validation {
    condition     = can(regex("^[1-9][0-9]*:[1-9][0-9]*$", var.user))
    error_message = "user must be UID:GID, and neither of them 0: the program needs no rights of root."
  }
}

variable "writes_to_tmp" {
  type        = bool
  default     = false
  description = "Whether the program writes to /tmp, which then is a volume (the image says VOLUME /tmp, so that its user may write there); everything else is read-only."
}

variable "stop_timeout_s" {
  type        = number
  default     = 60
  description = "Seconds between SIGTERM and SIGKILL."

  validation {
    condition     = var.stop_timeout_s >= 2 && var.stop_timeout_s <= 120 && floor(var.stop_timeout_s) == var.stop_timeout_s
    error_message = "stop_timeout_s must be a whole number from 2 to 120, which is the most that Fargate allows."
  }
}

variable "health_check" {
  type = object({
    command        = list(string)
    interval_s     = optional(number, 60)
    timeout_s      = optional(number, 20)
    start_period_s = optional(number, 120)
    retries        = optional(number, 3)
  })
  default     = null
  description = "Command that ends with 0 while the program is healthy; null for a program that ends when it cannot go on."

  validation {
    condition     = var.health_check == null ? true : var.health_check.interval_s <= 300 && var.health_check.timeout_s <= 60 && var.health_check.start_period_s <= 300 && var.health_check.retries <= 10
    error_message = "health_check must keep to ECS's limits: interval_s 300, timeout_s 60, start_period_s 300, retries 10."
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
