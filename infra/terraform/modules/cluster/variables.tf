variable "name" {
  type        = string
  description = "Prefix of all names, such as mdm-prod."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,23}$", var.name))
    error_message = "name must be 3 to 24 small letters, digits and hyphens that begin with a letter, such as mdm-prod."
  }
}
