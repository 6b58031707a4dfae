variable "name" {
  type        = string
  default     = "mdm-emulator"
  description = "Prefix of all names."
}

variable "region" {
  type        = string
  default     = "eu-central-1"
  description = "AWS region."
}

variable "packages" {
  type = object({
    folder       = optional(string, "../../../../build/packages")
    architecture = optional(string, "x86_64")
  })
  default     = {}
  description = "Folder that `make package` has filled, and the machine that the emulator runs on."
}

variable "rules" {
  type        = list(string)
  default     = ["person"]
  description = "Rule sets, one a domain: names of packs, or paths on the machine of the emulator."
}

variable "redis_url" {
  type        = string
  description = "Address of a cache that the emulator does not make, in the form of those that it stands in for: rediss://USER@HOST:PORT/0?iam=elasticache:NAME&ssl_ca_certs=/path/ca.pem."
}

variable "snowflake" {
  type = object({
    account  = string
    user     = string
    database = string
    schema   = string
    lag_s    = number
  })
  description = "Where the warehouse consumer logs in."
}
