variable "name" {
  type        = string
  description = "Prefix of the deployment, such as mdm-prod; the key's alias is alias/NAME."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name must be 3 to 24 small letters, digits and hyphens that begin with a letter, such as mdm-prod."
  }
}

variable "deletion_window_days" {
  type        = number
  default     = 30
  description = "Days between `terraform destroy` and the end of the key, and with it of all that it encrypts."

  validation {
    condition     = var.deletion_window_days >= 7 && var.deletion_window_days <= 30 && floor(var.deletion_window_days) == var.deletion_window_days
    error_message = "deletion_window_days must be a whole number from 7 to 30, which is what KMS allows."
  }
}
