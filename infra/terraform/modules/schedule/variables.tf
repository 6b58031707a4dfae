variable "name" {
  type        = string
  description = "Name of the rule, such as mdm-prod-resolve-tick."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,63}$", var.name))
    error_message = "name must be 3 to 64 small letters, digits and hyphens that begin with a letter, such as mdm-prod-resolve-tick."
  }
}

variable "description" {
  type        = string
  description = "What the schedule is for, as the console shows it."
}

variable "expression" {
  type        = string
  default     = "rate(1 minute)"
  description = "When the function is invoked: rate(...) or cron(...) of EventBridge, in UTC."

  validation {
    condition     = can(regex("^(rate|cron)\\(.+\\)$", var.expression))
    error_message = "expression must be rate(N minutes) or cron(MINUTE HOUR DAY MONTH WEEKDAY YEAR), such as rate(1 minute)."
  }
}

variable "function" {
  type = object({
    name = string
    arn  = string
  })
  description = "Function that is invoked."
}

variable "input" {
  type        = string
  default     = null
  description = "JSON that the function gets; null: what EventBridge says of a schedule, which the functions know as a tick."

  validation {
    condition     = var.input == null ? true : can(jsondecode(var.input))
    error_message = "input must be JSON, such as jsonencode({ source = \"mdm.schedule\" }), or null."
  }
}

variable "retries" {
  type        = number
  default     = 0
  description = "Times that EventBridge tries again to invoke the function, within an hour; a tick needs none, because the next one does its work."

  validation {
    condition     = var.retries >= 0 && var.retries <= 185 && floor(var.retries) == var.retries
    error_message = "retries must be a whole number from 0 to 185, which is the most that EventBridge allows."
  }
}
