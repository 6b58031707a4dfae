variable "region" {
  type        = string
  default     = "eu-central-1"
  description = "AWS region."
}

variable "packages" {
  type = object({
    folder      = optional(string, "../../../../build/packages")
    glue_folder = optional(string, "../../../../build/glue")
  })
  default     = {}
  description = "Folders that `make package` and `make package-glue` have filled."
}

variable "images" {
  type = object({
    files    = string
    commands = string
    reader   = string
  })
  description = "Images in ECR by their digests: functions of files, commands, and the reader of PostgreSQL."
}

variable "database" {
  type = object({
    address            = string
    password_from      = string
    security_group_ids = list(string)
  })
  description = "A PostgreSQL that is captured: its address without a password, the ARN of the secret that has the password, and security groups that reach it."
}
