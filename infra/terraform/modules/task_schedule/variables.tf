variable "name" {
  type        = string
  description = "Name of the rule and of the role that starts the task, such as mdm-prod-compaction."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,50}$", var.name))
    error_message = "name must be 3 to 51 small letters, digits and hyphens that begin with a letter, such as mdm-prod-compaction."
  }
}

variable "description" {
  type        = string
  description = "What the task is started for, as the console shows it."
}

variable "expression" {
  type        = string
  description = "When the task is started: cron(...) or rate(...) of EventBridge, in UTC."

  validation {
    condition     = can(regex("^(rate|cron)\\(.+\\)$", var.expression))
    error_message = "expression must be cron(MINUTE HOUR DAY MONTH WEEKDAY YEAR) or rate(N days), such as cron(30 2 * * ? *)."
  }
}

variable "task" {
  type = object({
    family_arn = string
    role_arns  = list(string)
  })
  description = "Task that is started, as module task has it: ARN of its definition without a revision, and the roles that it is given."
}

variable "cluster_arn" {
  type        = string
  description = "ARN of the ECS cluster that it runs in."
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
