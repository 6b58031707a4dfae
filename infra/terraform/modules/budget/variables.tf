variable "name" {
  type        = string
  description = "Prefix of all names, such as mdm-prod."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name must be 3 to 24 small letters, digits and hyphens that begin with a letter, such as mdm-prod."
  }
}

variable "monthly_usd" {
  type        = number
  description = "What the deployment may cost a month, in US dollars."

  validation {
    condition     = var.monthly_usd >= 1
    error_message = "monthly_usd must be at least 1."
  }
}

variable "tag" {
  type = object({
    key   = string
    value = string
  })
  description = "Cost allocation tag that all resources of the deployment have, and its value. It counts once it is activated in the account's billing."
}

variable "notify" {
  type = object({
    topic_arns = optional(list(string), [])
    emails     = optional(list(string), [])
  })
  description = "Topics and addresses that hear of each threshold. A topic must allow budgets.amazonaws.com to publish."

  validation {
    condition     = length(var.notify.topic_arns) + length(var.notify.emails) >= 1
    error_message = "notify needs a topic or an address: a budget that reaches no person is none."
  }
}

variable "thresholds" {
  type = list(object({
    percent = number
    type    = string
  }))
  default = [
    { percent = 50, type = "ACTUAL" },
    { percent = 80, type = "ACTUAL" },
    { percent = 100, type = "FORECASTED" },
    { percent = 100, type = "ACTUAL" },
  ]
  description = "Percentages of monthly_usd at which AWS notifies, of what was spent (ACTUAL) or will be by the month's end (FORECASTED)."

  validation {
    condition     = length(var.thresholds) >= 1 && alltrue([for each in var.thresholds : each.percent > 0 && contains(["ACTUAL", "FORECASTED"], each.type)])
    error_message = "thresholds needs at least one entry, each with a percent above 0 and type ACTUAL or FORECASTED."
  }
}
