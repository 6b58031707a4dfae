variable "name" {
  type        = string
  default     = "mdm-dev"
  description = "Prefix of all names."
}

variable "region" {
  type        = string
  description = "AWS region, such as eu-central-1."
}

variable "account_id" {
  type        = string
  default     = null
  description = "Account of AWS that this environment belongs to, on which alone Terraform then works; null: whichever the credentials are of."

  validation {
    condition     = var.account_id == null ? true : can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the 12 digits of an account of AWS, or null."
  }
}

variable "rules" {
  type        = list(string)
  default     = ["person"]
  description = "Rule sets, one a domain: names of packs, or paths in packages and images."
}

variable "packages" {
  type = object({
    folder       = optional(string, "../../../../build/packages")
    glue_folder  = optional(string)
    architecture = optional(string, "arm64")
    layers       = optional(list(string), [])
  })
  default     = {}
  description = "Folders that `make package` and `make package-glue` have filled, the machine that functions run on, and layers with rule sets of your own."
}

variable "alarm_emails" {
  type        = set(string)
  description = "Addresses that hear of alarms and of the budget, once they have confirmed it."

  validation {
    condition     = length(var.alarm_emails) >= 1
    error_message = "alarm_emails needs at least one address: an alarm that nothing hears is none."
  }
}

variable "runbooks_url" {
  type        = string
  default     = "docs/operate/runbooks"
  description = "Where the runbook pages of the deployed release are; alarms link to them."
}

variable "monthly_usd" {
  type        = number
  default     = 400
  description = "What the deployment may cost a month, in US dollars, before the budget warns."
}

variable "authority" {
  type = object({
    policy              = string
    signing_keys_prefix = optional(string)
  })
  default     = null
  description = "Who may say what, a JSON document, and the beginning of the names of the secrets with the keys that it names; null: records on every stream, the rest on the steward stream alone."
}

variable "api_authorizer" {
  type = object({
    jwt = optional(object({
      issuer        = string
      audience      = list(string)
      scopes        = optional(list(string), [])
      sources_claim = optional(string, "mdm_sources")
    }))
    iam = optional(object({ web_acl = optional(object({ arn = string })) }))
  })
  default     = null
  description = "Who may call the events API, by tokens (jwt) or by signed requests (iam, which needs callers in authority); null: there is none."
}

variable "files_image" {
  type        = string
  default     = null
  description = "Image of the functions of files by its digest; null: no files are taken."
}

variable "snowflake" {
  type = object({
    account   = string
    user      = string
    database  = string
    schema    = string
    warehouse = string
    role      = optional(string)
  })
  default     = null
  description = "Where the warehouse consumer logs in; null: there is none."
}

variable "commands_image" {
  type        = string
  default     = null
  description = "Image with `mdm-stream archive compact` by its digest, which then compacts the archive daily; null: do so yourself."
}

variable "reconciled_domains" {
  type        = set(string)
  default     = []
  description = "Domains that a job on Glue reconciles nightly, for which packages.glue_folder has to be set; empty: no job does."
}
