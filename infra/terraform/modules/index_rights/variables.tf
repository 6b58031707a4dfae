variable "namespace" {
  type        = string
  default     = null
  description = "Namespace whose keys the user may reach, where others share the cache; null: those of all namespaces."

  validation {
    condition     = var.namespace == null ? true : can(regex("^[a-z][a-z0-9_-]{0,62}$", var.namespace))
    error_message = "namespace must be 1 to 63 small letters, digits, hyphens and underscores that begin with a letter, or null."
  }
}
